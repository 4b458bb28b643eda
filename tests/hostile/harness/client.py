"""Ordinary calls, raw calls, and what is known of every RPC."""

import itertools
from typing import Any, Callable

import grpc
from temporalio.api.operatorservice.v1 import request_response_pb2 as operator_messages
from temporalio.api.operatorservice.v1 import service_pb2_grpc as operator_service
from temporalio.api.workflowservice.v1 import request_response_pb2 as messages
from temporalio.api.workflowservice.v1 import service_pb2_grpc as service

OPTIONS = [
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.max_send_message_length", 64 << 20),
    ("grpc.max_metadata_size", 1 << 20),
    ("grpc.use_local_subchannel_pool", 1),
]
WORKFLOW_SERVICE = "/temporal.api.workflowservice.v1.WorkflowService/"
OK = grpc.StatusCode.OK
CODES = grpc.StatusCode
numbers = itertools.count(1)


class _Paths:
    """Stands in for a channel: keeps the paths that a stub asks for."""

    def __init__(self, stub: Callable[[Any], Any]):
        self.paths: list[str] = []
        stub(self)

    def unary_unary(self, path: str, *_: Any, **__: Any) -> None:
        self.paths.append(path)


class Method:
    def __init__(self, path: str, module: Any):
        self.path, self.name = path, path.rsplit("/", 1)[1]
        self.request = getattr(module, f"{self.name}Request")

    @property
    def waits(self) -> bool:
        """May it be answered only after a while, if at all?"""
        return (
            self.name.startswith("Poll")
            or self.name in ("QueryWorkflow", "GetWorkflowExecutionHistory")
            or "Update" in self.name
            or self.name == "ExecuteMultiOperation"
        )


METHODS = [Method(path, messages) for path in _Paths(service.WorkflowServiceStub).paths] + \
    [Method(path, operator_messages) for path in _Paths(operator_service.OperatorServiceStub).paths]


class Answer:
    """Code, text and bytes of a call that has ended, either way."""

    def __init__(self, code: grpc.StatusCode, text: str, data: bytes = b""):
        self.code, self.text, self.data = code, text, data

    def __repr__(self) -> str:
        return (
            f"{self.code.name}: {self.text[:300]}"
            if self.code != OK
            else f"OK ({len(self.data)} bytes)"
        )


class Client:
    def __init__(self, address: str):
        self.channel = grpc.insecure_channel(address, options=OPTIONS)
        self.stub = service.WorkflowServiceStub(self.channel)

    def close(self) -> None:
        self.channel.close()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """client.SignalWorkflowExecution(field=...): fails with grpc.RpcError."""
        method, request = getattr(self.stub, name), getattr(messages, f"{name}Request")

        def call(_timeout: float | None = 30, **fields: Any) -> Any:
            if "namespace" in request.DESCRIPTOR.fields_by_name:
                fields.setdefault("namespace", "default")
            return method(request(**fields), timeout=_timeout)

        return call

    def begin(
        self, path: str, data: bytes, timeout: float | None = 30, metadata: tuple = ()
    ) -> grpc.Future:
        return self.channel.unary_unary(path).future(data, timeout=timeout, metadata=metadata)

    def send(
        self, path: str, data: bytes, timeout: float | None = 30, metadata: tuple = ()
    ) -> Answer:
        """Bytes as the message of any method."""
        return answer(self.begin(path, data, timeout, metadata))

    def send_method(self, name: str, data: bytes, timeout: float | None = 30) -> Answer:
        return self.send(WORKFLOW_SERVICE + name, data, timeout)

    def start(self, wid: str, queue: str, **fields: Any) -> str:
        return self.StartWorkflowExecution(
            workflow_id=wid,
            workflow_type={"name": "W"},
            task_queue={"name": queue},
            request_id=f"r{next(numbers)}",
            identity="hostile",
            **fields,
        ).run_id

    def poll(self, queue: str, timeout: float = 30) -> Any:
        """A workflow task; AssertionError if there is none in time."""
        task = self.PollWorkflowTaskQueue(
            task_queue={"name": queue}, identity="hostile", _timeout=timeout
        )
        assert task.task_token, f"no workflow task on {queue}"
        return task

    def poll_activity(self, queue: str, timeout: float = 30) -> Any:
        task = self.PollActivityTaskQueue(
            task_queue={"name": queue}, identity="hostile", _timeout=timeout
        )
        assert task.task_token, f"no activity task on {queue}"
        return task

    def complete(self, task: Any, *commands: Any) -> Any:
        return self.RespondWorkflowTaskCompleted(
            task_token=task.task_token, commands=commands, identity="hostile"
        )

    def events(self, wid: str, run: str = "") -> list:
        """The whole history, as it came (the messages may be nested too deeply to be read here)."""
        found: list = []
        token = b""
        while True:
            page = self.GetWorkflowExecutionHistory(execution={"workflow_id": wid, "run_id": run},
                                                    next_page_token=token)
            found.extend(page.history.events)
            token = page.next_page_token
            if not token:
                return found


def answer(call: grpc.Future) -> Answer:
    try:
        return Answer(OK, "", call.result())
    except grpc.RpcError as failed:
        return Answer(failed.code(), failed.details() or "")
