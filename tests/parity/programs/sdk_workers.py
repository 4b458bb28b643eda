"""SDK workers: changed code, failing tasks, unknown types, restarts, two of them."""

import asyncio
import temporalio.client
from temporalio import workflow
from ..harness.registry import program
from ..harness.session import Session
from .sdk import SECOND, greet, Greeting, Waiting, Later


@workflow.defn(name="Changing")
class Before:
    @workflow.run
    async def run(self) -> str:
        await asyncio.sleep(4)
        return "before"


@workflow.defn(name="Changing")
class After:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(greet, "after", start_to_close_timeout=SECOND)


@program
async def sdk_nondeterminism(t: Session):
    """A worker with other code: the task fails; with the old code again the workflow ends."""
    async with t.worker([Before], max_cached_workflows=0):
        handle = await t.start_sdk(Before.run)
        await t.event("TIMER_STARTED")
    async with t.worker([After], [greet], max_cached_workflows=0):
        failed = await t.event("WORKFLOW_TASK_FAILED")
        t.value("failed", failed)
    await t.error("result", asyncio.wait_for(handle.result(), 1))
    await t.describe(mask=("pending_workflow_task.attempt", "pending_workflow_task.state",
                           "pending_workflow_task.started_time"))


@workflow.defn
class Stumbling:
    attempts: dict[str, int] = {}

    @workflow.run
    async def run(self, key: str) -> str:
        Stumbling.attempts[key] = Stumbling.attempts.get(key, 0) + 1
        if Stumbling.attempts[key] < 3:
            raise RuntimeError(f"stumbled {Stumbling.attempts[key]}")
        return "stood up"


@program
async def sdk_workflow_task_failures(t: Session):
    """Exceptions that are not failures fail the workflow task, until the code is fixed."""
    async with t.worker([Stumbling]):
        handle = await t.start_sdk(
            Stumbling.run, f"{t.client.service_client.config.target_host}-{t.wid}"
        )
        t.value("result", await handle.result())
    await t.history(mask=("*.*.input",))


@program
async def sdk_unknown_types(t: Session):
    """A workflow and an activity that the worker does not know."""
    async with t.worker([Later], [greet]):
        unknown = await t.start_sdk("Nobody", wid=t.id("workflow"))
        t.value("workflow", await t.event("WORKFLOW_TASK_FAILED", unknown.id))
        later = await t.start_sdk(Later.run, "x", wid=t.id("activity"))
        await t.error("activity", later.result())
        await t.history(wid=later.id)


@program
async def sdk_worker_restarts(t: Session):
    """The second worker takes over from the first, without its cache."""
    async with t.worker([Waiting]):
        handle = await t.start_sdk(Waiting.run, 2)
        await handle.signal(Waiting.note, "one")

        async def seen():
            return await handle.query(Waiting.state) == ["one"]

        await t.until(seen, "the first signal")
    await handle.signal(Waiting.note, "two")
    async with t.worker([Waiting]):
        t.value("result", await handle.result())
    kinds = [event.event_type for event in await t.events()]
    t.value("counts", {kind: kinds.count(kind) for kind in (2, 8, 9, 26)})


@workflow.defn
class Parallel:
    @workflow.run
    async def run(self, count: int) -> list:
        return await asyncio.gather(*(
            workflow.execute_activity(greet, str(number), start_to_close_timeout=30 * SECOND)
            for number in range(count)
        ))


@program
async def sdk_many_activities_two_workers(t: Session):
    other = await temporalio.client.Client.connect(
        t.address, runtime=t.client.service_client.config.runtime
    )
    second = t.worker([Parallel], [greet], identity="second worker", client=other)
    async with t.worker([Parallel], [greet]), second:
        handles = [
            await t.start_sdk(Parallel.run, 20, wid=t.id(f"w{number}")) for number in range(3)
        ]
        t.value("results", [await handle.result() for handle in handles])
    for handle in handles:
        kinds = [event.event_type for event in await t.events(handle.id)]
        t.value(f"{handle.id}: counts", {kind: kinds.count(kind) for kind in (10, 11, 12)})


@program
async def sdk_history_fetch(t: Session):
    async with t.worker([Greeting], [greet]):
        handle = await t.start_sdk(Greeting.run, "parity")
        await handle.result()
    fetched = await handle.fetch_history()
    t.value("events", [event.event_type for event in fetched.events])
    close = [event async for event in handle.fetch_history_events(
        event_filter_type=temporalio.client.WorkflowHistoryEventFilterType.CLOSE_EVENT)]
    t.value("close", close)
