"""Whole workflows written with the unmodified Python SDK, with its default options (sticky cache,
eager activities)."""

import asyncio
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import (
    RetryPolicy,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import ApplicationError

from ..harness.registry import program
from ..harness.session import Session

SECOND = timedelta(seconds=1)
QUICK = RetryPolicy(initial_interval=timedelta(seconds=0.1), backoff_coefficient=1)


@activity.defn
async def greet(name: str) -> str:
    return f"Hello, {name}!"


@activity.defn
async def fail_twice(_: str) -> int:
    attempt = activity.info().attempt
    if attempt < 3:
        raise ApplicationError(f"attempt {attempt}", {"attempt": attempt}, type="NotYet")
    return attempt


@activity.defn
async def fail_for_good(text: str) -> None:
    try:
        raise ValueError("the cause")
    except ValueError as cause:
        raise ApplicationError(text, 1, "two", type="Fatal", non_retryable=True) from cause


@activity.defn
async def resume_from_heartbeat(_: str) -> list:
    details = list(activity.info().heartbeat_details)
    if activity.info().attempt == 1:
        activity.heartbeat("progress", 7)
        raise ApplicationError("after the heartbeat")
    return details


@activity.defn
async def wait_for_cancel(text: str) -> str:
    try:
        while True:
            activity.heartbeat()
            await asyncio.sleep(0.1)
    except asyncio.CancelledError:
        if text == "ignore":
            return "ignored"
        raise


@activity.defn
async def too_slow(_: str) -> None:
    await asyncio.sleep(30)


ASYNC_TOKENS: dict[str, bytes] = {}


@activity.defn
async def complete_later(key: str) -> str:
    ASYNC_TOKENS[key] = activity.info().task_token
    activity.raise_complete_async()


@workflow.defn
class Greeting:
    @workflow.run
    async def run(self, name: str) -> str:
        return await workflow.execute_activity(greet, name, schedule_to_close_timeout=60 * SECOND)


@program
async def sdk_greeting(t: Session):
    async with t.worker([Greeting], [greet]):
        handle = await t.start_sdk(Greeting.run, "parity")
        t.value("result", await handle.result())
    await t.history()
    await t.describe()


@program
async def sdk_without_cache(t: Session):
    """Every workflow task replays from the start."""
    async with t.worker([Greeting], [greet], max_cached_workflows=0):
        handle = await t.start_sdk(Greeting.run, "parity")
        t.value("result", await handle.result())
    await t.history()


@program
async def sdk_without_eager_activities(t: Session):
    async with t.worker([Greeting], [greet], disable_eager_activity_execution=True):
        handle = await t.start_sdk(Greeting.run, "parity")
        t.value("result", await handle.result())
    await t.history()


@program
async def sdk_eager_start(t: Session):
    async with t.worker([Greeting], [greet]):
        handle = await t.start_sdk(Greeting.run, "parity", request_eager_start=True)
        t.value("result", await handle.result())
    await t.history()


@workflow.defn
class Steps:
    """Activities one after the other, of all outcomes."""

    @workflow.run
    async def run(self) -> list:
        results: list = [
            await workflow.execute_activity(
                fail_twice,
                "x",
                start_to_close_timeout=10 * SECOND,
                retry_policy=QUICK,
                summary="the summary",
            ),
            await workflow.execute_activity(
                resume_from_heartbeat,
                "x",
                start_to_close_timeout=10 * SECOND,
                retry_policy=QUICK,
                heartbeat_timeout=5 * SECOND,
            ),
        ]
        for call, options in (
            (fail_for_good, {"start_to_close_timeout": 10 * SECOND}),
            (
                too_slow,
                {"start_to_close_timeout": SECOND, "retry_policy": RetryPolicy(maximum_attempts=1)},
            ),
            (too_slow, {"schedule_to_close_timeout": SECOND}),
        ):
            try:
                await workflow.execute_activity(call, "x", **options)
            except Exception as failed:
                results.append([type(failed).__name__, str(failed), type(failed.__cause__).__name__,
                                str(failed.__cause__)])
        return results


@program
async def sdk_activity_outcomes(t: Session):
    async with t.worker([Steps], [fail_twice, resume_from_heartbeat, fail_for_good, too_slow],
                        graceful_shutdown_timeout=timedelta(0)):
        handle = await t.start_sdk(Steps.run)
        t.value("result", await handle.result())
    await t.history()


@workflow.defn
class Failing:
    @workflow.run
    async def run(self, how: str) -> None:
        if how == "activity":
            await workflow.execute_activity(
                fail_for_good, "bad", start_to_close_timeout=10 * SECOND
            )
        raise ApplicationError("failed", {"k": 1}, type="Own", non_retryable=True)


@program
async def sdk_workflow_failures(t: Session):
    async with t.worker([Failing], [fail_for_good]):
        for how in ("activity", "own"):
            handle = await t.start_sdk(Failing.run, how, wid=t.id(how))
            await t.error(how, handle.result())
            await t.history(f"{how}: history", handle.id)


@workflow.defn
class Waiting:
    """Signals, queries and timers in one."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    @workflow.run
    async def run(self, wanted: int) -> list[str]:
        await workflow.wait_condition(lambda: len(self.seen) >= wanted)
        await asyncio.sleep(0.2)
        try:
            await workflow.wait_condition(lambda: False, timeout=0.2)
        except asyncio.TimeoutError:
            self.seen.append("timeout")
        return self.seen

    @workflow.signal
    def note(self, text: str) -> None:
        self.seen.append(text)

    @workflow.query
    def state(self) -> list[str]:
        return self.seen

    @workflow.query
    def broken(self, text: str) -> None:
        raise ApplicationError(text, 5, type="QueryTrouble")


@program
async def sdk_signals_and_queries(t: Session):
    async with t.worker([Waiting]):
        handle = await t.start_sdk(Waiting.run, 2)
        t.value("query before", await handle.query(Waiting.state))
        await handle.signal(Waiting.note, "one")

        async def seen():
            return await handle.query(Waiting.state) == ["one"]

        await t.until(seen, "the first signal")
        await t.error("unknown query", handle.query("nobody"))
        await t.error("broken query", handle.query(Waiting.broken, "trouble"))
        await handle.signal(Waiting.note, "two")
        t.value("result", await handle.result())
        t.value("query after the end", await handle.query(Waiting.state))
    await t.history()
    described = await handle.describe()
    t.value(
        "describe",
        [described.status, described.workflow_type, described.history_length, described.parent_id],
    )


@program
async def sdk_signal_with_start(t: Session):
    async with t.worker([Waiting]):
        handle = await t.start_sdk(Waiting.run, 1, start_signal="note", start_signal_args=["first"])
        t.value("result", await handle.result())
    await t.history()


@program
async def sdk_start_policies(t: Session):
    """How the SDK sees ids that are taken."""
    async with t.worker([Waiting]):
        handle = await t.start_sdk(Waiting.run, 1)
        await t.error("running", t.start_sdk(Waiting.run, 1))
        existing = await t.start_sdk(
            Waiting.run, 1, id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING
        )
        t.value("existing", existing.first_execution_run_id == handle.first_execution_run_id)
        await handle.signal(Waiting.note, "go")
        t.value("result", await handle.result())
        rejected = t.start_sdk(
            Waiting.run, 1, id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE
        )
        await t.error("rejected", rejected)


@workflow.defn
class Locals:
    @workflow.run
    async def run(self) -> list:
        options = {"start_to_close_timeout": 10 * SECOND}
        return [
            await workflow.execute_local_activity(greet, "local", **options),
            await workflow.execute_local_activity(fail_twice, "x", retry_policy=QUICK, **options),
            workflow.patched("a-patch"),
            str(workflow.uuid4() is not None),
        ]


@program
async def sdk_local_activities_and_patches(t: Session):
    async with t.worker([Locals], [greet, fail_twice]):
        handle = await t.start_sdk(Locals.run)
        t.value("result", await handle.result())
    masked = tuple(
        f"*.marker_recorded_event_attributes.details.{name}"
        for name in ("data", "local_activity_data")
    )
    await t.history(mask=masked)
    await t.describe()


@activity.defn
async def twelve_seconds() -> str:
    await asyncio.sleep(12)
    return "slow but local"


@workflow.defn
class SlowLocal:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_local_activity(
            twelve_seconds, start_to_close_timeout=20 * SECOND
        )


@program
async def sdk_local_activity_longer_than_a_task(t: Session):
    """The worker keeps its workflow task alive by forced new ones."""
    async with t.worker([SlowLocal], [twelve_seconds]):
        handle = await t.start_sdk(SlowLocal.run, task_timeout=10 * SECOND)
        t.value("result", await handle.result())
    events = await t.events()
    t.value(
        "no task was lost", [event.event_type for event in events if event.event_type in (8, 9)]
    )
    t.value("end", [event.event_type for event in events[-3:]])


@workflow.defn
class Cancelling:
    @workflow.run
    async def run(self, how: str) -> str:
        kind = {
            "try": workflow.ActivityCancellationType.TRY_CANCEL,
            "wait": workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            "ignore": workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            "abandon": workflow.ActivityCancellationType.ABANDON,
        }[how]
        running = workflow.start_activity(
            wait_for_cancel, how, start_to_close_timeout=60 * SECOND, heartbeat_timeout=10 * SECOND,
            cancellation_type=kind,
        )
        await workflow.wait_condition(lambda: self.go)
        running.cancel()
        try:
            return await running
        except Exception as failed:
            return f"{type(failed).__name__}: {type(failed.__cause__).__name__}"

    def __init__(self) -> None:
        self.go = False

    @workflow.signal
    def cancel(self) -> None:
        self.go = True


@program
async def sdk_activity_cancellation_types(t: Session):
    async with t.worker([Cancelling], [wait_for_cancel]):
        for how in ("try", "wait", "ignore", "abandon"):
            handle = await t.start_sdk(Cancelling.run, how, wid=t.id(how))
            await t.pending(
                lambda pending: pending.state == 2 and pending.last_heartbeat_time.seconds,
                handle.id,
            )
            await handle.signal(Cancelling.cancel)
            t.value(how, await handle.result())
            await t.history(f"{how}: history", handle.id)


@workflow.defn
class Sleeping:
    @workflow.run
    async def run(self) -> None:
        await asyncio.sleep(3600)


@program
async def sdk_cancel_and_terminate(t: Session):
    async with t.worker([Sleeping]):
        for how in ("cancel", "terminate", "time out"):
            options = {"run_timeout": 2 * SECOND} if how == "time out" else {}
            handle = await t.start_sdk(Sleeping.run, wid=t.id(how), **options)
            await t.event("TIMER_STARTED", handle.id)
            if how == "cancel":
                await handle.cancel()
            elif how == "terminate":
                await handle.terminate("detail", reason="reason")
            await t.error(how, handle.result())
            await t.history(f"{how}: history", handle.id)


@workflow.defn
class Counting:
    @workflow.run
    async def run(self, left: int) -> str:
        if left:
            workflow.continue_as_new(left - 1)
        return workflow.info().continued_run_id is not None and "continued" or "first"


@program
async def sdk_continue_as_new(t: Session):
    async with t.worker([Counting]):
        handle = await t.start_sdk(Counting.run, 2)
        t.value("result", await handle.result())
    await t.history(run=handle.first_execution_run_id, mask=("*.*.backoff_start_interval",))
    await t.history("last", mask=("0.*.first_workflow_task_backoff",))


@workflow.defn
class Retried:
    @workflow.run
    async def run(self) -> int:
        if workflow.info().attempt < 2:
            raise ApplicationError("again")
        return workflow.info().attempt


@program
async def sdk_workflow_retry(t: Session):
    async with t.worker([Retried]):
        handle = await t.start_sdk(Retried.run, retry_policy=RetryPolicy(initial_interval=SECOND))
        t.value("result", await handle.result())
    await t.history("first", run=handle.first_execution_run_id)
    await t.history("last")


BUILDS = SearchAttributeKey.for_keyword("BatcherUser")


@workflow.defn
class Describing:
    @workflow.run
    async def run(self) -> list:
        workflow.upsert_memo({"changed": 2, "gone": None})
        workflow.upsert_search_attributes([BUILDS.value_set("second")])
        workflow.set_current_details("details")
        return [workflow.memo(), workflow.info().typed_search_attributes.get(BUILDS)]


@program
async def sdk_memo_and_search_attributes(t: Session):
    async with t.worker([Describing]):
        handle = await t.start_sdk(
            Describing.run,
            memo={"kept": 1, "changed": 1, "gone": 1},
            search_attributes=TypedSearchAttributes([SearchAttributePair(BUILDS, "first")]),
            static_summary="summary",
            static_details="details",
        )
        t.value("result", await handle.result())
    await t.history()
    await t.describe()


@workflow.defn
class Later:
    @workflow.run
    async def run(self, key: str) -> str:
        return await workflow.execute_activity(
            complete_later,
            key,
            start_to_close_timeout=60 * SECOND,
            retry_policy=RetryPolicy(maximum_attempts=1),
            activity_id="later",
        )


@program
async def sdk_asynchronous_activities(t: Session):
    """Completed, failed, heartbeaten and cancelled from outside, by token and by id."""
    async with t.worker([Later], [complete_later]):
        for how in ("token", "id", "fail"):
            key = f"{t.client.service_client.config.target_host}-{t.id(how)}"
            handle = await t.start_sdk(Later.run, key, wid=t.id(how))

            async def began(key=key):
                return ASYNC_TOKENS.get(key)

            token = await t.until(began, "the activity")
            if how == "id":
                outside = t.client.get_async_activity_handle(
                    workflow_id=handle.id, run_id=handle.first_execution_run_id, activity_id="later"
                )
            else:
                outside = t.client.get_async_activity_handle(task_token=token)
            await outside.heartbeat("beat")
            if how == "fail":
                await outside.fail(ApplicationError("from outside", type="Outside"))
                await t.error(how, handle.result())
            else:
                await outside.complete("from outside")
                t.value(how, await handle.result())
            await t.error(f"{how}: again", outside.complete("again"))
            # The input names the server.
            await t.history(f"{how}: history", handle.id, mask=("*.*.input",))


@program
async def sdk_errors(t: Session):
    """What a client sees of workflows that do not exist."""
    handle = t.client.get_workflow_handle(t.id("nobody"))
    await t.error("describe", handle.describe())
    await t.error("signal", handle.signal("s"))
    await t.error("query", handle.query("q"))
    await t.error("cancel", handle.cancel())
    await t.error("terminate", handle.terminate())
    await t.error("result", handle.result())
