"""Timers: firing, cancelling, races with the running workflow task."""

from ..harness.commands import (
    activity,
    cancel_timer,
    command,
    complete,
    fail,
    marker,
    seconds,
    timer,
)
from ..harness.registry import program
from ..harness.session import Session


@program
async def timer_fires(t: Session):
    await t.start()
    t.value(
        "first task", await t.step(timer("one", 0.2, user_metadata={"summary": {"data": b"why"}}))
    )
    t.value("second task", await t.step(complete("done")))
    await t.history()
    await t.describe()


@program
async def timers_due_together_fire_in_order(t: Session):
    """All are due while the task that started them is being followed by a running one."""
    await t.start()
    await t.step(
        timer("c", 2.2), timer("a", 2), timer("b", 2.1), force_create_new_workflow_task=True
    )
    task = await t.poll()
    await t.signal("wait until they are due")
    watch = t.id("watch")
    await t.start(watch, task_queue={"name": t.id("tq2")})
    await t.complete(await t.poll(t.id("tq2")), timer("later", 3))
    await t.event("TIMER_FIRED", watch)
    await t.complete(task, marker("m"))
    await t.history()


@program
async def timer_canceled(t: Session):
    await t.start()
    await t.step(timer("t", 3600), timer("u", 3600), force_create_new_workflow_task=True)
    await t.step(cancel_timer("t"), timer("t", 7200))
    await t.signal()
    await t.step(cancel_timer("u"), complete())
    await t.history()


@program
async def timer_canceled_after_it_fired_in_the_buffer(t: Session):
    """CancelTimer takes the fired event out of the buffer again."""
    await t.start()
    await t.step(timer("t", 2), force_create_new_workflow_task=True)
    task = await t.poll()
    watch = t.id("watch")
    await t.start(watch, task_queue={"name": t.id("tq2")})
    await t.complete(await t.poll(t.id("tq2")), timer("later", 3))
    await t.event("TIMER_FIRED", watch)
    await t.error(
        "completion", t.complete(task, cancel_timer("t"), complete("closed despite the timer"))
    )
    await t.history()


@program
async def timer_fired_in_the_buffer_blocks_the_close(t: Session):
    await t.start()
    await t.step(timer("t", 2), force_create_new_workflow_task=True)
    task = await t.poll()
    watch = t.id("watch")
    await t.start(watch, task_queue={"name": t.id("tq2")})
    await t.complete(await t.poll(t.id("tq2")), timer("later", 3))
    await t.event("TIMER_FIRED", watch)
    await t.error("completion", t.complete(task, complete()))
    await t.step(complete())
    await t.history()


@program
async def timer_of_a_thousand_years(t: Session):
    await t.start()
    await t.step(timer("t", 86400 * 365 * 1000), force_create_new_workflow_task=True)
    await t.step(cancel_timer("t"), timer("longest", 315576000000), complete())
    await t.history()


@program
async def timer_ends_with_the_workflow(t: Session):
    """Timers and activities of a closed workflow leave no events."""
    await t.start()
    await t.step(timer("t", 4), activity("a", t.id("nobody"), schedule_to_close_timeout=seconds(4)),
                 force_create_new_workflow_task=True)
    await t.step(fail("closed"))
    watch = t.id("watch")
    await t.start(watch, task_queue={"name": t.id("tq2")})
    await t.complete(await t.poll(t.id("tq2")), timer("later", 5))
    await t.event("TIMER_FIRED", watch)
    await t.history()
    await t.describe()


@program
async def timer_shorter_than_a_millisecond(t: Session):
    await t.start()
    await t.step(timer("t", 0.000001))
    t.value("task", await t.poll())
    await t.history()


@program
async def timer_of_no_time(t: Session):
    """Neither zero nor no duration at all is an error: both fire at once."""
    for name, made in (
        ("zero", timer("t", 0)),
        ("none", command("START_TIMER", {"timer_id": "t"})),
    ):
        wid, queue = t.id(name), t.id(f"tq-{name}")
        await t.start(wid, task_queue={"name": queue})
        await t.error(name, t.complete(await t.poll(queue), made))
        t.value(f"{name}: task", await t.poll(queue))
