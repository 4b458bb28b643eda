"""StartWorkflowExecution: everything it stores, ids and their reuse, deduplication, delay, eager
start."""

import asyncio

from ..harness.commands import (
    activity,
    cancel,
    complete,
    continue_as_new,
    fail,
    keyword,
    payload,
    payloads,
    seconds,
)
from ..harness.registry import program
from ..harness.session import Session
from temporalio.api.enums.v1 import WorkflowIdConflictPolicy, WorkflowIdReusePolicy


def reuse(name: str) -> int:
    return WorkflowIdReusePolicy.Value(f"WORKFLOW_ID_REUSE_POLICY_{name}")


def conflict(name: str) -> int:
    return WorkflowIdConflictPolicy.Value(f"WORKFLOW_ID_CONFLICT_POLICY_{name}")


@program
async def start_minimal(t: Session):
    t.value("response", await t.start_response())
    await t.history()
    await t.describe()


@program
async def start_with_everything(t: Session):
    response = await t.start_response(
        input=payloads("in", {"n": 1}),
        workflow_execution_timeout=seconds(600),
        workflow_run_timeout=seconds(300),
        workflow_task_timeout=seconds(7),
        request_id="request-one",
        retry_policy={
            "maximum_attempts": 3,
            "initial_interval": seconds(2),
            "backoff_coefficient": 1.5,
        },
        memo={"fields": {"m": payload("memo"), "empty": payload(None)}},
        header={"fields": {"h": payload("header")}},
        search_attributes={"indexed_fields": {"BatcherUser": keyword("someone")}},
        user_metadata={"summary": payload("summary"), "details": payload("details")},
        priority={"priority_key": 2, "fairness_key": "k", "fairness_weight": 2.5},
        links=[
            {
                "workflow_event": {
                    "namespace": "default",
                    "workflow_id": "caller",
                    "run_id": "caller-run",
                    "event_ref": {"event_id": 5, "event_type": 10},
                }
            }
        ],
        identity="the starter",
    )
    t.value("response", response)
    t.value("task", await t.poll())
    await t.history()
    await t.describe()


@program
async def start_defaults_and_caps(t: Session):
    """Timeouts that the server derives: run from execution timeout, task timeout capped by run
    timeout and by 120 s."""
    cases = {
        "execution only": {"workflow_execution_timeout": seconds(60)},
        "run above execution": {
            "workflow_execution_timeout": seconds(60),
            "workflow_run_timeout": seconds(90),
        },
        "task above run": {
            "workflow_run_timeout": seconds(5),
            "workflow_task_timeout": seconds(50),
        },
        "task above cap": {"workflow_task_timeout": seconds(500)},
        "task default above run": {"workflow_run_timeout": seconds(4)},
        "retry defaults": {"retry_policy": {}},
        "retry partial": {"retry_policy": {"initial_interval": seconds(3)}},
        "huge": {"workflow_execution_timeout": seconds(86400 * 36500)},
    }
    for name, fields in cases.items():
        wid = t.id(name.replace(" ", "-"))
        await t.start(wid, **fields)
        await t.history(f"{name}: history", wid)
        await t.describe(f"{name}: describe", wid)


@program
async def start_same_request_id(t: Session):
    """The same request id is the same start: while running, after a task, and after the close."""
    t.value("first", await t.start_response(request_id="same"))
    t.value("again", await t.start_response(request_id="same"))
    await t.step()
    t.value("after a task", await t.start_response(request_id="same"))
    await t.signal()
    await t.step(complete())
    t.value("after the close", await t.start_response(request_id="same"))
    await t.history()


@program
async def start_already_running(t: Session):
    await t.start(request_id="first-request")
    await t.error("default", t.start())
    await t.error("fail", t.start(workflow_id_conflict_policy=conflict("FAIL")))
    await t.error("reject duplicate", t.start(workflow_id_reuse_policy=reuse("REJECT_DUPLICATE")))
    await t.error(
        "failed only", t.start(workflow_id_reuse_policy=reuse("ALLOW_DUPLICATE_FAILED_ONLY"))
    )
    await t.history()


@program
async def conflict_use_existing(t: Session):
    await t.start(request_id="first-request")
    use = conflict("USE_EXISTING")
    t.value("plain", await t.start_response(request_id="second", workflow_id_conflict_policy=use))
    options = {"attach_request_id": True, "attach_links": True}
    link = {"workflow_event": {"namespace": "default", "workflow_id": "w", "run_id": "r",
                               "event_ref": {"event_id": 1, "event_type": 1}}}
    attached = await t.start_response(
        request_id="third",
        workflow_id_conflict_policy=use,
        on_conflict_options=options,
        links=[link],
    )
    t.value("attached", attached)
    again = await t.start_response(
        request_id="third",
        workflow_id_conflict_policy=use,
        on_conflict_options=options,
        links=[link],
    )
    t.value("attached again", again)
    await t.history()
    await t.describe()


@program
async def conflict_use_existing_during_task(t: Session):
    """Attaching a request id while a workflow task runs buffers the event."""
    await t.start(request_id="first-request")
    task = await t.poll()
    attached = await t.start_response(
        request_id="third",
        workflow_id_conflict_policy=conflict("USE_EXISTING"),
        on_conflict_options={"attach_request_id": True},
    )
    t.value("attached", attached)
    await t.describe("while buffered")
    await t.complete(task)
    await t.history()
    await t.describe("afterwards")


@program
async def conflict_terminate_existing(t: Session):
    first = await t.start()
    await t.step()
    terminate = conflict("TERMINATE_EXISTING")
    second = await start_when_allowed(t, workflow_id_conflict_policy=terminate)
    t.value("second", second)
    await t.history("first history", run=first)
    await t.history("second history", run=second.run_id)
    await t.describe("first describe", run=first)
    await t.describe("second describe")


@program
async def conflict_terminate_existing_during_task(t: Session):
    """The running workflow task fails with FORCE_CLOSE_COMMAND; a buffered signal is flushed before
    the close."""
    first = await t.start()
    task = await t.poll()
    await t.signal("buffered")
    await start_when_allowed(t, workflow_id_conflict_policy=conflict("TERMINATE_EXISTING"))
    await t.error("stale completion", t.complete(task))
    await t.history("first history", run=first)
    await t.history("second history")


@program
async def reuse_terminate_if_running(t: Session):
    first = await t.start()
    second = await start_when_allowed(t, workflow_id_reuse_policy=reuse("TERMINATE_IF_RUNNING"))
    t.value("second", second)
    await t.history("first history", run=first)
    await t.terminate()
    third = await start_when_allowed(t, workflow_id_reuse_policy=reuse("TERMINATE_IF_RUNNING"))
    t.value("third", third)
    await t.history("third history")


@program
async def conflict_and_reuse_policies_that_do_not_fit(t: Session):
    for first in (
        "ALLOW_DUPLICATE",
        "ALLOW_DUPLICATE_FAILED_ONLY",
        "REJECT_DUPLICATE",
        "TERMINATE_IF_RUNNING",
    ):
        for second in ("FAIL", "USE_EXISTING", "TERMINATE_EXISTING"):
            wid = t.id(f"{first}-{second}")
            call = t.start_response(
                wid,
                workflow_id_reuse_policy=reuse(first),
                workflow_id_conflict_policy=conflict(second),
            )
            await t.error(f"{first} {second}", call)


async def start_when_allowed(t: Session, wid: str = "", **fields):
    """Starts again, waiting while the server finds the id reused too soon after the previous
    start."""

    async def attempt():
        try:
            return await t.start_response(wid, **fields)
        except Exception as failed:
            if "Too many" not in str(failed):
                raise
            return None

    return await t.until(attempt, "permission to start again")


async def close_as(t: Session, status: str, wid: str) -> None:
    """Starts a workflow and brings it into a closed status."""
    queue = t.id(f"tq-{wid}")
    if status == "TIMED_OUT":
        await t.start(wid, workflow_run_timeout=seconds(1))
        await t.closed(wid)
        return
    await t.start(wid, task_queue={"name": queue})
    if status == "TERMINATED":
        await t.terminate(wid)
        return
    if status == "CANCELED":
        await t.request_cancel(wid)
    commands = {"COMPLETED": complete("r"), "FAILED": fail(), "CANCELED": cancel("d")}
    await t.complete(await t.poll(queue), commands[status])


async def reuse_after(t: Session, policy: str) -> None:
    async def one(status: str):
        wid = t.id(status)
        await close_as(t, status, wid)
        failed_or_response = None
        try:
            failed_or_response = await start_when_allowed(
                t, wid, workflow_id_reuse_policy=reuse(policy)
            )
        except Exception as failed:
            failed_or_response = failed
        return status, failed_or_response

    statuses = ("COMPLETED", "FAILED", "CANCELED", "TERMINATED", "TIMED_OUT")
    for status, outcome in await asyncio.gather(*(one(status) for status in statuses)):
        t.value(status, outcome)
        await t.history(f"{status}: current run", t.id(status))


@program
async def reuse_allow_duplicate(t: Session):
    await reuse_after(t, "ALLOW_DUPLICATE")


@program
async def reuse_failed_only(t: Session):
    await reuse_after(t, "ALLOW_DUPLICATE_FAILED_ONLY")


@program
async def reuse_reject_duplicate(t: Session):
    await reuse_after(t, "REJECT_DUPLICATE")


@program
async def conflict_policies_after_close(t: Session):
    """A conflict policy does not matter when nothing runs."""
    for policy in ("USE_EXISTING", "TERMINATE_EXISTING", "FAIL"):
        wid = t.id(policy)
        await close_as(t, "COMPLETED", wid)
        t.value(
            policy, await start_when_allowed(t, wid, workflow_id_conflict_policy=conflict(policy))
        )


@program
async def start_again_too_soon(t: Session):
    """Within a second of the previous start."""
    await t.start()
    await t.terminate()
    await t.error("terminated", t.start())
    wid = t.id("running")
    await t.start(wid)
    await t.error(
        "running", t.start(wid, workflow_id_conflict_policy=conflict("TERMINATE_EXISTING"))
    )


@program
async def start_delay(t: Session):
    await t.start(workflow_start_delay=seconds(4))
    await t.history("before")
    await t.describe("describe before")
    t.value("task", await t.poll())
    await t.history("after")


@program
async def start_delay_and_signal(t: Session):
    """A plain signal during the delay does not schedule a task; a signal-with-start does."""
    await t.start(workflow_start_delay=seconds(3))
    await t.signal("early")
    await t.history("after the signal")
    t.value("task", await t.poll())
    wid = t.id("with-start")
    await t.start(wid, workflow_start_delay=seconds(3600))
    response = await t.rpc.SignalWithStartWorkflowExecution(
        workflow_id=wid,
        workflow_type={"name": "W"},
        task_queue={"name": t.tq},
        signal_name="s",
        request_id="r",
    )
    t.value("signal with start", response)
    await t.history("after signal with start", wid)


@program
async def start_delay_and_cancel(t: Session):
    await t.start(workflow_start_delay=seconds(3600))
    await t.request_cancel()
    await t.history("after the request")
    await t.terminate()
    await t.history("after terminate")
    await t.describe()


@program
async def signal_with_start_delay(t: Session):
    response = await t.rpc.SignalWithStartWorkflowExecution(
        workflow_id=t.wid,
        workflow_type={"name": "W"},
        task_queue={"name": t.tq},
        signal_name="s",
        request_id="r",
        workflow_start_delay=seconds(1),
    )
    t.started.append((t.wid, response.run_id))
    t.value("response", response)
    await t.history("before")
    t.value("task", await t.poll())


@program
async def eager_start(t: Session):
    response = await t.start_response(
        request_eager_execution=True, request_id="eager", input=payloads(1)
    )
    t.value("response", response)
    t.value(
        "again",
        await t.start_response(request_eager_execution=True, request_id="eager", input=payloads(1)),
    )
    await t.complete(response.eager_workflow_task, activity("a", t.tq))
    t.value(
        "after a task", await t.start_response(request_eager_execution=True, request_id="eager")
    )
    await t.history()


@program
async def eager_start_refused(t: Session):
    """With a delay or a cron schedule the start succeeds, but without a task."""
    delayed = await t.start_response(
        request_eager_execution=True, workflow_start_delay=seconds(3600)
    )
    t.value("delayed", delayed)
    await t.history("delayed history")
    wid = t.id("cron")
    t.value(
        "cron", await t.start_response(wid, request_eager_execution=True, cron_schedule="0 0 1 1 *")
    )
    await t.history("cron history", wid, mask=("0.*.first_workflow_task_backoff",))


@program
async def eager_start_task_fails(t: Session):
    response = await t.start_response(request_eager_execution=True)
    await t.fail_task(response.eager_workflow_task)
    task = await t.poll()
    t.value("task", task)
    await t.complete(task, complete())
    await t.history()


@program
async def eager_start_task_times_out(t: Session):
    response = await t.start_response(
        request_eager_execution=True, workflow_task_timeout=seconds(4)
    )
    task = await t.poll()
    t.value("task", task)
    await t.error("late", t.complete(response.eager_workflow_task))
    await t.complete(task, complete())
    await t.history()


@program
async def start_custom_search_attributes(t: Session):
    """Attributes of the test's own, registered first."""
    types = {
        "ParityKeyword": 2,
        "ParityInt": 3,
        "ParityDouble": 4,
        "ParityBool": 5,
        "ParityText": 1,
    }
    try:
        await t.operator.AddSearchAttributes(search_attributes=types)
    except Exception as failed:
        if "exist" not in str(failed):
            raise
    values = {
        "ParityKeyword": "k",
        "ParityInt": 7,
        "ParityDouble": 1.5,
        "ParityBool": True,
        "ParityText": "some text",
    }

    async def usable():
        try:
            fields = {name: payload(value) for name, value in values.items()}
            return await t.start(search_attributes={"indexed_fields": fields})
        except Exception as failed:
            if "no mapping" not in str(failed) and "not defined" not in str(failed):
                raise
            return None

    await t.until(usable, "the new search attributes")
    await t.history()
    await t.describe()


@program
async def start_continues_a_failure(t: Session):
    """The fields that schedules use: last completion result and continued failure."""
    run = await t.start(
        last_completion_result=payloads("last"), continued_failure={"message": "before"}
    )
    await t.history(run=run)


@program
async def start_after_continue_as_new_same_request(t: Session):
    """The request id of a chain's start is forgotten once the first run has continued as new."""
    t.value("start", await t.start_response(request_id="chain"))
    await t.step(continue_as_new(t.tq))
    await t.error("again", t.start(request_id="chain"))
    await t.error("another request", t.start(request_id="another"))
