"""Activities completed by ID or token: right ones, wrong ones, results that are too large."""

from ..harness.commands import activity, cancel_activity, failure, payloads
from ..harness.registry import program
from ..harness.session import Session
from .activities import QUICK


@program
async def activity_by_id(t: Session):
    """Completing, failing, cancelling and heartbeating by workflow and activity id."""
    run = await t.start()
    await t.step(
        *(
            activity(name, t.tq, retry_policy=QUICK)
            for name in ("done", "failed", "canceled", "named run")
        )
    )
    for _ in range(4):
        await t.poll_activity()
    where = {"workflow_id": t.wid}
    beat = t.rpc.RecordActivityTaskHeartbeatById(
        activity_id="done", details=payloads("beat"), **where
    )
    t.value("heartbeat", await beat)
    await t.describe("described after heartbeat", mask=("pending_activities",))
    await t.rpc.RespondActivityTaskCompletedById(
        activity_id="done", result=payloads("by id"), **where
    )
    await t.rpc.RespondActivityTaskFailedById(
        activity_id="failed",
        failure=failure("by id", non_retryable=True),
        last_heartbeat_details=payloads("last"),
        **where,
    )
    await t.error(
        "not asked", t.rpc.RespondActivityTaskCanceledById(activity_id="canceled", **where)
    )
    canceled = [event for event in await t.events() if event.event_type == 10][2]
    await t.step(cancel_activity(canceled.event_id))
    t.value("asked", await t.rpc.RecordActivityTaskHeartbeatById(activity_id="canceled", **where))
    await t.rpc.RespondActivityTaskCanceledById(
        activity_id="canceled", details=payloads("c"), **where
    )
    await t.rpc.RespondActivityTaskCompletedById(activity_id="named run", run_id=run, **where)
    await t.history()


@program
async def activity_by_id_wrong(t: Session):
    await t.start()
    await t.step(activity("a", t.tq))
    calls = {
        "complete": t.rpc.RespondActivityTaskCompletedById,
        "fail": t.rpc.RespondActivityTaskFailedById,
        "cancel": t.rpc.RespondActivityTaskCanceledById,
        "heartbeat": t.rpc.RecordActivityTaskHeartbeatById,
    }
    other_run = "01234567-89ab-4def-8123-456789abcdef"
    for name, call in calls.items():
        await t.error(f"{name}: no workflow id", call(activity_id="a"))
        await t.error(f"{name}: no activity id", call(workflow_id=t.wid))
        await t.error(
            f"{name}: unknown workflow", call(workflow_id=t.id("nobody"), activity_id="a")
        )
        await t.error(
            f"{name}: unknown run", call(workflow_id=t.wid, run_id=other_run, activity_id="a")
        )
        await t.error(
            f"{name}: bad run id", call(workflow_id=t.wid, run_id="no-uuid", activity_id="a")
        )
        await t.error(f"{name}: unknown activity", call(workflow_id=t.wid, activity_id="nobody"))
        await t.error(
            f"{name}: unknown namespace",
            call(namespace="nowhere", workflow_id=t.wid, activity_id="a"),
        )
        await t.error(f"{name}: not started", call(workflow_id=t.wid, activity_id="a"))
    await t.terminate()
    for name, call in calls.items():
        await t.error(f"{name}: closed", call(workflow_id=t.wid, activity_id="a"))
    await t.history()


@program
async def activity_tokens_wrong(t: Session):
    await t.start()
    await t.step(activity("a", t.tq, retry_policy=QUICK), activity("b", t.tq))
    tasks = [await t.poll_activity(), await t.poll_activity()]
    first = next(task for task in tasks if task.activity_id == "a")
    other = next(task for task in tasks if task.activity_id == "b")
    calls = {
        "complete": t.rpc.RespondActivityTaskCompleted,
        "fail": t.rpc.RespondActivityTaskFailed,
        "cancel": t.rpc.RespondActivityTaskCanceled,
        "heartbeat": t.rpc.RecordActivityTaskHeartbeat,
    }
    for name, call in calls.items():
        await t.error(f"{name}: empty", call(task_token=b""))
        await t.error(f"{name}: garbage", call(task_token=b"garbage"))
        await t.error(
            f"{name}: other namespace", call(namespace="nowhere", task_token=first.task_token)
        )
    await t.fail_activity(first)
    second = await t.poll_activity()
    for name, call in calls.items():
        await t.error(f"{name}: previous attempt", call(task_token=first.task_token))
    await t.complete_activity(second)
    for name, call in calls.items():
        await t.error(f"{name}: completed", call(task_token=second.task_token))
    await t.terminate()
    for name, call in calls.items():
        await t.error(f"{name}: closed workflow", call(task_token=other.task_token))


@program
async def workflow_token_for_an_activity(t: Session):
    """Tokens of one kind used for the other."""
    await t.start()
    task = await t.poll()
    await t.error("workflow token", t.complete_activity(task))
    await t.complete(task, activity("a", t.tq))
    activity_task = await t.poll_activity()
    await t.error("activity token", t.complete(activity_task))
    await t.error("query", t.rpc.RespondQueryTaskCompleted(task_token=activity_task.task_token))


@program
async def activity_result_too_large(t: Session):
    await t.start()
    big = "x" * (2 * (1 << 20) + 10)
    await t.step(
        *(
            activity(name, t.tq, retry_policy=QUICK)
            for name in ("result", "failure", "cancel", "beat")
        )
    )
    tasks = {task.activity_id: task for task in [await t.poll_activity() for _ in range(4)]}
    await t.error("result", t.complete_activity(tasks["result"], big))
    await t.error("failure", t.fail_activity(tasks["failure"], failure(big, non_retryable=True)))
    await t.error("heartbeat", t.heartbeat(tasks["beat"], big))
    await t.history("after result, failure and heartbeat")
    task = await t.poll()
    scheduled = next(
        event.event_id for event in await t.events()
        if event.activity_task_scheduled_event_attributes.activity_id == "cancel"
    )
    await t.complete(task, cancel_activity(scheduled))
    cancel = t.rpc.RespondActivityTaskCanceled(
        task_token=tasks["cancel"].task_token, details=payloads(big)
    )
    await t.error("cancel", cancel)
    await t.history()


@program
async def activity_failure_is_truncated_in_state(t: Session):
    """Describe shows at most 4 KiB of the last failure; the closing event has all of it."""
    await t.start()
    await t.step(activity("a", t.tq, retry_policy={**QUICK, "maximum_attempts": 2}))
    long = failure("m" * 6000, details=payloads("d" * 6000))
    await t.fail_activity(await t.poll_activity(), long)
    t.value("second attempt", task := await t.poll_activity())
    await t.describe()
    await t.fail_activity(task, long)
    await t.history()
