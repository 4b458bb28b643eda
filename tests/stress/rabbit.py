"""The rabbit: trees of workflows that complete, are terminated, or are canceled."""

import asyncio
import itertools
import time
from dataclasses import dataclass
from typing import Any, Awaitable, Callable, Iterator

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import CancelledError
from temporalio.service import RPCError, RPCStatusCode

AWAY = (RPCStatusCode.UNAVAILABLE, RPCStatusCode.CANCELLED, RPCStatusCode.DEADLINE_EXCEEDED)
CALLS_AT_ONCE = 40


def away(failed: RPCError) -> bool:
    """The server is not there, or went in the middle of the call."""
    return failed.status in AWAY or str(failed) == "transport error"


# A sleeping leaf: started, scheduled, started, completed, timer started.
LEAF_EVENTS = 5


@dataclass
class Tree:
    """Every client is asked in turn, so that all nodes of a cluster have work."""

    clients: list[Client]
    root: str
    queue: str
    fan_out: int
    depth: int
    patience_s: float = 120

    def __post_init__(self) -> None:
        self._turn = itertools.cycle(self.clients)
        self._calls = asyncio.Semaphore(CALLS_AT_ONCE)

    # ---- its shape ----

    def generation(self, depth: int) -> Iterator[str]:
        """The IDs of one generation; 0: the root."""
        for numbers in itertools.product(range(self.fan_out), repeat=depth):
            yield ".".join([self.root, *map(str, numbers)])

    def all(self) -> Iterator[str]:
        for depth in range(self.depth + 1):
            yield from self.generation(depth)

    def leaves(self) -> Iterator[str]:
        return self.generation(self.depth)

    def count(self) -> int:
        return sum(self.fan_out**depth for depth in range(self.depth + 1))

    # ---- asking, also while servers come and go ----

    async def call(self, ask: Callable[[Client], Awaitable[Any]]) -> Any:
        end = time.monotonic() + self.patience_s
        while True:
            try:
                async with self._calls:
                    return await ask(next(self._turn))
            except RPCError as failed:
                if not away(failed) or time.monotonic() > end:
                    raise
            await asyncio.sleep(0.1)

    async def start(self, leaf: str, policy: str) -> None:
        await self.call(lambda client: client.start_workflow(
            "Rabbit", args=[self.fan_out, self.depth, leaf, policy], id=self.root,
            task_queue=self.queue, request_eager_start=False))

    async def result(self) -> Any:
        return await self.call(lambda client: asyncio.wait_for(
            client.get_workflow_handle(self.root).result(), self.patience_s))

    async def describe(self, wid: str) -> Any:
        """None when there is no such workflow."""

        def ask(client: Client) -> Awaitable[Any]:
            return client.workflow_service.describe_workflow_execution(
                DescribeWorkflowExecutionRequest(
                    namespace=client.namespace, execution=WorkflowExecution(workflow_id=wid)))

        try:
            return await self.call(ask)
        except RPCError as failed:
            if failed.status != RPCStatusCode.NOT_FOUND:
                raise
            return None

    async def until(self, holds: Callable[[str], Awaitable[bool]], ids: Iterator[str]) -> None:
        """Awaits that it holds for each of them."""
        end = time.monotonic() + self.patience_s
        rest = list(ids)
        while rest:
            answers = await asyncio.gather(*(holds(wid) for wid in rest))
            rest = [wid for wid, answer in zip(rest, answers) if not answer]
            assert not rest or time.monotonic() < end, f"still waiting for {rest[:10]}"
            await asyncio.sleep(0.1 if rest else 0)

    # ---- looking ----

    async def sleeping(self, wid: str) -> bool:
        described = await self.describe(wid)
        return (described is not None
                and described.workflow_execution_info.history_length >= LEAF_EVENTS)

    async def has(self, wid: str, status: str) -> bool:
        described = await self.describe(wid)
        return described is not None and self.status(described) == status

    @staticmethod
    def status(described: Any) -> str:
        name = WorkflowExecutionStatus.Name(described.workflow_execution_info.status)
        return name.removeprefix("WORKFLOW_EXECUTION_STATUS_")

    async def check(self, wid: str, status: str) -> str | None:
        """What is wrong with one workflow; None: nothing."""
        described = await self.describe(wid)
        if described is None:
            return f"{wid} is missing"
        info = described.workflow_execution_info
        if self.status(described) != status:
            return f"{wid} is {self.status(described)}, not {status}"
        if info.root_execution.workflow_id != self.root:
            return f"the root of {wid} is {info.root_execution.workflow_id}"
        parent = wid.rpartition(".")[0] if wid != self.root else ""
        if info.parent_execution.workflow_id != parent:
            return f"the parent of {wid} is {info.parent_execution.workflow_id}"
        return None

    async def scan(self, status: str) -> None:
        """Every workflow of the tree has this status now."""
        wrong = [found for found in await asyncio.gather(
            *(self.check(wid, status) for wid in self.all())) if found]
        assert not wrong, f"{len(wrong)} of {self.count()} are wrong: {wrong[:10]}"


async def complete(tree: Tree) -> None:
    """All work; whoever completes has waited for its children."""
    await tree.start("work", "TERMINATE")
    result = await tree.result()
    assert result == tree.count(), f"{result} of {tree.count()} completed"
    await tree.scan("COMPLETED")


async def terminate(tree: Tree) -> None:
    """The root is terminated, and with it everything."""
    await tree.start("sleep", "TERMINATE")
    await tree.until(tree.sleeping, tree.leaves())
    await tree.call(lambda client: ended(client.get_workflow_handle(tree.root).terminate("enough")))
    await tree.until(lambda wid: tree.has(wid, "TERMINATED"), tree.all())
    await tree.scan("TERMINATED")


async def cancel(tree: Tree) -> None:
    """The root is asked to cancel itself; it waits for all others."""
    await tree.start("sleep", "REQUEST_CANCEL")
    await tree.until(tree.sleeping, tree.leaves())
    await tree.call(lambda client: client.get_workflow_handle(tree.root).cancel())
    try:
        result = await tree.result()
        raise AssertionError(f"the root was not canceled, but completed with {result}")
    except WorkflowFailureError as failed:
        assert isinstance(failed.cause, CancelledError), failed.cause
    await tree.scan("CANCELED")


async def ended(call: Awaitable[Any]) -> None:
    """A repeated terminate, whose first answer was lost, finds the run closed."""
    try:
        await call
    except RPCError as failed:
        if failed.status != RPCStatusCode.NOT_FOUND:
            raise


SCENARIOS: dict[str, Callable[[Tree], Awaitable[None]]] = {
    "complete": complete,
    "terminate": terminate,
    "cancel": cancel,
}
