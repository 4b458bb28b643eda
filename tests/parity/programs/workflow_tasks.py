"""Workflow tasks: sticky queues, attempts, transient tasks, buffered events, failures, forced new
tasks."""

import asyncio

from ..harness.commands import (
    activity, cancel, command, complete, continue_as_new, fail, failure, marker, seconds, timer,
)
from ..harness.registry import program
from ..harness.session import Session


@program
async def task_completed_metadata_is_kept(t: Session):
    await t.start()
    task = await t.poll()
    await t.complete(
        task,
        identity="another identity",
        binary_checksum="checksum",
        sdk_metadata={
            "core_used_flags": [1, 2],
            "lang_used_flags": [3],
            "sdk_name": "parity",
            "sdk_version": "1.0",
        },
        metering_metadata={"nonfirst_local_activity_execution_attempts": 2},
        worker_version_stamp={"build_id": "build-1"},
    )
    await t.history()
    await t.describe()


@program
async def task_completed_with_build_ids(t: Session):
    """Unversioned build ids of several workers end up in search attributes and reset points."""
    await t.start()
    for build in ("build-1", "build-2", "build-1"):
        task = await t.poll()
        await t.complete(
            task, worker_version_stamp={"build_id": build}, force_create_new_workflow_task=True
        )
    await t.history()
    await t.describe()


@program
async def task_with_no_commands(t: Session):
    await t.start()
    t.value("response", await t.complete(await t.poll()))
    await t.signal()
    t.value("task", await t.poll())
    await t.history()


@program
async def sticky_queue_gets_partial_history(t: Session):
    await t.start()
    await t.complete(await t.poll(), stick=True)
    await t.introduce_sticky()
    await t.describe("described")
    await t.signal("one")
    task = await t.poll(sticky=True)
    t.value("sticky task", task)
    await t.complete(task, timer("t", 0.1), stick=True)
    t.value("second sticky task", task := await t.poll(sticky=True))
    await t.complete(task)
    await t.signal("two")
    t.value("normal task", await t.poll())
    await t.history()


@program
async def sticky_task_times_out_to_the_normal_queue(t: Session):
    await t.start()
    await t.complete(await t.poll(), stick=True, sticky_timeout=seconds(1))
    t.value("idle sticky poll", await t.introduce_sticky())
    await t.signal()
    t.value("task", task := await t.poll())
    await t.complete(task, complete())
    await t.history()


@program
async def sticky_queue_nobody_polls(t: Session):
    """A sticky queue never polled: its tasks go to the normal queue at once."""
    await t.start()
    await t.complete(await t.poll(), stick=True, sticky_timeout=seconds(5))
    await t.signal()
    t.value("task", await t.poll(timeout=10))
    await t.history()


@program
async def sticky_task_failure_clears_stickiness(t: Session):
    await t.start()
    await t.complete(await t.poll(), stick=True)
    await t.introduce_sticky()
    await t.signal()
    await t.fail_task(await t.poll(sticky=True))
    task = await t.poll()
    t.value("next task", task)
    await t.complete(task)
    await t.history()


@program
async def reset_sticky_task_queue(t: Session):
    await t.start()
    await t.complete(await t.poll(), stick=True)
    t.value("reset", await t.rpc.ResetStickyTaskQueue(execution=t.execution()))
    await t.signal()
    t.value("task", await t.poll())
    await t.error("unknown", t.rpc.ResetStickyTaskQueue(execution=t.execution(t.id("nobody"))))
    await t.terminate()
    await t.error("closed", t.rpc.ResetStickyTaskQueue(execution=t.execution()))
    await t.history()


@program
async def task_times_out_and_becomes_transient(t: Session):
    await t.start(workflow_task_timeout=seconds(4))
    first = await t.poll()
    second = await t.poll()
    t.value("second attempt", second)
    await t.history("with the transient task")
    await t.describe("second attempt described")
    await t.error("late completion of the first", t.complete(first))
    third = await t.poll()
    t.value("third attempt", third)
    await t.complete(third, timer("t", 3600))
    await t.history()


@program
async def transient_task_hidden_from_cli(t: Session):
    """History readers that call themselves temporal-cli or temporal-ui do not see transient
    events."""
    await t.start()
    await t.fail_task(await t.poll())
    await t.poll()
    await t.history("anyone")
    for name in ("temporal-cli", "temporal-ui", "temporal-go"):
        metadata = (("client-name", name), ("client-version", "1.0.0"))
        page = await t.rpc.GetWorkflowExecutionHistory(execution=t.execution(), _metadata=metadata)
        t.value(name, page)


@program
async def task_fails_with_each_cause(t: Session):
    """RespondWorkflowTaskFailed stores the worker's cause, failure and message."""
    causes = (
        "UNSPECIFIED",
        "WORKFLOW_WORKER_UNHANDLED_FAILURE",
        "NON_DETERMINISTIC_ERROR",
        "UNHANDLED_COMMAND",
        "RESET_STICKY_TASK_QUEUE",
        "BAD_BINARY",
        "FORCE_CLOSE_COMMAND",
        "PAYLOADS_TOO_LARGE",
    )
    for cause in causes:
        wid, queue = t.id(cause), t.id(f"tq-{cause}")
        await t.start(wid, task_queue={"name": queue})
        task = await t.poll(queue)
        await t.error(
            cause, t.fail_task(task, cause, failure=failure("nope", "T"), binary_checksum="c")
        )
        await t.history(f"{cause}: history", wid)


@program
async def task_fails_because_message_is_too_large(t: Session):
    """Cause GRPC_MESSAGE_TOO_LARGE closes the workflow."""
    await t.start()
    task = await t.poll()
    t.value("response", await t.fail_task(task, "GRPC_MESSAGE_TOO_LARGE"))
    await t.history()
    await t.describe()


@program
async def task_fails_again_and_again(t: Session):
    """Only the first failure is written; the completing attempt writes its own scheduled and
    started events."""
    await t.start()
    for attempt in range(1, 5):
        task = await t.poll()
        # From the fourth attempt on the timeout grows by a random amount.
        random = (
            "history.events.*.workflow_task_scheduled_event_attributes.start_to_close_timeout",
        )
        t.value(f"attempt {attempt}", task, mask=random if attempt >= 4 else ())
        await t.fail_task(task)
    random = ("4.workflow_task_scheduled_event_attributes.start_to_close_timeout",)
    await t.history("after four failures", mask=random)
    await t.describe("described after four failures")
    await t.step(complete("at last"))
    await t.history(mask=random)


@program
async def signal_resets_the_attempt(t: Session):
    """An event that arrives between attempts makes the next task a real one of attempt 1."""
    await t.start()
    for _ in range(2):
        await t.fail_task(await t.poll())
    third = await t.poll()
    await t.signal("while the third attempt runs")
    await t.history("while it runs")
    await t.fail_task(third)
    await t.history("after it failed")
    t.value("fourth", task := await t.poll())
    await t.fail_task(task)
    await t.signal("between attempts")
    await t.history("after the second signal")
    t.value("fifth", task := await t.poll())
    await t.complete(task, complete())
    await t.history()


@program
async def signal_during_transient_task_that_completes(t: Session):
    await t.start()
    await t.fail_task(await t.poll())
    task = await t.poll()
    await t.signal("buffered")
    await t.complete(task, marker("m"))
    t.value("next", await t.poll())
    await t.history()


@program
async def stale_and_forged_tokens(t: Session):
    await t.start()
    task = await t.poll()
    await t.complete(task)
    await t.error("complete twice", t.complete(task))
    await t.error("fail after complete", t.fail_task(task))
    await t.signal()
    await t.error("stale while the next is scheduled", t.complete(task))
    await t.poll()
    await t.error("stale while the next is started", t.complete(task))
    await t.terminate()
    await t.error("complete after close", t.complete(task))
    for name, token in (
        ("empty", b""),
        ("garbage", b"garbage"),
        ("zeros", bytes(40)),
        ("long", b"\xff" * 5000),
    ):
        await t.error(f"complete {name}", t.rpc.RespondWorkflowTaskCompleted(task_token=token))
        await t.error(f"fail {name}", t.rpc.RespondWorkflowTaskFailed(task_token=token))
    await t.history()


@program
async def buffered_events_are_flushed_at_completion(t: Session):
    await t.start()
    task = await t.poll()
    for name in ("one", "two"):
        await t.signal(name)
    await t.request_cancel()
    await t.history("while buffered")
    await t.describe("described while buffered")
    t.value("completion", await t.complete(task, marker("m"), timer("t", 3600)))
    t.value("next task", await t.poll())
    await t.history()


@program
async def buffered_events_come_with_the_inline_task(t: Session):
    await t.start()
    task = await t.poll()
    await t.signal("one")
    response = await t.complete(task, marker("m"), return_new_workflow_task=True)
    t.value("completion", response)
    await t.complete(response.workflow_task, complete())
    await t.history()


@program
async def buffered_events_are_flushed_at_failure(t: Session):
    await t.start()
    task = await t.poll()
    await t.signal("one")
    await t.fail_task(task)
    await t.history("after failure")
    t.value("next task", await t.poll())
    await t.describe()


@program
async def buffered_events_are_flushed_at_timeout(t: Session):
    await t.start(workflow_task_timeout=seconds(4))
    await t.poll()
    await t.signal("one")
    t.value("next task", await t.poll())
    await t.history()


@program
async def buffered_events_are_reordered(t: Session):
    """Activity closes move behind signals and timers that were buffered with them."""
    await t.start()
    await t.step(activity("a", t.tq), activity("b", t.tq), timer("t", 0.5))
    await t.event("TIMER_FIRED")
    first, second = await t.poll_activity(), await t.poll_activity()
    task = await t.poll()
    by_id = {item.activity_id: item for item in (first, second)}
    await t.complete_activity(by_id["b"], "b result")
    await t.signal("one")
    await t.fail_activity(by_id["a"], failure("no", non_retryable=True))
    await t.signal("two")
    await t.complete(task, marker("m"))
    await t.history()
    t.value("next task", await t.poll())


@program
async def timer_fires_while_task_runs(t: Session):
    await t.start()
    await t.step(timer("t", 2))
    await t.signal()
    task = await t.poll()
    await t.signal("buffered with it")

    async def due():
        described = await t.rpc.DescribeWorkflowExecution(execution=t.execution())
        return described.workflow_execution_info.history_length

    before = await due()
    await asyncio.sleep(3)  # Nothing can be awaited: the fired timer is invisible while buffered.
    t.value("nothing visible", await due() == before)
    await t.complete(task, marker("m"))
    await t.history()


@program(timeout_s=90)
async def too_many_buffered_events(t: Session):
    """The hundred and first buffered event force-fails the running workflow task."""
    await t.start()
    task = await t.poll()
    for number in range(102):
        await t.signal(f"s{number}")
    await t.error("completion", t.complete(task))
    events = await t.events()
    t.value("head", events[:6])
    t.value("tail", events[-4:])
    t.value("count", len(events))


@program
async def too_much_buffered(t: Session):
    """Buffered events of more than 2 MiB force-fail the running workflow task."""
    await t.start()
    task = await t.poll()
    for number in range(3):
        await t.signal(f"s{number}", "x" * 900_000)
    await t.error("completion", t.complete(task))
    events = await t.events()
    for event in events:
        event.ClearField("workflow_execution_signaled_event_attributes")
    t.value("events", events)


@program
async def unhandled_command_for_each_close(t: Session):
    """A close command with buffered events fails the task; the events are flushed; the next attempt
    may close."""
    closes = {
        "complete": complete(),
        "fail": fail(),
        "cancel": cancel(),
        "continue": continue_as_new(t.tq),
    }
    for name, close in closes.items():
        wid, queue = t.id(name), t.id(f"tq-{name}")
        await t.start(wid, task_queue={"name": queue})
        task = await t.poll(queue)
        await t.signal("buffered", wid=wid)
        await t.error(name, t.complete(task, marker("lost"), close))
        await t.history(f"{name}: after", wid)
        t.value(f"{name}: next task", task := await t.poll(queue))
        await t.complete(task, complete())
        await t.history(f"{name}: history", wid)


@program
async def unhandled_command_closes_the_door(t: Session):
    """After an UNHANDLED_COMMAND signals are refused while the next task runs; a cancel request is
    not."""
    await t.start()
    task = await t.poll()
    await t.signal("buffered")
    await t.error("unhandled", t.complete(task, complete()))
    task = await t.poll()
    await t.error("signal while closing", t.signal("refused", _timeout=5))
    await t.error("cancel while closing", t.request_cancel(_timeout=5))
    await t.error("unhandled again", t.complete(task, complete()))
    await t.step(cancel("done"))
    await t.history()


@program
async def commands_after_close_are_refused(t: Session):
    await t.start()
    task = await t.poll()
    await t.error(
        "completion", t.complete(task, complete("first"), marker("late"), fail(), timer("t", 1))
    )
    await t.history()


@program
async def force_new_task(t: Session):
    await t.start()
    t.value("forced", await t.complete(await t.poll(), force_create_new_workflow_task=True))
    t.value("second", task := await t.poll())
    forced = await t.complete(
        task, force_create_new_workflow_task=True, return_new_workflow_task=True
    )
    t.value("forced and returned", forced)
    returned = await t.complete(forced.workflow_task, return_new_workflow_task=True)
    t.value("nothing to return", returned)
    await t.history()


@program
async def force_new_task_with_marker_and_sticky(t: Session):
    """What an SDK does while a local activity runs on: heartbeats by forced tasks on the sticky
    queue."""
    await t.start()
    options = {
        "force_create_new_workflow_task": True,
        "return_new_workflow_task": True,
        "stick": True,
    }
    first = await t.complete(await t.poll(), **options)
    t.value("first heartbeat", first)
    second = await t.complete(first.workflow_task, marker("LocalActivity"), **options)
    t.value("second heartbeat", second)
    await t.complete(second.workflow_task, complete(), stick=True)
    await t.history()


@program
async def force_new_task_with_close(t: Session):
    await t.start()
    options = {"force_create_new_workflow_task": True, "return_new_workflow_task": True}
    t.value("completion", await t.complete(await t.poll(), complete(), **options))
    await t.history()


@program
async def unknown_command_type(t: Session):
    await t.start()
    task = await t.poll()
    unknown = command("START_TIMER")
    unknown.command_type = 99
    await t.error("unknown", t.complete(task, marker("before"), unknown))
    unknown.command_type = 0
    await t.error("unspecified", t.complete(task, unknown))
    await t.history()
    await t.describe()


@program
async def long_history_is_paged_to_the_worker(t: Session):
    """The first page of a task holds a part (256 transactions or events); the rest is read with its
    token."""
    await t.start()
    await t.step(*(marker(f"m{number}") for number in range(20)))
    for number in range(300):
        await t.signal(f"s{number}")
    task = await t.poll()
    token, events, count = task.next_page_token, list(task.history.events), 1
    t.value("first page", bool(token))
    while token:
        page = await t.rpc.GetWorkflowExecutionHistory(
            execution=t.execution(), next_page_token=token
        )
        events += page.history.events
        count += 1
        token = page.next_page_token
    t.value("pages", count)
    t.value("ids", [event.event_id for event in events])
    t.value("last events", events[-30:])


@program
async def two_polls_one_task(t: Session):
    """A second poll waits for the next task."""
    first, second = asyncio.create_task(t.poll()), asyncio.create_task(t.poll())
    await t.start()
    done, waiting = await asyncio.wait((first, second), return_when=asyncio.FIRST_COMPLETED)
    t.value("got", len(done))
    await t.complete(done.pop().result())
    await t.signal()
    task = await waiting.pop()
    t.value("second task", task)
    await t.complete(task, complete("done"))
    await t.history()


@program
async def poll_with_nothing_to_do(t: Session):
    """An empty answer shortly before the deadline."""
    t.value("workflow", await t.rpc.PollWorkflowTaskQueue(task_queue={"name": t.tq}, _timeout=5))
    t.value("activity", await t.rpc.PollActivityTaskQueue(task_queue={"name": t.tq}, _timeout=5))


@program
async def sticky_poll_ends_at_shutdown(t: Session):
    """ShutdownWorker releases the poll of the worker's sticky queue at once."""
    key = "worker-instance"
    poll = t.rpc.PollWorkflowTaskQueue(
        task_queue=t.sticky_queue(), worker_instance_key=key, _timeout=30
    )
    poll = asyncio.ensure_future(t.wait(poll))

    async def polling():
        return (
            await t.rpc.DescribeTaskQueue(task_queue=t.sticky_queue(), task_queue_type=1)
        ).pollers

    await t.until(polling, "the poll")
    shutdown = await t.rpc.ShutdownWorker(
        worker_instance_key=key,
        task_queue=t.tq,
        task_queue_types=[1, 2],
        sticky_task_queue=t.sticky,
        reason="over",
    )
    t.value("shutdown", shutdown)
    t.value("poll", await asyncio.wait_for(poll, 10))


@program
async def sticky_queue_of_a_worker_that_shut_down(t: Session):
    await t.start()
    await t.complete(await t.poll(), stick=True, sticky_timeout=seconds(8))
    await t.introduce_sticky()
    await t.signal()
    await t.complete(await t.poll(sticky=True), stick=True, sticky_timeout=seconds(8))
    await t.rpc.ShutdownWorker(sticky_task_queue=t.sticky, worker_instance_key="k", task_queue=t.tq)
    await t.signal()
    t.value("task", await t.poll(timeout=5))
    await t.history()


@program
async def completion_with_result_payloads_and_reason(t: Session):
    await t.start()
    await t.step(complete("a", {"b": [1, 2]}, None))
    await t.history()
    event = await t.closed()
    t.value("close event", event)
