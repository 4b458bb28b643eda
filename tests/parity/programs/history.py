"""Reading history: paging, long polls, close-event filter, reverse, tokens."""

import asyncio

from ..harness.commands import complete, continue_as_new, fail, marker, seconds, timer
from ..harness.registry import program
from ..harness.session import Session

ALL, CLOSE = 1, 2
OTHER_RUN = "01234567-89ab-4def-8123-456789abcdef"


def get(t: Session, wid: str = "", run: str = "", **fields):
    return t.wait(t.rpc.GetWorkflowExecutionHistory(execution=t.execution(wid, run), **fields))


def reverse(t: Session, wid: str = "", run: str = "", **fields):
    return t.wait(
        t.rpc.GetWorkflowExecutionHistoryReverse(execution=t.execution(wid, run), **fields)
    )


async def long_workflow(t: Session) -> str:
    """Many transactions: 1 start, signals, a completion with markers."""
    run = await t.start()
    for number in range(10):
        await t.signal(f"s{number}")
    await t.step(*(marker(f"m{number}") for number in range(5)), complete())
    return run


async def pages(t: Session, name: str, read, size: int, **fields) -> None:
    """Reads page by page, and notes what must agree whatever a page's size means: the reference
    counts transactions (1 is a completion with all that it did, and the last page may be empty),
    Perdure events, as the API has it. Either way every event comes once and in order, and a page
    that has room for everything has no token. """
    token, ids, count = b"", [], 0
    while True:
        page = await read(t, maximum_page_size=size, next_page_token=token, **fields)
        count += 1
        ids += [event.event_id for event in page.history.events]
        token = page.next_page_token
        if not token:
            break
    t.value(name, {"ids": ids, "one page": count == 1})


@program
async def history_pages(t: Session):
    run = await long_workflow(t)
    for size in (1, 3, 7, 100):
        await pages(t, f"size {size}", get, size, run=run)


@program
async def history_pages_of_an_open_workflow(t: Session):
    """Once new events are awaited, there always is a token; otherwise reading comes to an end."""
    await t.start()
    await t.signal()
    await pages(t, "not waiting", get, 1)
    token, ids, tokens = b"", [], set()
    while not ids or ids[-1] < 3:
        page = await get(
            t, maximum_page_size=1, wait_new_event=True, next_page_token=token, _timeout=30
        )
        ids += [event.event_id for event in page.history.events]
        token = page.next_page_token
        tokens.add(bool(token))
    t.value("waiting", {"ids": ids, "always a token": tokens == {True}})


@program
async def history_reverse(t: Session):
    run = await long_workflow(t)
    for size in (1, 3, 7, 100):
        await pages(t, f"size {size}", reverse, size, run=run)
    t.value("full", await reverse(t))


@program
async def history_reverse_of_an_open_workflow(t: Session):
    await t.start()
    task = await t.poll()
    await t.signal("buffered")
    t.value("with a running task", await reverse(t))
    await t.fail_task(task)
    await t.fail_task(await t.poll())
    t.value("with a transient task", await reverse(t))


@program
async def history_awaits_new_events(t: Session):
    await t.start()
    first = await get(t, wait_new_event=True)
    t.value("first", first)
    waiting = asyncio.create_task(
        get(t, wait_new_event=True, next_page_token=first.next_page_token)
    )
    await t.signal("new")
    t.value("second", second := await waiting)
    waiting = asyncio.create_task(
        get(t, wait_new_event=True, next_page_token=second.next_page_token)
    )
    await t.step(complete())
    token, ids = b"", []
    page = await waiting
    while True:
        ids += [event.event_id for event in page.history.events]
        token = page.next_page_token
        if not token:
            break
        page = await get(t, wait_new_event=True, next_page_token=token)
    t.value("the rest", ids)


@program
async def history_long_poll_ends_empty(t: Session):
    """Nothing new within the poll: an empty page with a token."""
    await t.start()
    first = await get(t, wait_new_event=True)
    page = await get(t, wait_new_event=True, next_page_token=first.next_page_token, _timeout=30)
    t.value("empty", page)
    close = await get(t, wait_new_event=True, history_event_filter_type=CLOSE, _timeout=5)
    t.value("close event, short deadline", close)


@program
async def history_close_event(t: Session):
    run = await t.start()
    t.value("open, not waiting", await get(t, history_event_filter_type=CLOSE))
    waiting = asyncio.create_task(get(t, history_event_filter_type=CLOSE, wait_new_event=True))
    await t.step(complete("r"))
    page = await waiting
    while not page.history.events:
        page = await get(
            t,
            history_event_filter_type=CLOSE,
            wait_new_event=True,
            next_page_token=page.next_page_token,
        )
    t.value("waited", page)
    t.value("closed, waiting", await get(t, history_event_filter_type=CLOSE, wait_new_event=True))
    t.value("closed, not waiting", await get(t, run=run, history_event_filter_type=CLOSE))


@program
async def history_close_event_of_chains(t: Session):
    """Clients that do not follow runs by themselves get retry and cron closes as
    continue-as-new."""
    first = await t.start(retry_policy={"initial_interval": seconds(1)})
    await t.step(fail("x"))
    t.value("failed, old client", await get(t, run=first, history_event_filter_type=CLOSE))
    metadata = (("supported-features", "follows-next-run-id"),)
    t.value(
        "failed, new client",
        await get(t, run=first, history_event_filter_type=CLOSE, _metadata=metadata),
    )
    t.value("failed, all events", (await get(t, run=first)).history.events[-1])
    wid, queue = t.id("can"), t.id("tq-can")
    run = await t.start(wid, task_queue={"name": queue})
    await t.complete(await t.poll(queue), continue_as_new(queue))
    masked = ("history.events.0.*.backoff_start_interval",)
    t.value("continued", await get(t, wid, run, history_event_filter_type=CLOSE), mask=masked)
    cron = t.id("cron")
    run = await t.start(cron, task_queue={"name": t.id("tq-cron")}, cron_schedule="@every 1s")
    await t.complete(await t.poll(t.id("tq-cron")), complete("cron result"))
    t.value("cron, old client", await get(t, cron, run, history_event_filter_type=CLOSE))
    t.value(
        "cron, new client",
        await get(t, cron, run, history_event_filter_type=CLOSE, _metadata=metadata),
    )


@program
async def history_tokens_wrong(t: Session):
    run = await long_workflow(t)
    page = await get(t, run=run, maximum_page_size=2)
    token = page.next_page_token
    other = t.id("other")
    await t.start(other)
    await t.error("garbage", get(t, next_page_token=b"garbage"))
    await t.error("another run id", get(t, run=OTHER_RUN, next_page_token=token))
    await t.error("another workflow", get(t, other, next_page_token=token))
    rest = await get(t, next_page_token=token, maximum_page_size=2)
    t.value("no run id", rest.history.events[0].event_id - page.history.events[-1].event_id)
    await t.error("reverse, garbage", reverse(t, next_page_token=b"garbage"))
    await t.error("reverse, another run id", reverse(t, run=OTHER_RUN, next_page_token=token))


@program
async def history_targets(t: Session):
    await t.start()
    for name, call in (("forward", get), ("reverse", reverse)):
        await t.error(f"{name}: unknown workflow", call(t, t.id("nobody")))
        await t.error(f"{name}: unknown run", call(t, run=OTHER_RUN))
        await t.error(f"{name}: bad run id", call(t, run="no-uuid"))
        await t.error(f"{name}: long id", call(t, "x" * 1001))
        await t.error(f"{name}: unknown namespace", call(t, namespace="nowhere"))
        await t.error(f"{name}: negative page size", call(t, maximum_page_size=-1))
    await t.error("no execution", t.rpc.GetWorkflowExecutionHistory())
    await t.error("no workflow id", t.rpc.GetWorkflowExecutionHistory(execution={}))
    await t.error("reverse: no execution", t.rpc.GetWorkflowExecutionHistoryReverse())
    await t.error("skip archival", get(t, skip_archival=True))


@program
async def history_of_earlier_runs(t: Session):
    first = await t.start()
    await t.step(continue_as_new(t.tq))
    second = await t.poll()
    masked = (
        "history.events.0.*.first_workflow_task_backoff",
        "history.events.*.*.backoff_start_interval",
    )
    t.value("first", await get(t, run=first), mask=masked)
    t.value("current", await get(t), mask=masked)
    t.value("second", await get(t, run=second.workflow_execution.run_id), mask=masked)


@program
async def describe_targets(t: Session):
    await t.start()
    for name, execution in {
        "unknown workflow": t.execution(t.id("nobody")),
        "unknown run": t.execution(run=OTHER_RUN),
        "bad run id": t.execution(run="no-uuid"),
        "no workflow id": {},
        "long id": t.execution("x" * 1001),
    }.items():
        await t.error(name, t.rpc.DescribeWorkflowExecution(execution=execution))
    await t.error("no execution", t.rpc.DescribeWorkflowExecution())
    await t.error(
        "unknown namespace",
        t.rpc.DescribeWorkflowExecution(namespace="nowhere", execution=t.execution()),
    )


@program
async def describe_the_workflow_task(t: Session):
    """The pending workflow task: scheduled, started, retried, none."""
    await t.start()
    await t.describe("scheduled")
    task = await t.poll()
    await t.describe("started")
    await t.fail_task(task)
    await t.describe("second attempt scheduled")
    task = await t.poll()
    await t.describe("second attempt started")
    await t.complete(task, timer("t", 3600))
    await t.describe("none")
