"""Activities: attempts, timeouts, heartbeats, cancellation, eager dispatch, completion by token and
by id."""

import asyncio

from ..harness.commands import (
    activity,
    cancel_activity,
    complete,
    failure,
    payload,
    payloads,
    seconds,
)
from ..harness.registry import program
from ..harness.session import Session

QUICK = {"initial_interval": seconds(0.1), "backoff_coefficient": 1.0}


@program
async def activity_completes(t: Session):
    await t.start()
    await t.step(
        activity(
            "a",
            t.tq,
            "Type",
            input=payloads("in", 1),
            header={"fields": {"h": payload("header")}},
            heartbeat_timeout=seconds(9),
            schedule_to_close_timeout=seconds(60),
            schedule_to_start_timeout=seconds(50),
            priority={"priority_key": 2},
            retry_policy={"maximum_attempts": 3, "non_retryable_error_types": ["T"]},
        )
    )
    await t.history("scheduled")
    await t.describe("described scheduled")
    t.value("activity task", task := await t.poll_activity())
    await t.history("started: nothing new")
    await t.describe("described started")
    t.value("completion", await t.complete_activity(task, "result", identity="completer"))
    t.value("workflow task", await t.poll())
    await t.history()
    await t.describe("described at the end")


@program
async def activity_default_retry_policy(t: Session):
    await t.start()
    await t.step(activity("a", t.tq))
    t.value("task", await t.poll_activity())
    await t.history()


@program
async def activity_on_another_queue(t: Session):
    await t.start()
    other = t.id("other")
    await t.step(activity("a", other))
    t.value("task", task := await t.poll_activity(other))
    await t.complete_activity(task)
    await t.history()


@program
async def activity_retried_until_it_succeeds(t: Session):
    await t.start()
    await t.step(activity("a", t.tq, retry_policy={**QUICK, "maximum_attempts": 5}))
    for attempt in (1, 2):
        task = await t.poll_activity()
        t.value(f"attempt {attempt}", task)
        t.value(
            f"failed {attempt}",
            await t.fail_activity(task, failure(f"no {attempt}"), identity="w2"),
        )
    t.value("attempt 3", task := await t.poll_activity())
    await t.describe("described in attempt 3")
    await t.complete_activity(task, "yes")
    await t.history()


@program
async def activity_waits_for_its_retry(t: Session):
    """Describe while the backoff runs: state, attempt, last failure, interval, next attempt's
    time."""
    await t.start()
    await t.step(
        activity(
            "a", t.tq, retry_policy={"initial_interval": seconds(50), "backoff_coefficient": 3}
        )
    )
    await t.fail_activity(
        await t.poll_activity(), failure("first", details=payloads("d")), identity="the worker"
    )
    await t.describe()
    await t.history()


@program
async def activity_retry_intervals(t: Session):
    """The interval grows by the coefficient up to the maximum."""
    await t.start()
    policy = {
        "initial_interval": seconds(3),
        "backoff_coefficient": 1.2,
        "maximum_interval": seconds(4),
    }
    await t.step(activity("a", t.tq, retry_policy=policy))
    for attempt in range(1, 4):
        await t.fail_activity(await t.poll_activity())
        described = await t.rpc.DescribeWorkflowExecution(execution=t.execution())
        pending = described.pending_activities[0]
        t.value(f"after attempt {attempt}", pending)


@program
async def activity_exhausts_its_attempts(t: Session):
    await t.start()
    await t.step(activity("a", t.tq, retry_policy={**QUICK, "maximum_attempts": 2}))
    await t.fail_activity(await t.poll_activity(), failure("one"))
    await t.fail_activity(await t.poll_activity(), failure("two", details=payloads("d")))
    t.value("workflow task", await t.poll())
    await t.history()


@program
async def activity_not_retryable(t: Session):
    """By flag and by type; failures of other kinds are not accepted at all."""
    await t.start()
    policy = {**QUICK, "non_retryable_error_types": ["Fatal", "TemporalTimeout:StartToClose"]}
    failures = {
        "flag": failure("x", non_retryable=True),
        "type": failure("x", "Fatal"),
        "canceled": {"message": "x", "canceled_failure_info": {"details": payloads("d")}},
        "terminated": {"message": "x", "terminated_failure_info": {}},
        "server": {"message": "x", "server_failure_info": {"non_retryable": True}},
        "timeout listed": {"message": "x", "timeout_failure_info": {"timeout_type": 1}},
        "timeout schedule to close": {"message": "x", "timeout_failure_info": {"timeout_type": 3}},
        "empty": {"message": "x"},
    }
    await t.step(*(activity(name, t.tq, name, retry_policy=policy) for name in failures))
    tasks = [await t.poll_activity() for _ in failures]
    for task in sorted(tasks, key=lambda task: list(failures).index(task.activity_id)):
        await t.error(task.activity_id, t.fail_activity(task, failures[task.activity_id]))
    await t.history()
    described = await t.rpc.DescribeWorkflowExecution(execution=t.execution())
    t.value(
        "still pending", sorted(pending.activity_id for pending in described.pending_activities)
    )


@program
async def activity_chooses_its_next_delay(t: Session):
    await t.start()
    policy = {"initial_interval": seconds(100), "maximum_interval": seconds(100)}
    await t.step(activity("a", t.tq, retry_policy=policy))
    await t.fail_activity(await t.poll_activity(), failure("soon", next_retry_delay=seconds(0.2)))
    t.value("second", task := await t.poll_activity())
    await t.fail_activity(task, failure("late", next_retry_delay=seconds(500)))
    await t.describe()


@program
async def activity_start_to_close_timeout(t: Session):
    await t.start()
    await t.step(
        activity(
            "a", t.tq, start_to_close_timeout=seconds(0.5), retry_policy={"maximum_attempts": 1}
        )
    )
    task = await t.poll_activity()
    t.value("workflow task", await t.poll())
    await t.error("late", t.complete_activity(task))
    await t.history()


@program
async def activity_start_to_close_timeout_is_retried(t: Session):
    await t.start()
    await t.step(activity(
        "a", t.tq, start_to_close_timeout=seconds(4), retry_policy={**QUICK, "maximum_attempts": 3}
    ))
    first = await t.poll_activity()
    second = await t.poll_activity()
    t.value("second", second)
    await t.describe()
    await t.error("first is stale", t.complete_activity(first))
    await t.complete_activity(second, "r")
    await t.history()


@program
async def activity_schedule_to_start_timeout(t: Session):
    """Nobody polls; never retried."""
    await t.start()
    await t.step(activity("a", t.id("nobody"), schedule_to_start_timeout=seconds(0.5)))
    t.value("workflow task", await t.poll())
    await t.history()


@program
async def activity_schedule_to_close_timeout_before_start(t: Session):
    await t.start()
    await t.step(activity("a", t.id("nobody"), schedule_to_close_timeout=seconds(0.5)))
    await t.poll()
    await t.history()


@program
async def activity_schedule_to_close_timeout_while_running(t: Session):
    await t.start()
    await t.step(
        activity("a", t.tq, schedule_to_close_timeout=seconds(4), heartbeat_timeout=seconds(9))
    )
    task = await t.poll_activity()
    await t.heartbeat(task, "progress")
    await t.poll()
    await t.history()


@program
async def activity_schedule_to_close_timeout_in_backoff(t: Session):
    """The next attempt would begin too late: the activity times out at once, its last failure is
    the cause."""
    await t.start()
    await t.step(
        activity(
            "a",
            t.tq,
            schedule_to_close_timeout=seconds(5),
            retry_policy={"initial_interval": seconds(50)},
        )
    )
    await t.fail_activity(await t.poll_activity(), failure("the cause"))
    await t.poll()
    await t.history()


@program
async def activity_schedule_to_close_timeout_after_retries(t: Session):
    await t.start()
    await t.step(activity("a", t.tq, schedule_to_close_timeout=seconds(4), retry_policy=QUICK))
    await t.fail_activity(await t.poll_activity(), failure("first"))
    await t.poll_activity()
    await t.poll()
    await t.history()


@program
async def activity_start_to_close_timeout_without_time_to_retry(t: Session):
    await t.start()
    await t.step(activity(
        "a", t.tq, start_to_close_timeout=seconds(0.5), schedule_to_close_timeout=seconds(3),
        retry_policy={"initial_interval": seconds(20)},
    ))
    await t.poll_activity()
    await t.poll()
    await t.history()


@program
async def activity_heartbeat_timeout(t: Session):
    await t.start()
    await t.step(
        activity("a", t.tq, heartbeat_timeout=seconds(1.5), retry_policy={"maximum_attempts": 1})
    )
    task = await t.poll_activity()
    t.value("heartbeat", await t.heartbeat(task, "progress", 7))
    await t.describe("described")
    t.value("workflow task", await t.poll())
    await t.error("late heartbeat", t.heartbeat(task))
    await t.history()


@program
async def activity_heartbeat_details_survive(t: Session):
    """The next attempt gets the last heartbeat's details, whether it failed or timed out."""
    await t.start()
    await t.step(
        activity(
            "a", t.tq, heartbeat_timeout=seconds(4), retry_policy={**QUICK, "maximum_attempts": 4}
        )
    )
    await t.heartbeat(await t.poll_activity(), "from the first")
    t.value("second", task := await t.poll_activity())
    await t.fail_activity(task, failure("x"))
    t.value("third", task := await t.poll_activity())
    await t.fail_activity(task, failure("y"), last_heartbeat_details=payloads("with the failure"))
    t.value("fourth", task := await t.poll_activity())
    await t.describe("described in the fourth")
    await t.fail_activity(task, failure("z"), last_heartbeat_details=payloads("too late"))
    await t.history()


@program
async def activity_kept_alive_by_heartbeats(t: Session):
    await t.start()
    await t.step(
        activity("a", t.tq, heartbeat_timeout=seconds(4), retry_policy={"maximum_attempts": 1})
    )
    task = await t.poll_activity()
    for number in range(6):
        await t.heartbeat(task, number)
        await asyncio.sleep(1)  # The time between heartbeats is the subject.
    await t.complete_activity(task, "alive")
    await t.history()


@program
async def activity_cancelled_before_start(t: Session):
    await t.start()
    await t.step(activity("a", t.id("nobody")), force_create_new_workflow_task=True)
    await t.step(cancel_activity(5))
    t.value("workflow task", await t.poll())
    await t.history()
    await t.describe()


@program
async def activity_scheduled_and_cancelled_at_once(t: Session):
    await t.start()
    await t.step(activity("a", t.id("nobody")), cancel_activity(5), activity("a", t.id("nobody")))
    t.value("workflow task", await t.poll())
    await t.history()


@program
async def activity_cancelled_while_running(t: Session):
    await t.start()
    await t.step(activity("a", t.tq))
    task = await t.poll_activity()
    t.value("heartbeat before", await t.heartbeat(task))
    await t.error(
        "canceled without request", t.rpc.RespondActivityTaskCanceled(task_token=task.task_token)
    )
    await t.signal()
    await t.step(cancel_activity(5))
    await t.describe("described cancel requested")
    t.value("heartbeat after", await t.heartbeat(task, "cleaning up"))
    canceled = t.rpc.RespondActivityTaskCanceled(
        task_token=task.task_token, details=payloads("cleaned"), identity="w"
    )
    t.value("canceled", await canceled)
    await t.history()


@program
async def activity_completes_despite_cancel(t: Session):
    await t.start()
    await t.step(activity("a", t.tq))
    task = await t.poll_activity()
    await t.signal()
    await t.step(cancel_activity(5))
    await t.complete_activity(task, "done anyway")
    await t.history()


@program
async def activity_fails_after_cancel(t: Session):
    """No retry once cancellation is requested."""
    await t.start()
    await t.step(activity("a", t.tq, retry_policy=QUICK))
    task = await t.poll_activity()
    await t.signal()
    await t.step(cancel_activity(5))
    await t.fail_activity(task, failure("x"))
    await t.history()


@program
async def activity_times_out_after_cancel(t: Session):
    await t.start()
    await t.step(activity("a", t.tq, start_to_close_timeout=seconds(3), retry_policy=QUICK))
    await t.poll_activity()
    await t.signal()
    await t.step(cancel_activity(5))
    await t.event("ACTIVITY_TASK_TIMED_OUT")
    await t.history()


@program
async def activity_cancelled_in_backoff(t: Session):
    await t.start()
    await t.step(activity("a", t.tq, retry_policy={"initial_interval": seconds(100)}))
    await t.fail_activity(await t.poll_activity(), failure("x"))
    await t.signal()
    await t.step(cancel_activity(5))
    await t.history()
    await t.describe()


@program
async def activity_cancelled_twice(t: Session):
    await t.start()
    await t.step(activity("a", t.tq))
    await t.poll_activity()
    await t.signal()
    await t.step(cancel_activity(5))
    await t.signal()
    task = await t.poll()
    await t.error("again", t.complete(task, cancel_activity(5)))
    await t.history()


@program
async def eager_activity(t: Session):
    await t.start()
    response = await t.complete(
        await t.poll(),
        activity("a", t.tq, request_eager_execution=True, input=payloads(1)),
        activity("b", t.tq),
        activity("c", t.tq, request_eager_execution=True),
    )
    t.value("completion", response)
    t.value("dispatched", (await t.poll_activity()).activity_id)
    await t.describe()
    for task in response.activity_tasks:
        await t.complete_activity(task, "eager")
    await t.history()


@program
async def eager_activity_with_close(t: Session):
    await t.start()
    task = await t.poll()
    t.value(
        "completion",
        await t.complete(task, activity("a", t.tq, request_eager_execution=True), complete()),
    )
    await t.history()


@program
async def eager_activity_cancelled_at_once(t: Session):
    await t.start()
    task = await t.poll()
    eager = activity("a", t.tq, request_eager_execution=True)
    t.value("completion", await t.complete(task, eager, cancel_activity(5)))
    await t.history()


@program
async def eager_activity_fails_and_is_retried(t: Session):
    await t.start()
    response = await t.complete(
        await t.poll(), activity("a", t.tq, request_eager_execution=True, retry_policy=QUICK)
    )
    await t.fail_activity(response.activity_tasks[0])
    t.value("second attempt", task := await t.poll_activity())
    await t.complete_activity(task)
    await t.history()


@program
async def activity_when_workflow_closes(t: Session):
    await t.start()
    await t.step(activity("a", t.tq))
    task = await t.poll_activity()
    await t.signal()
    await t.step(complete())
    await t.error("heartbeat", t.heartbeat(task))
    await t.error("completion", t.complete_activity(task))
    await t.history()
    await t.describe()


@program
async def two_activities_one_workflow_task(t: Session):
    """Results that arrive before the workflow task starts are delivered by the same task."""
    await t.start()
    await t.step(activity("a", t.tq), activity("b", t.tq))
    tasks = sorted(
        [await t.poll_activity(), await t.poll_activity()], key=lambda task: task.activity_id
    )
    for task in tasks:
        await t.complete_activity(task, task.activity_id)
    t.value("workflow task", await t.poll())


@program
async def activity_completed_before_started_is_seen(t: Session):
    """A result without payloads, a failure without anything."""
    await t.start()
    await t.step(activity("a", t.tq), activity("b", t.tq, retry_policy={"maximum_attempts": 1}))
    tasks = sorted(
        [await t.poll_activity(), await t.poll_activity()], key=lambda task: task.activity_id
    )
    await t.complete_activity(tasks[0])
    await t.error("no failure", t.rpc.RespondActivityTaskFailed(task_token=tasks[1].task_token))
    await t.history()
