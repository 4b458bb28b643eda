"""Clients and workers that know one node only, and what they get done there."""

import asyncio
import time
import uuid

import grpc
import grpc.aio
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflowservice.v1 import request_response_pb2 as messages
from temporalio.api.workflowservice.v1 import service_pb2_grpc as service

from tests.crash.load import AGAIN, CHANNEL_OPTIONS
from tests.parity.harness.commands import complete, payloads
from tests.parity.harness.session import Rpc

WORKS_TIMEOUT_S = 30
CALL_TIMEOUT_S = 5
POLL_TIMEOUT_S = 5
PAUSE_S = 0.05
COMPLETED = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED
QUEUE_COUNT = 8  # of three nodes each is home to some of them


async def _answer_of(call):
    """None: nobody knows what came of it; or it came too late, as a repetition may."""
    try:
        return await call
    except grpc.aio.AioRpcError as failed:
        if failed.code() not in AGAIN and failed.code() != grpc.StatusCode.NOT_FOUND:
            raise
        await asyncio.sleep(PAUSE_S)
        return None


async def _workflow(rpc: Rpc, queue: str, until_s: float) -> str | None:
    """One workflow from its start to its end. None: done; else what did not happen."""
    wid, request_id = f"alone-{uuid.uuid4()}", str(uuid.uuid4())
    started, task_count, status = None, 0, None
    while not started and time.monotonic() < until_s:
        started = await _answer_of(rpc.StartWorkflowExecution(
            workflow_id=wid, workflow_type={"name": "Alone"}, task_queue={"name": queue},
            request_id=request_id, input=payloads(wid), _timeout=CALL_TIMEOUT_S))
    while started and status != COMPLETED and time.monotonic() < until_s:
        task = await _answer_of(rpc.PollWorkflowTaskQueue(
            task_queue={"name": queue}, _timeout=POLL_TIMEOUT_S))
        if task and task.task_token:
            task_count += 1
            await _answer_of(rpc.RespondWorkflowTaskCompleted(
                task_token=task.task_token, commands=[complete(wid)], _timeout=CALL_TIMEOUT_S))
        described = await _answer_of(rpc.DescribeWorkflowExecution(
            execution={"workflow_id": wid}, _timeout=CALL_TIMEOUT_S))
        status = described.workflow_execution_info.status if described else None
    if not started:
        return f"{wid} is not acknowledged"
    return None if status == COMPLETED else f"{wid}, {queue}: not done, after {task_count} tasks"


async def works_at(address: str) -> list[str]:
    """Whether workflows are started and done by clients and workers of this node; what is amiss."""
    until_s = time.monotonic() + WORKS_TIMEOUT_S
    async with grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS) as channel:
        rpc = Rpc(channel, service.WorkflowServiceStub(channel), messages)
        prefix = uuid.uuid4()
        return [line for line in await asyncio.gather(
            *(_workflow(rpc, f"alone-{prefix}-{number}", until_s)
              for number in range(QUEUE_COUNT))) if line]
