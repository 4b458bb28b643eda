"""Clients and workers that know one node only, and what they get done there."""

import asyncio
import time
import uuid

import grpc.aio
from temporalio.api.workflowservice.v1 import request_response_pb2 as messages
from temporalio.api.workflowservice.v1 import service_pb2_grpc as service

from tests.crash.load import AGAIN, CHANNEL_OPTIONS
from tests.parity.harness.commands import complete, payloads
from tests.parity.harness.session import Rpc

WORKS_TIMEOUT_S = 30
CALL_TIMEOUT_S = 5
POLL_TIMEOUT_S = 5
PAUSE_S = 0.05
QUEUE_COUNT = 8  # of three nodes each is home to some of them


async def _until_done(call, done, until_s: float) -> bool:
    """Repeats a call until its answer is as wanted; False: it was not in time."""
    while time.monotonic() < until_s:
        try:
            if done(await call()):
                return True
        except grpc.aio.AioRpcError as failed:
            if failed.code() not in AGAIN:
                raise
        await asyncio.sleep(PAUSE_S)
    return False


async def _workflow(rpc: Rpc, queue: str, until_s: float) -> str | None:
    """One workflow from its start to its end. None: done; else what did not happen."""
    wid, request_id = f"alone-{uuid.uuid4()}", str(uuid.uuid4())
    tasks = []

    def is_task(task) -> bool:
        tasks.append(task)
        return bool(task.task_token)

    if not await _until_done(lambda: rpc.StartWorkflowExecution(
            workflow_id=wid, workflow_type={"name": "Alone"}, task_queue={"name": queue},
            request_id=request_id, input=payloads(wid), _timeout=CALL_TIMEOUT_S),
            lambda answer: answer.run_id, until_s):
        return f"{wid} is not acknowledged"
    if not await _until_done(lambda: rpc.PollWorkflowTaskQueue(
            task_queue={"name": queue}, _timeout=POLL_TIMEOUT_S), is_task, until_s):
        return f"no worker of {queue} gets the task of {wid}"
    if not await _until_done(lambda: rpc.RespondWorkflowTaskCompleted(
            task_token=tasks[-1].task_token, commands=[complete(wid)], _timeout=CALL_TIMEOUT_S),
            lambda answer: True, until_s):
        return f"the task of {wid} cannot be completed"
    return None


async def works_at(address: str) -> list[str]:
    """Whether workflows are started and done by clients and workers of this node; what is amiss."""
    until_s = time.monotonic() + WORKS_TIMEOUT_S
    async with grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS) as channel:
        rpc = Rpc(channel, service.WorkflowServiceStub(channel), messages)
        prefix = uuid.uuid4()
        return [line for line in await asyncio.gather(
            *(_workflow(rpc, f"alone-{prefix}-{number}", until_s)
              for number in range(QUEUE_COUNT))) if line]
