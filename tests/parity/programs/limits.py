"""Where Temporal's server draws the line: counts and sizes of one run. Most of these load a server
for long, so that the reference loses tasks of other programs: those are slow ones."""

from ..harness.commands import activity, complete, marker, payloads
from ..harness.registry import program
from ..harness.session import Session


async def last_events(t: Session, name: str, count: int) -> None:
    events = await t.events()
    t.value(name, {"events": len(events), "last": events[-count:]})


@program(timeout_s=120, slow=True)
async def too_many_pending_activities(t: Session):
    """2,000 pending ones per run."""
    nobody = t.id("nobody")
    await t.start()
    await t.error(
        "2,001", t.complete(await t.poll(), *(activity(f"a{n}", nobody) for n in range(2001)))
    )
    await last_events(t, "refused", 3)
    await t.error(
        "2,000", t.complete(await t.poll(), *(activity(f"a{n}", nobody) for n in range(2000)))
    )
    await t.signal()
    await t.error("one more", t.complete(await t.poll(), activity("more", nobody)))
    await last_events(t, "at the limit", 3)


@program(timeout_s=120, slow=True)
async def suggest_continue_as_new_by_count(t: Session):
    """From 4,096 events on."""
    await t.start()
    await t.step(*(marker(f"m{n}") for n in range(4085)))
    for _ in range(6):
        await t.signal()
        await t.step()
    events = await t.events()
    started = [
        event for event in events if event.HasField("workflow_task_started_event_attributes")
    ]
    t.value("ids", [event.event_id for event in started])
    t.value("started", started[-5:])


@program(timeout_s=120)
async def suggest_continue_as_new_by_size(t: Session):
    """From 4 MB on."""
    await t.start()
    for _ in range(4):
        await t.signal(input=payloads("x" * 1_300_000))
    await t.step()
    await t.signal()
    await t.step(complete())
    events = await t.events()
    t.value(
        "started",
        [event for event in events if event.HasField("workflow_task_started_event_attributes")],
    )


@program(timeout_s=300, slow=True)
async def too_many_events(t: Session):
    """51,200 events per run."""
    await t.start()
    await t.step(*(marker(f"m{n}") for n in range(51_150)))
    for number in range(60):
        await t.error(f"signal {number}", t.signal())
    await t.describe()


@program(timeout_s=300, slow=True)
async def too_many_commands(t: Session):
    """100,000 commands in one completion: more events than a run may have."""
    await t.start()
    await t.error(
        "completion", t.complete(await t.poll(), *(marker(f"m{n}") for n in range(100_000)))
    )
    await t.describe()


@program(timeout_s=300, slow=True)
async def too_large_history(t: Session):
    """50 MB per run."""
    await t.start()
    for number in range(30):
        await t.error(f"signal {number}", t.signal(input=payloads("x" * 1_900_000)))
    await t.describe()


@program(timeout_s=300, slow=True)
async def too_many_events_in_one_completion(t: Session):
    """A completion that ends just before the limit, at it, and behind it."""
    for count in (51_196, 51_197, 51_198):
        queue = t.id(f"tq-{count}")
        await t.start(t.id(f"{count}"), task_queue={"name": queue})
        await t.error(
            f"{count} markers",
            t.complete(await t.poll(queue), *(marker("m") for _ in range(count))),
        )
        await t.describe(f"describe {count}", t.id(f"{count}"))
