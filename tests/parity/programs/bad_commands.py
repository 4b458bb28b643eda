"""Bad command attributes: the cause and text of the failed workflow task, the error that the worker
gets."""

from ..harness.commands import (
    activity,
    cancel_activity,
    cancel_timer,
    command,
    complete,
    continue_as_new,
    failure,
    keyword,
    marker,
    modify_memo,
    payload,
    payloads,
    seconds,
    timer,
    upsert,
)
from ..harness.registry import program
from ..harness.session import Session

LONG = "x" * 1001
MEBI = 1 << 20


async def each(t: Session, cases: dict, before: tuple = ()) -> None:
    """For every case: a fresh workflow, its commands in one completion, the error, the history it
    leaves."""
    for number, (name, commands) in enumerate(cases.items()):
        wid, queue = t.id(f"case{number}"), t.id(f"tq{number}")
        run = await t.start(wid, task_queue={"name": queue})
        if before:
            await t.complete(await t.poll(queue), *before, force_create_new_workflow_task=True)
        task = await t.poll(queue)
        await t.error(name, t.complete(task, *commands))
        await t.history(f"{name}: history", wid, run)
        await t.terminate(wid) if not await is_closed(t, wid) else None


async def is_closed(t: Session, wid: str) -> bool:
    described = await t.rpc.DescribeWorkflowExecution(execution=t.execution(wid))
    return described.workflow_execution_info.status != 1


@program
async def bad_activity_names(t: Session):
    await each(t, {
        "no attributes": [command("SCHEDULE_ACTIVITY_TASK")],
        "no activity id": [activity("", t.tq)],
        "long activity id": [activity(LONG, t.tq)],
        "no type": [activity("a", t.tq, "")],
        "long type": [activity("a", t.tq, LONG)],
        "no queue": [activity("a", "")],
        "long queue": [activity("a", LONG)],
        "reserved queue": [activity("a", "/_sys/q")],
        "duplicate id in one completion": [activity("a", t.tq), activity("a", t.tq)],
        "good and bad": [marker("kept?"), timer("t", 100), activity("", t.tq)],
    })


@program
async def bad_activity_timeouts(t: Session):
    await each(
        t,
        {
            "none": [activity("a", t.tq, start_to_close_timeout=None)],
            "only schedule to start": [
                activity(
                    "a", t.tq, start_to_close_timeout=None, schedule_to_start_timeout=seconds(5)
                )
            ],
            "zero": [activity("a", t.tq, start_to_close_timeout=seconds(0))],
            "negative start to close": [activity("a", t.tq, start_to_close_timeout=seconds(-1))],
            "negative schedule to close": [
                activity("a", t.tq, schedule_to_close_timeout=seconds(-1))
            ],
            "negative schedule to start": [
                activity("a", t.tq, schedule_to_start_timeout=seconds(-1))
            ],
            "negative heartbeat": [activity("a", t.tq, heartbeat_timeout=seconds(-1))],
            "invalid duration": [
                activity("a", t.tq, start_to_close_timeout={"seconds": 1, "nanos": -5})
            ],
            "too long": [activity("a", t.tq, start_to_close_timeout={"seconds": 1 << 40})],
        },
    )


@program
async def activity_timeouts_are_deduced(t: Session):
    await each(
        t,
        {
            "start to close": [activity("a", t.tq, start_to_close_timeout=seconds(5))],
            "schedule to close": [
                activity(
                    "a", t.tq, start_to_close_timeout=None, schedule_to_close_timeout=seconds(5)
                )
            ],
            "both": [
                activity(
                    "a",
                    t.tq,
                    start_to_close_timeout=seconds(9),
                    schedule_to_close_timeout=seconds(5),
                )
            ],
            "schedule to start above": [
                activity(
                    "a",
                    t.tq,
                    schedule_to_start_timeout=seconds(60),
                    schedule_to_close_timeout=seconds(5),
                )
            ],
            "heartbeat above": [
                activity(
                    "a", t.tq, start_to_close_timeout=seconds(5), heartbeat_timeout=seconds(60)
                )
            ],
            "schedule to start only smaller": [
                activity("a", t.tq, schedule_to_start_timeout=seconds(2))
            ],
        },
    )


@program
async def activity_timeouts_are_capped_by_the_run(t: Session):
    await t.start(workflow_run_timeout=seconds(20))
    await t.step(
        activity("a", t.tq, start_to_close_timeout=seconds(500), heartbeat_timeout=seconds(400)),
        activity(
            "b",
            t.tq,
            schedule_to_close_timeout=seconds(500),
            schedule_to_start_timeout=seconds(400),
        ),
    )
    await t.history()


@program
async def bad_activity_retry_policies(t: Session):
    def policy(**fields):
        return [activity("a", t.tq, retry_policy=fields)]

    await each(t, {
        "negative initial": policy(initial_interval=seconds(-1)),
        "coefficient below one": policy(backoff_coefficient=0.5),
        "negative maximum": policy(maximum_interval=seconds(-1)),
        "maximum below initial": policy(initial_interval=seconds(5), maximum_interval=seconds(2)),
        "negative attempts": policy(maximum_attempts=-1),
        "timeout type": policy(non_retryable_error_types=["TemporalTimeout:StartToClose"]),
        "bad timeout type": policy(non_retryable_error_types=["TemporalTimeout:Nonsense"]),
        "empty policy": policy(),
        "only attempts": policy(maximum_attempts=5),
    })


@program
async def bad_activity_options(t: Session):
    await each(
        t,
        {
            "priority too high": [activity("a", t.tq, priority={"priority_key": 99})],
            "negative priority": [activity("a", t.tq, priority={"priority_key": -1})],
            "long fairness key": [activity("a", t.tq, priority={"fairness_key": "k" * 100})],
            "priority": [
                activity(
                    "a",
                    t.tq,
                    priority={"priority_key": 1, "fairness_key": "k", "fairness_weight": 2},
                )
            ],
            "header": [activity("a", t.tq, header={"fields": {"h": payload(1)}})],
        },
    )


@program
async def bad_timers(t: Session):
    await each(t, {
        "no attributes": [command("START_TIMER")],
        "no id": [timer("", 1)],
        "long id": [timer(LONG, 1)],
        "negative": [timer("t", -1)],
        "duplicate": [timer("t", 100), timer("t", 100)],
        "cancel without attributes": [command("CANCEL_TIMER")],
        "cancel no id": [cancel_timer("")],
        "cancel long id": [cancel_timer(LONG)],
        "cancel unknown": [cancel_timer("nobody")],
        "cancel and start again": [timer("t", 100), cancel_timer("t"), timer("t", 200)],
    })


@program
async def duplicate_ids_of_earlier_tasks(t: Session):
    before = (timer("t", 3600), activity("a", t.id("nobody")))
    await each(t, {"timer": [timer("t", 1)], "activity": [activity("a", t.tq)]}, before)


@program
async def bad_activity_cancels(t: Session):
    before = (activity("a", t.id("nobody")), timer("t", 3600))
    await each(t, {
        "no attributes": [command("REQUEST_CANCEL_ACTIVITY_TASK")],
        "zero": [cancel_activity(0)],
        "unknown": [cancel_activity(77)],
        "a timer's event": [cancel_activity(6)],
        "negative": [cancel_activity(-5)],
        "twice": [cancel_activity(5), cancel_activity(5)],
    }, before)


@program
async def bad_markers(t: Session):
    await each(
        t,
        {
            "no attributes": [command("RECORD_MARKER")],
            "no name": [marker("")],
            "long name": [marker(LONG)],
            "everything": [
                marker(
                    "m",
                    details={"a": payloads(1), "b": payloads("x", 2)},
                    header={"fields": {"h": payload(1)}},
                    failure=failure("inside"),
                )
            ],
        },
    )


@program
async def bad_closes(t: Session):
    await each(
        t,
        {
            "complete without attributes": [command("COMPLETE_WORKFLOW_EXECUTION")],
            "fail without attributes": [command("FAIL_WORKFLOW_EXECUTION")],
            "fail without failure": [command("FAIL_WORKFLOW_EXECUTION", {})],
            "cancel without attributes": [command("CANCEL_WORKFLOW_EXECUTION")],
            "cancel without request": [
                command("CANCEL_WORKFLOW_EXECUTION", {"details": payloads("d")})
            ],
            "two closes": [complete(), complete()],
        },
    )


@program
async def bad_continue_as_new(t: Session):
    await each(
        t,
        {
            "no attributes": [command("CONTINUE_AS_NEW_WORKFLOW_EXECUTION")],
            "long type": [continue_as_new(t.tq, LONG)],
            "long queue": [continue_as_new(LONG)],
            "negative run timeout": [continue_as_new(t.tq, workflow_run_timeout=seconds(-1))],
            "negative task timeout": [continue_as_new(t.tq, workflow_task_timeout=seconds(-1))],
            "negative backoff": [continue_as_new(t.tq, backoff_start_interval=seconds(-1))],
            "bad retry policy": [continue_as_new(t.tq, retry_policy={"backoff_coefficient": 0.1})],
            "bad cron": [continue_as_new(t.tq, cron_schedule="never")],
            "unknown search attribute": [
                continue_as_new(
                    t.tq, search_attributes={"indexed_fields": {"NoSuchAttribute": keyword("x")}}
                )
            ],
        },
    )


@program
async def bad_search_attributes(t: Session):
    await each(
        t,
        {
            "no attributes": [command("UPSERT_WORKFLOW_SEARCH_ATTRIBUTES")],
            "no fields": [upsert()],
            "unknown": [upsert(NoSuchAttribute=keyword("x"))],
            "system": [upsert(WorkflowId=keyword("x"))],
            "wrong type": [upsert(BatcherUser=keyword(7, "Int"))],
            "wrong type, no metadata": [upsert(TemporalSchedulePaused=payload("text"))],
            "not json": [
                upsert(BatcherUser={"metadata": {"encoding": b"json/plain"}, "data": b"{"})
            ],
            "long value": [upsert(BatcherUser=keyword("v" * 2100))],
            "too much in all": [
                upsert(TemporalChangeVersion=keyword(["v" * 2000] * 25, "KeywordList"))
            ],
            "list": [upsert(TemporalChangeVersion=keyword(["a", "b"], "KeywordList"))],
        },
    )


@program
async def bad_memo_changes(t: Session):
    await each(t, {
        "no attributes": [command("MODIFY_WORKFLOW_PROPERTIES")],
        "no memo": [command("MODIFY_WORKFLOW_PROPERTIES", {})],
        "no fields": [modify_memo()],
        "too large": [modify_memo(m=payload("x" * (2 * MEBI + 10)))],
    })


@program
async def too_large_payloads_in_commands(t: Session):
    """What is over 2 MiB terminates the workflow, except where only the task fails."""
    big = payloads("x" * (2 * MEBI + 10))
    await each(
        t,
        {
            "activity input": [activity("a", t.tq, input=big)],
            "activity header": [activity("a", t.tq, header={"fields": {"h": big.payloads[0]}})],
            "marker": [marker("m", details={"d": big})],
            "result": [command("COMPLETE_WORKFLOW_EXECUTION", {"result": big})],
            "failure": [
                command("FAIL_WORKFLOW_EXECUTION", {"failure": failure("x" * (2 * MEBI + 10))})
            ],
            "continue as new": [continue_as_new(t.tq, input=big)],
            "search attribute": [upsert(BatcherUser=big.payloads[0])],
        },
    )


@program
async def bad_command_on_a_second_attempt(t: Session):
    """On a transient task the worker gets the error, but nothing is written; the task must time
    out."""
    await t.start(workflow_task_timeout=seconds(4))
    task = await t.poll()
    await t.error("first", t.complete(task, timer("", 1)))
    task = await t.poll()
    await t.error("second", t.complete(task, timer("", 1)))
    await t.history("after the second")
    await t.describe("described after the second")
    task = await t.poll()
    t.value("third", task)
    await t.complete(task, complete())
    await t.history()


@program
async def bad_user_metadata(t: Session):
    await each(t, {
        "long summary": [timer("t", 100, user_metadata={"summary": payload("s" * 500)})],
        "long details": [timer("t", 100, user_metadata={"details": payload("s" * 30000)})],
        "good": [
            timer("t", 100, user_metadata={"summary": payload("s"), "details": payload("d")}),
            activity("a", t.tq),
        ],
        "on a close": [complete(user_metadata={"summary": payload("s")})],
    })
