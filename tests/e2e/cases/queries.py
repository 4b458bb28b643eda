"""Queries: asked of a worker while its workflow moves on."""

import asyncio

from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import QueryResultType, TaskQueueKind, TaskQueueType
from temporalio.api.query.v1 import WorkflowQueryResult
from temporalio.api.taskqueue.v1 import StickyExecutionAttributes, TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse,
    RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskCompletedResponse,
)
from temporalio.client import WorkflowHandle
from temporalio.converter import default

from ..case import PATIENCE_S, Case, case


@case(alone=True)
async def queries_under_a_flood(t: Case) -> None:
    """Queries to workflows that get one signal after the other: each is answered, and with what had
    been acknowledged before it."""
    async with t.worker():
        handles = await asyncio.gather(
            *(t.start("Waiting", suffix=str(number)) for number in range(50))
        )
        await asyncio.gather(*(signal_and_ask(t, handle) for handle in handles))


async def signal_and_ask(t: Case, handle: WorkflowHandle) -> None:
    """Waits for the worker now and then: how many signals it can take is not for us to say."""
    sent = 0

    async def say(times: int) -> None:
        nonlocal sent
        for _ in range(times):
            await handle.signal("say", "again")
            sent += 1

    for _ in range(12):
        busy = asyncio.create_task(say(16))
        while not busy.done():
            acknowledged = sent
            count = await asyncio.wait_for(handle.query("count"), PATIENCE_S)
            assert count >= acknowledged, (count, acknowledged)
        await busy
    await t.answers(handle, "count", sent)


class Hand:
    """A worker's calls, one by one: what a worker answers, and what not, is the case's to say."""

    def __init__(self, t: Case):
        self.service = t.client.workflow_service
        self.queue = TaskQueue(name=t.queue)
        self.sticky = TaskQueue(name=t.id("sticky"), kind=TaskQueueKind.TASK_QUEUE_KIND_STICKY,
                                normal_name=t.queue)

    async def poll(self, *, sticky: bool) -> PollWorkflowTaskQueueResponse:
        task = await self.service.poll_workflow_task_queue(PollWorkflowTaskQueueRequest(
            namespace="default", task_queue=self.sticky if sticky else self.queue))
        assert task.task_token, "nothing came"
        return task

    async def waits(self) -> bool:
        """Does a poll of the sticky queue wait?"""
        described = await self.service.describe_task_queue(DescribeTaskQueueRequest(
            namespace="default", task_queue=self.sticky,
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW))
        return bool(described.pollers)

    async def complete(
        self, task: PollWorkflowTaskQueueResponse, answer: int | None = None
    ) -> RespondWorkflowTaskCompletedResponse:
        """Without commands; with an answer to all queries, or to none."""
        payloads = Payloads(payloads=[] if answer is None else
                            await default().encode([answer]))
        result = WorkflowQueryResult(result_type=QueryResultType.QUERY_RESULT_TYPE_ANSWERED,
                                     answer=payloads)
        return await self.service.respond_workflow_task_completed(
            RespondWorkflowTaskCompletedRequest(
                namespace="default", task_token=task.task_token, return_new_workflow_task=True,
                sticky_attributes=StickyExecutionAttributes(
                    worker_task_queue=self.sticky, schedule_to_start_timeout=Duration(seconds=30)),
                query_results={} if answer is None else {id: result for id in task.queries}))


@case()
async def query_that_a_worker_dropped(t: Case) -> None:
    """A worker that comes to a direct query after a later workflow task drops it. So it goes with
    that task, too."""
    handle, hand = await t.start("Waiting"), Hand(t)
    await hand.complete(await hand.poll(sticky=False))
    polling = asyncio.create_task(hand.poll(sticky=True))
    await t.until(hand.waits, "the sticky poll")  # else the query would go to the normal queue
    asked = asyncio.create_task(handle.query("count"))
    direct = await polling
    assert direct.query.query_type == "count" and not direct.queries, direct
    await handle.signal("say", "again")
    task = await hand.poll(sticky=True)
    assert [query.query_type for query in task.queries.values()] == ["count"], task
    await hand.complete(task, answer=1)
    assert await asyncio.wait_for(asked, PATIENCE_S) == 1


@case()
async def query_that_a_completion_does_not_answer(t: Case) -> None:
    """It is asked again with a later workflow task, even if each is started by the completion of
    the one before."""
    handle, hand = await t.start("Waiting"), Hand(t)
    await hand.complete(await hand.poll(sticky=False))
    await handle.signal("say", "again")
    task = await hand.poll(sticky=False)  # nobody has polled the sticky queue yet
    asked = asyncio.create_task(handle.query("count"))
    for _ in range(4):  # the query has arrived when a task brings it
        await handle.signal("say", "again")
        task = (await hand.complete(task)).workflow_task
        assert task.task_token, "no new task"
        if task.queries:
            break
    assert task.queries, "the query did not come"
    for _ in range(2):
        await handle.signal("say", "again")
        task = (await hand.complete(task)).workflow_task
    assert task.queries, "the query was lost"
    await hand.complete(task, answer=7)
    assert await asyncio.wait_for(asked, PATIENCE_S) == 7
