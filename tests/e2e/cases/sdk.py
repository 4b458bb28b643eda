"""Workers written with unmodified SDKs and default options; every case runs with each language's
worker."""

import asyncio

from temporalio.client import WorkflowFailureError
from temporalio.exceptions import CancelledError

from ..case import Case, case

LOCAL_RESULT = {
    "attempts": 3,
    "beaten": 42,
    "doubled": [2, 4, 6, 8],
    "local": 42,
    "side": "effect",
    "version": 2,
}


async def version_recorded(t: Case, handle, run_id: str | None = None) -> None:
    """Awaits the last of Mixed's steps without a query. A query that goes with the task of a local
    activity makes the Python SDK record a history that it cannot replay, with any server."""

    async def recorded() -> bool:
        return any(
            event.marker_recorded_event_attributes.marker_name in ("core_patch", "Version")
            for event in await t.events(handle, run_id)
        )

    await t.until(recorded, "the marker of the version")


@case(language="python")
@case(language="go")
async def mixed(t: Case, language: str) -> None:
    """Retries, heartbeats, parallel activities, timers, local activity, side effect, version,
    signals, queries, and continue-as-new."""
    async with t.worker(language):
        handle = await t.start("Mixed", 1)
        await version_recorded(t, handle)
        await t.answers(handle, "stage", "waiting")
        first_run = (await handle.describe()).run_id
        await handle.signal("say", "one")
        await handle.signal("say", "two")

        async def continued() -> bool:
            return (await handle.describe()).run_id != first_run

        await t.until(continued, "the second run")
        following = t.client.get_workflow_handle(handle.id)
        await version_recorded(t, following)
        await t.answers(following, "stage", "waiting")
        await following.signal("say", "three")
        await following.signal("say", "four")
        result = await t.result(handle)
        assert result == {**LOCAL_RESULT, "runs": 2, "signals": ["three", "four"]}, result
        await t.answers(following, "stage", "done")
        kinds = await t.kinds(handle, first_run)
    assert kinds[-1] == "WORKFLOW_EXECUTION_CONTINUED_AS_NEW", kinds
    assert (
        "TIMER_CANCELED" in kinds and "TIMER_FIRED" in kinds and "MARKER_RECORDED" in kinds
    ), kinds


@case(language="python")
@case(language="go")
async def cancellation(t: Case, language: str) -> None:
    """A cancelled workflow waits for its activity to notice (by its heartbeat) and cleans up."""
    async with t.worker(language):
        handle = await t.start("Cancelled")

        async def running() -> bool:
            pending = (await handle.describe()).raw_description.pending_activities
            return bool(pending) and bool(pending[0].last_heartbeat_time.seconds)

        await t.until(running, "the activity's heartbeat")
        await handle.cancel()
        try:
            ended = await t.result(handle)
        except WorkflowFailureError as failed:
            assert isinstance(failed.cause, CancelledError), failed.cause
        else:
            raise AssertionError(f"the workflow ended with {ended}")
        kinds = await t.kinds(handle)
    assert kinds[-1] == "WORKFLOW_EXECUTION_CANCELED" and "ACTIVITY_TASK_CANCELED" in kinds, kinds
    assert kinds.count("ACTIVITY_TASK_COMPLETED") == 1, kinds


@case(language="python")
@case(language="go")
async def cron(t: Case, language: str) -> None:
    """Runs follow each other on a schedule, each in a history of its own."""
    async with t.worker(language):
        handle = await t.start("Short", 4, cron_schedule="@every 1s")
        run_id = handle.first_execution_run_id
        for _ in range(2):
            run_id = await t.until(lambda run=run_id: next_run(t, handle, run), "the next run")
        await handle.terminate("enough")


async def next_run(t: Case, handle, run_id: str) -> str:
    """The run that followed; empty while there is none."""
    last = (await t.events(handle, run_id))[-1]
    return last.workflow_execution_completed_event_attributes.new_execution_run_id


@case(language="python")
@case(language="go")
async def worker_killed(t: Case, language: str) -> None:
    """The worker that holds a workflow in its cache is killed; another one takes over."""
    async with t.worker(language) as first:
        handle = await t.start("Waiting")
        await handle.signal("say", "one")
        await t.answers(handle, "count", 1)
        await first.kill()
        async with t.worker(language):
            await handle.signal("say", "two")
            await t.answers(handle, "count", 2)
            await handle.signal("say", "finish")
            assert await t.result(handle) == 2


@case(language="python")
@case(language="go")
async def worker_restarted(t: Case, language: str) -> None:
    """A worker that says goodbye leaves its cached workflows to the next one."""
    async with t.worker(language) as first:
        handles = [await t.start("Waiting", suffix=str(number)) for number in range(10)]
        for handle in handles:
            await handle.signal("say", "one")
            await t.answers(handle, "count", 1)
        assert await first.stop() == 0
    async with t.worker(language):
        await asyncio.gather(*(handle.signal("say", "two") for handle in handles))
        await asyncio.gather(*(t.answers(handle, "count", 2) for handle in handles))
        await asyncio.gather(*(handle.signal("say", "finish") for handle in handles))
        assert [await t.result(handle) for handle in handles] == [2] * 10


@case()
async def two_hundred_python_and_go(t: Case) -> None:
    """200 workflows at once on one queue with two workers, one per language; both work."""
    async with t.worker("python"), t.worker("go"):
        handles = await asyncio.gather(
            *(t.start("Short", number, suffix=str(number)) for number in range(200))
        )
        results = await asyncio.gather(*(t.result(handle) for handle in handles))
        assert results == [2 * number for number in range(200)], results
        histories = [await t.events(handle) for handle in handles]
    workers = {
        event.workflow_task_started_event_attributes.identity
        for events in histories
        for event in events
        if event.HasField("workflow_task_started_event_attributes")
    }
    assert len(workers) == 2, workers
    assert all(
        [event.event_id for event in events] == list(range(1, len(events) + 1))
        for events in histories
    )
