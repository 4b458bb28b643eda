"""The load: clients that start and signal workflows, workers that do them, readers; none gives up
at a crash."""

import asyncio
import random
import uuid
from typing import Any, Awaitable, Callable

import grpc
import grpc.aio
from temporalio.api.enums.v1 import HistoryEventFilterType
from temporalio.api.workflowservice.v1 import request_response_pb2 as messages
from temporalio.api.workflowservice.v1 import service_pb2_grpc as service

from tests.parity.harness.commands import activity, complete, payloads, seconds, timer
from tests.parity.harness.session import Rpc

from .checker import SIGNAL_COUNT, Run, Runs, first_value, signal_ids
from .ledger import Ledger, kind

QUEUE = "crash"
CALL_TIMEOUT_S = 5
POLL_TIMEOUT_S = 15
PAUSE_S = 0.05
CHANNEL_OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 100),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.lb_policy_name", "round_robin"),  # of several addresses
    # As SDKs do, but sooner: a server that is cut off or stopped says nothing, and whoever goes on
    # asking it goes on waiting. The first time-out is that of TCP, for a dead link; a process that
    # hangs answers TCP and is found by the second.
    ("grpc.keepalive_time_ms", 1000),
    ("grpc.keepalive_timeout_ms", 2000),
    ("grpc.http2.ping_timeout_ms", 2000),
    ("grpc.http2.max_pings_without_data", 0),  # as many as it takes
]
AGAIN = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}


class Load:
    """Everything that talks to the server. Every random choice comes from `seed`."""

    def __init__(self, address: str, seed: int, clients: int = 24, workers: int = 6):
        self.ledger = Ledger()
        self.random = random.Random(seed)
        self.prefix = f"crash-{seed}"
        self.stopping = False
        self.count = 0
        self.client_count, self._workers = clients, workers
        self._channels = [
            grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS) for _ in range(2)
        ]
        self.client, self.worker = (Rpc(channel, service.WorkflowServiceStub(channel), messages)
                                    for channel in self._channels)
        self._flows: list[asyncio.Task] = []
        self._tasks: list[asyncio.Task] = []

    # ---- life ----

    def start(self) -> None:
        """Begins; goes on until drain()."""
        self._flows = [asyncio.create_task(self._flow()) for _ in range(self.client_count)]
        kinds = [self._work_on_tasks, self._work_on_activities]
        self._tasks = [asyncio.create_task(work()) for work in kinds for _ in range(self._workers)]
        self._tasks += [asyncio.create_task(self._read()) for _ in range(2)]

    def failed(self) -> None:
        """Raises what any part of the load stumbled upon."""
        for task in [*self._flows, *self._tasks]:
            if task.done() and task.exception():
                raise task.exception()

    async def drain(self, timeout_s: float) -> list[str]:
        """Begins no new workflows and waits for the open ones; returns complaints."""
        self.stopping = True
        done, late = await asyncio.wait(self._flows, timeout=timeout_s)
        complaints = [f"a client failed: {task.exception()!r}" for task in done if task.exception()]
        complaints += (
            [f"{len(late)} clients still wait for their workflow after {timeout_s} s"]
            if late
            else []
        )
        for task in [*late, *self._tasks]:
            task.cancel()
        rest = await asyncio.gather(*late, *self._tasks, return_exceptions=True)
        return complaints + [
            f"a worker failed: {end!r}"
            for end in rest
            if isinstance(end, Exception) and not isinstance(end, asyncio.CancelledError)
        ]

    async def close(self) -> None:
        for task in [*self._flows, *self._tasks]:
            task.cancel()  # when the test came to an end before drain()
        await asyncio.gather(*self._flows, *self._tasks, return_exceptions=True)
        for channel in self._channels:
            await channel.close()

    # ---- clients ----

    async def again(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """Repeats a call until it is answered; other errors than those of a crash are the
        caller's."""
        while True:
            try:
                return await call()
            except grpc.aio.AioRpcError as failed:
                if failed.code() not in AGAIN:
                    raise
                self.ledger.unknown += 1
            await asyncio.sleep(PAUSE_S)

    async def _flow(self) -> None:
        """One workflow after the other: start, signals (some of both twice), wait for its end."""
        while not self.stopping:
            self.count += 1
            wid = f"{self.prefix}-{self.count}"
            await self._start(wid)
            order = signal_ids(wid)
            self.random.shuffle(order)
            await asyncio.gather(*(self._signal(wid, signal_id) for signal_id in order))
            await self.again(lambda: self._closed(wid))

    async def _start(self, wid: str) -> None:
        request_id = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        for _ in range(self._times()):
            response = await self.again(
                lambda: self.client.StartWorkflowExecution(
                    workflow_id=wid,
                    workflow_type={"name": "Crash"},
                    task_queue={"name": QUEUE},
                    request_id=request_id,
                    workflow_task_timeout=seconds(2),
                    input=payloads(wid),
                    _timeout=CALL_TIMEOUT_S,
                )
            )
            self.ledger.started(wid, response.run_id)

    async def _signal(self, wid: str, signal_id: str) -> None:
        """A workflow that has ended had this signal already: an earlier try arrived without being
        answered."""
        await asyncio.sleep(self.random.uniform(0, 0.2))
        tries = self.ledger.unknown
        for repeated in range(self._times()):
            try:
                await self.again(
                    lambda: self.client.SignalWorkflowExecution(
                        workflow_execution={"workflow_id": wid},
                        signal_name="s",
                        request_id=f"request {signal_id}",
                        input=payloads(signal_id),
                        _timeout=CALL_TIMEOUT_S,
                    )
                )
                self.ledger.signals[signal_id] = wid
            except grpc.aio.AioRpcError as failed:
                if failed.code() != grpc.StatusCode.NOT_FOUND:
                    raise
                if not repeated and tries == self.ledger.unknown:
                    self.ledger.wrong.append(
                        f"{wid}: not there for its first signal: {failed.details()}"
                    )

    def _times(self) -> int:
        return 2 if self.random.random() < 0.15 else 1

    async def _closed(self, wid: str) -> None:
        token = b""
        while True:
            page = await self.client.GetWorkflowExecutionHistory(
                execution={"workflow_id": wid},
                wait_new_event=True,
                next_page_token=token,
                _timeout=POLL_TIMEOUT_S,
                history_event_filter_type=HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT,
            )
            if page.history.events:
                return
            token = page.next_page_token

    async def _read(self) -> None:
        """Reads histories of workflows that are being worked on: what is shown has to stay."""
        while True:
            await asyncio.sleep(self.random.uniform(0, 0.1))
            wid = f"{self.prefix}-{max(1, self.count - self.random.randrange(self.client_count))}"
            if wid in self.ledger.starts:
                self.ledger.read(wid, await self.again(lambda: self.events(wid)))

    async def events(self, wid: str, run_id: str = "") -> list:
        """A whole history."""
        events: list = []
        token = b""
        while True:
            page = await self.client.GetWorkflowExecutionHistory(
                execution={"workflow_id": wid, "run_id": run_id},
                next_page_token=token,
                _timeout=CALL_TIMEOUT_S,
            )
            events.extend(page.history.events)
            token = page.next_page_token
            if not token:
                return events

    async def runs(self) -> Runs:
        """All workflows that were ever named, as the server shows them; those it does not know are
        missing."""
        found: Runs = {}
        for wid in (f"{self.prefix}-{number}" for number in range(1, self.count + 1)):
            try:
                described = await self.again(
                    lambda: self.client.DescribeWorkflowExecution(execution={"workflow_id": wid})
                )
            except grpc.aio.AioRpcError as failed:
                if failed.code() != grpc.StatusCode.NOT_FOUND:
                    raise
                continue
            run_id = described.workflow_execution_info.execution.run_id
            events = await self.again(lambda: self.events(wid, run_id))
            found[wid] = Run(run_id, events)
        return found

    # ---- workers ----

    async def _respond(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """Repeats an answer until it is acknowledged; None if it came too late."""
        try:
            return await self.again(call)
        except grpc.aio.AioRpcError as failed:
            if failed.code() != grpc.StatusCode.NOT_FOUND:
                raise
            self.ledger.refused += 1
            return None

    async def _work_on_tasks(self) -> None:
        while True:
            task = await self.again(lambda: self.worker.PollWorkflowTaskQueue(
                task_queue={"name": QUEUE}, _timeout=POLL_TIMEOUT_S))
            if not task.task_token:
                continue
            identity = f"worker-{self.random.getrandbits(64):x}"
            commands = decide(task, self.random)
            done = await self._respond(
                lambda: self.worker.RespondWorkflowTaskCompleted(
                    task_token=task.task_token,
                    commands=commands,
                    identity=identity,
                    _timeout=CALL_TIMEOUT_S,
                )
            )
            if done is not None:
                self.ledger.tasks[identity] = task.workflow_execution.workflow_id
                for eager in done.activity_tasks:
                    await self._work(eager)

    async def _work_on_activities(self) -> None:
        while True:
            task = await self.again(lambda: self.worker.PollActivityTaskQueue(
                task_queue={"name": QUEUE}, _timeout=POLL_TIMEOUT_S))
            if task.task_token:
                await self._work(task)

    async def _work(self, task: Any) -> None:
        result = f"{task.activity_id} {self.random.getrandbits(64):x}"
        if (
            await self._respond(
                lambda: self.worker.RespondActivityTaskCompleted(
                    task_token=task.task_token, result=payloads(result), _timeout=CALL_TIMEOUT_S
                )
            )
            is not None
        ):
            self.ledger.activities[result] = task.workflow_execution.workflow_id


def decide(task: Any, chance: random.Random) -> list:
    """The workflow: a timer, one activity per signal; when all are through, the end."""
    events = task.history.events
    kinds = [kind(event) for event in events]
    signals = [first_value(event.workflow_execution_signaled_event_attributes.input)
               for event in events if kind(event) == "WORKFLOW_EXECUTION_SIGNALED"]
    scheduled = {event.activity_task_scheduled_event_attributes.activity_id
                 for event in events if kind(event) == "ACTIVITY_TASK_SCHEDULED"}
    if "TIMER_FIRED" in kinds and kinds.count("ACTIVITY_TASK_COMPLETED") == SIGNAL_COUNT:
        return [complete(sorted(signals))]
    commands = [] if "TIMER_STARTED" in kinds else [timer("t", chance.uniform(0.05, 0.5))]
    return commands + [activity(signal_id, QUEUE, start_to_close_timeout=seconds(2),
                                request_eager_execution=chance.random() < 0.5)
                       for signal_id in signals if signal_id not in scheduled]
