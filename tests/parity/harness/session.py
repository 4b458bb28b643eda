"""What a program gets: one server, ids of its own, raw calls, an SDK client, and the notebook of
observations."""

import asyncio
import time
import uuid
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Awaitable, Callable

import grpc
import grpc.aio
import temporalio.client
import temporalio.worker
from temporalio.api.enums.v1 import (
    EventType,
    HistoryEventFilterType,
    TaskQueueKind,
    WorkflowTaskFailedCause,
)
from temporalio.api.operatorservice.v1 import request_response_pb2 as operator_messages
from temporalio.api.operatorservice.v1 import service_pb2_grpc as operator_service
from temporalio.api.workflowservice.v1 import request_response_pb2 as messages
from temporalio.api.workflowservice.v1 import service_pb2_grpc as service

from . import normalise
from .commands import failure, payloads, seconds

IDENTITY = "parity"
CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.max_send_message_length", 64 << 20),
    ("grpc.use_local_subchannel_pool", 1),
]


class Rpc:
    """`await rpc.StartWorkflowExecution(workflow_id=...)`: a raw call, request fields as keywords.

    `namespace` and `identity` are filled in when the request has them and the caller does not give
    them. Options of the call itself begin with an underscore: _timeout (seconds; None: no deadline
    at all) and _metadata. """

    def __init__(self, channel: grpc.aio.Channel, stub: Any, module: Any):
        self._channel, self._stub, self._module = channel, stub, module

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method, request = getattr(self._stub, name), getattr(self._module, f"{name}Request")

        def call(
            _timeout: float | None = 20, _metadata: tuple = (), **fields: Any
        ) -> Awaitable[Any]:
            known = request.DESCRIPTOR.fields_by_name
            if "namespace" in known:
                fields.setdefault("namespace", "default")
            if "identity" in known:
                fields.setdefault("identity", IDENTITY)
            return method(request(**fields), timeout=_timeout, metadata=_metadata)

        return call


class Session:
    """One program on one server. Ids and task queues are the same on both servers and unique to
    program and run."""

    def __init__(self, program: str, nonce: str, address: str, client: temporalio.client.Client):
        self.program, self.nonce, self.address, self.client = program, nonce, address, client
        self.wid = self.id()
        self.tq = self.id("tq")
        self.sticky = self.id("sticky")
        self.observations: dict[str, Any] = {}
        self.started: list[tuple[str, str]] = []
        self.channel = grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
        self.rpc = Rpc(self.channel, service.WorkflowServiceStub(self.channel), messages)
        self.operator = Rpc(
            self.channel, operator_service.OperatorServiceStub(self.channel), operator_messages
        )

    def id(self, suffix: str = "") -> str:
        return f"{self.program}{'-' + suffix if suffix else ''}.{self.nonce}"

    async def close(self) -> None:
        """Terminates what the program left running, so that it does not load the servers on."""
        await asyncio.gather(*(self._end(*run) for run in dict.fromkeys(self.started)))
        await self.channel.close()

    async def _end(self, wid: str, _run: str) -> None:
        try:
            await self.rpc.TerminateWorkflowExecution(
                workflow_execution={"workflow_id": wid}, _timeout=2
            )
        except grpc.aio.AioRpcError:
            pass

    # ---- the notebook ----

    def value(self, name: str, value: Any, mask: tuple[str, ...] = ()) -> Any:
        """Records a message or plain value under `name`; returns it."""
        assert name not in self.observations, f"{self.program} records {name} twice"
        self.observations[name] = normalise.mask(normalise.plain(value), mask)
        return value

    async def error(self, name: str, call: Awaitable[Any]) -> BaseException | None:
        """Records how a call fails: code, text, details (or, if it does not, what it returned)."""
        try:
            result = await call
        except (grpc.aio.AioRpcError, Exception) as failed:
            self.value(name, {"error": normalise.error(failed)})
            return failed
        self.value(name, {"succeeded": normalise.plain(result)})
        return None

    async def history(
        self, name: str = "history", wid: str = "", run: str = "", mask: tuple[str, ...] = ()
    ) -> list:
        """Records the full history, every page."""
        events = await self.events(wid, run)
        self.value(name, events, mask)
        return events

    async def describe(
        self, name: str = "describe", wid: str = "", run: str = "", mask: tuple[str, ...] = ()
    ) -> Any:
        described = await self.rpc.DescribeWorkflowExecution(execution=self.execution(wid, run))
        return self.value(name, described, mask)

    # ---- reading ----

    def execution(self, wid: str = "", run: str = "") -> dict[str, str]:
        return {"workflow_id": wid or self.wid, "run_id": run}

    async def events(self, wid: str = "", run: str = "") -> list:
        events: list = []
        token = b""
        while True:
            page = await self.rpc.GetWorkflowExecutionHistory(
                execution=self.execution(wid, run), next_page_token=token
            )
            events.extend(page.history.events)
            token = page.next_page_token
            if not token:
                return events

    async def closed(self, wid: str = "", run: str = "", timeout: float = 30) -> Any:
        """Waits until the run is closed; returns its last event."""
        token = b""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            page = await self.rpc.GetWorkflowExecutionHistory(
                execution=self.execution(wid, run),
                wait_new_event=True,
                history_event_filter_type=HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT,
                next_page_token=token,
                _timeout=timeout,
            )
            if page.history.events:
                return page.history.events[-1]
            token = page.next_page_token
        raise TimeoutError(f"{wid or self.wid} is not closed after {timeout} s")

    async def until(
        self, condition: Callable[[], Awaitable[Any]], what: str, timeout: float = 20
    ) -> Any:
        """Awaits a condition that no call can wait for; returns its first true value."""
        end = time.monotonic() + timeout
        while True:
            found = await condition()
            if found:
                return found
            if time.monotonic() > end:
                raise TimeoutError(f"waited {timeout} s for {what}")
            await asyncio.sleep(0.05)

    @staticmethod
    async def wait(call: Awaitable[Any]) -> Any:
        """A raw call as a coroutine, for those who need one (asyncio.gather, create_task)."""
        return await call

    async def event(
        self, kind: str, wid: str = "", run: str = "", count: int = 1, timeout: float = 20
    ) -> Any:
        """Waits until the history holds the `count`-th event of a type ("TIMER_FIRED"); returns
        it."""
        number = EventType.Value(f"EVENT_TYPE_{kind}")

        async def there() -> Any:
            found = [event for event in await self.events(wid, run) if event.event_type == number]
            return found[count - 1] if len(found) >= count else None

        return await self.until(there, f"event {kind}", timeout)

    async def pending(
        self, check: Callable[[Any], bool], wid: str = "", timeout: float = 20
    ) -> Any:
        """Waits until describe says of the first pending activity what `check` asks for; returns
        the answer."""

        async def there() -> Any:
            described = await self.rpc.DescribeWorkflowExecution(execution=self.execution(wid))
            return (
                described
                if described.pending_activities and check(described.pending_activities[0])
                else None
            )

        return await self.until(there, "pending activity", timeout)

    # ---- starting, signalling ----

    async def start(self, wid: str = "", **fields: Any) -> str:
        """Starts a workflow of type W; returns its run id."""
        return (await self.start_response(wid, **fields)).run_id

    async def start_response(self, wid: str = "", **fields: Any) -> Any:
        wid = wid or self.wid
        fields.setdefault("workflow_type", {"name": "W"})
        fields.setdefault("task_queue", {"name": self.tq})
        fields.setdefault("request_id", str(uuid.uuid4()))
        response = await self.rpc.StartWorkflowExecution(workflow_id=wid, **fields)
        self.started.append((wid, response.run_id))
        return response

    async def signal(
        self, name: str = "s", *values: Any, wid: str = "", run: str = "", **fields: Any
    ) -> Any:
        if values:
            fields["input"] = payloads(*values)
        fields.setdefault("request_id", str(uuid.uuid4()))
        return await self.rpc.SignalWorkflowExecution(
            workflow_execution=self.execution(wid, run), signal_name=name, **fields
        )

    async def terminate(self, wid: str = "", run: str = "", **fields: Any) -> Any:
        return await self.rpc.TerminateWorkflowExecution(
            workflow_execution=self.execution(wid, run), **fields
        )

    async def request_cancel(self, wid: str = "", run: str = "", **fields: Any) -> Any:
        fields.setdefault("request_id", str(uuid.uuid4()))
        return await self.rpc.RequestCancelWorkflowExecution(
            workflow_execution=self.execution(wid, run), **fields
        )

    # ---- playing the worker by hand ----

    async def poll(self, queue: str = "", sticky: bool = False, timeout: float = 20) -> Any:
        """The next workflow task of the program's queue (sticky: of its sticky queue)."""
        task_queue: dict[str, Any] = {"name": queue or self.tq}
        if sticky:
            task_queue = self.sticky_queue()
        return await self._poll(self.rpc.PollWorkflowTaskQueue, task_queue, timeout)

    async def introduce_sticky(self) -> Any:
        """An idle poll of the sticky queue: only queues that somebody polled lately get sticky
        tasks. Like a worker it polls again if the answer came after the deadline: the server has
        about a second for it, whatever the deadline."""
        while True:
            try:
                return await self.rpc.PollWorkflowTaskQueue(
                    task_queue=self.sticky_queue(), _timeout=3
                )
            except grpc.aio.AioRpcError as late:
                if late.code() != grpc.StatusCode.DEADLINE_EXCEEDED:
                    raise

    async def poll_activity(self, queue: str = "", timeout: float = 20) -> Any:
        return await self._poll(self.rpc.PollActivityTaskQueue, {"name": queue or self.tq}, timeout)

    async def _poll(self, call: Callable, task_queue: dict, timeout: float) -> Any:
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            task = await call(task_queue=task_queue, _timeout=max(3, end - time.monotonic()))
            if task.task_token:
                return task
        raise TimeoutError(f"no task on {task_queue['name']} within {timeout} s")

    async def complete(self, task: Any, *commands: Any, **fields: Any) -> Any:
        """Completes a workflow task with commands. stick=True asks for the sticky queue from now
        on."""
        if fields.pop("stick", False):
            fields["sticky_attributes"] = self.sticky_attributes(
                fields.pop("sticky_timeout", seconds(10))
            )
        return await self.rpc.RespondWorkflowTaskCompleted(
            task_token=task.task_token, commands=commands, **fields
        )

    def sticky_attributes(self, timeout: timedelta) -> dict[str, Any]:
        return {
            "worker_task_queue": self.sticky_queue(),
            "schedule_to_start_timeout": timeout,
        }

    def sticky_queue(self) -> dict[str, Any]:
        return {
            "name": self.sticky,
            "kind": TaskQueueKind.TASK_QUEUE_KIND_STICKY,
            "normal_name": self.tq,
        }

    async def step(self, *commands: Any, **fields: Any) -> Any:
        """Polls one workflow task and completes it with commands; returns the task."""
        task = await self.poll()
        await self.complete(task, *commands, **fields)
        return task

    async def fail_task(
        self, task: Any, cause: str = "WORKFLOW_WORKER_UNHANDLED_FAILURE", **fields: Any
    ) -> Any:
        fields.setdefault("failure", failure("task failed", "TaskFailure"))
        return await self.rpc.RespondWorkflowTaskFailed(
            task_token=task.task_token,
            cause=WorkflowTaskFailedCause.Value(f"WORKFLOW_TASK_FAILED_CAUSE_{cause}"),
            **fields,
        )

    async def complete_activity(self, task: Any, *results: Any, **fields: Any) -> Any:
        if results:
            fields["result"] = payloads(*results)
        return await self.rpc.RespondActivityTaskCompleted(task_token=task.task_token, **fields)

    async def fail_activity(self, task: Any, failed: Any = None, **fields: Any) -> Any:
        return await self.rpc.RespondActivityTaskFailed(
            task_token=task.task_token, failure=failure() if failed is None else failed, **fields
        )

    async def heartbeat(self, task: Any, *details: Any, **fields: Any) -> Any:
        if details:
            fields["details"] = payloads(*details)
        return await self.rpc.RecordActivityTaskHeartbeat(task_token=task.task_token, **fields)

    # ---- the SDK ----

    @asynccontextmanager
    async def worker(self, workflows: list = (), activities: list = (), **options: Any):
        """An SDK worker on the program's task queue."""
        options.setdefault("workflow_runner", temporalio.worker.UnsandboxedWorkflowRunner())
        options.setdefault("identity", "parity-worker")
        options.setdefault("build_id", "parity-build")
        options.setdefault("task_queue", self.tq)
        client = options.pop("client", self.client)
        running = temporalio.worker.Worker(
            client, workflows=workflows, activities=activities, **options
        )
        async with running:
            yield running

    async def start_sdk(self, workflow: Any, *args: Any, wid: str = "", **options: Any) -> Any:
        """Starts a workflow through the SDK; returns its handle."""
        options.setdefault("task_queue", self.tq)
        handle = await self.client.start_workflow(
            workflow, args=args, id=wid or self.wid, **options
        )
        self.started.append((handle.id, handle.first_execution_run_id or ""))
        return handle
