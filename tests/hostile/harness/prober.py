"""The bystander: an ordinary client and worker that must notice nothing of what others do to the
server."""

import threading
import time
import uuid

import grpc

from tests.parity.harness.commands import complete, payloads

from .client import Client

CALL_TIMEOUT_S = 20


class Prober:
    """Runs workflows in a thread of its own: start, task, signal, read, complete, read. Keeps what
    went wrong, and how long each call took."""

    def __init__(self, address: str):
        self.client = Client(address)
        self.nonce = uuid.uuid4().hex[:8]
        self.errors: list[str] = []
        self.durations_s: list[float] = []
        self.round_count = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _timed(self, name: str, **fields):
        began = time.monotonic()
        try:
            return getattr(self.client, name)(_timeout=CALL_TIMEOUT_S, **fields)
        finally:
            self.durations_s.append(time.monotonic() - began)

    def _round(self) -> None:
        wid = queue = f"bystander-{self.nonce}-{self.round_count}"
        execution = {"workflow_id": wid}
        self._timed("StartWorkflowExecution", workflow_id=wid, workflow_type={"name": "W"},
                    task_queue={"name": queue}, request_id=wid, identity="bystander")
        self._timed(
            "SignalWorkflowExecution",
            workflow_execution=execution,
            signal_name="s",
            input=payloads("x"),
            identity="bystander",
            request_id=f"{wid}-s",
        )
        task = self._timed(
            "PollWorkflowTaskQueue", task_queue={"name": queue}, identity="bystander"
        )
        assert task.task_token, "no workflow task"
        self._timed(
            "RespondWorkflowTaskCompleted",
            task_token=task.task_token,
            commands=[complete("done")],
            identity="bystander",
        )
        events = self._timed("GetWorkflowExecutionHistory", execution=execution).history.events
        assert len(events) == 6, f"{len(events)} events instead of 6"
        status = self._timed(
            "DescribeWorkflowExecution", execution=execution
        ).workflow_execution_info.status
        assert status == 2, f"status {status}"

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self._round()
            except (grpc.RpcError, AssertionError) as failed:
                text = (
                    f"{failed.code().name}: {failed.details()}"
                    if isinstance(failed, grpc.RpcError)
                    else str(failed)
                )
                self.errors.append(f"round {self.round_count}: {text}")
            self.round_count += 1
            self._ending.wait(0.02)  # a bystander, not a load

    def rounds(self, count: int = 1, timeout: float = 60) -> None:
        """Waits until so many more rounds are complete."""
        target = self.round_count + count + 1
        end = time.monotonic() + timeout
        while self.round_count < target and time.monotonic() < end:
            time.sleep(0.01)
        assert self.round_count >= target, "the bystander is stuck"

    def take_errors(self) -> list[str]:
        errors, self.errors = self.errors, []
        return errors

    def take_longest_s(self) -> float:
        durations, self.durations_s = self.durations_s, []
        return max(durations, default=0.0)

    def close(self) -> None:
        self._ending.set()
        self._thread.join(CALL_TIMEOUT_S + 5)
        self.client.close()
