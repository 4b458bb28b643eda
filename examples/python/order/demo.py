"""The demonstration: an order outlives the death of its server. `scripts/demo` runs it; exit code 0
only if all held.

`python demo.py PERDURE` needs the server's executable and the Python package `temporalio`, nothing
else. """

import asyncio
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any, Awaitable, Callable

from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle

import history
from server import Server
from workflow import TASK_QUEUE, Order, OrderWorkflow, Payment, Shipped

HERE = Path(__file__).resolve().parent
PATIENCE_S = 60
BEGAN = time.monotonic()


def say(text: str) -> None:
    """One line of narration, with the seconds since the beginning."""
    print(f"[{time.monotonic() - BEGAN:5.1f} s] {text}", flush=True)


class Checks:
    """What has to hold; each is told at once and counted at the end."""

    def __init__(self) -> None:
        self.failed = 0

    def __call__(self, what: str, holds: bool) -> None:
        print(f"          {'ok  ' if holds else 'FAIL'}  {what}", flush=True)
        self.failed += not holds


async def until(condition: Callable[[], Awaitable[Any]], what: str) -> Any:
    """Awaits what no call can wait for; returns its first true value."""
    end = time.monotonic() + PATIENCE_S
    while not (found := await condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"waited {PATIENCE_S} s for {what}")
        await asyncio.sleep(0.1)
    return found


async def start_worker(address: str) -> asyncio.subprocess.Process:
    """The worker as a process of its own; returns when it polls."""
    worker = await asyncio.create_subprocess_exec(
        sys.executable,
        HERE / "worker.py",
        address,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    line = await asyncio.wait_for(worker.stdout.readline(), PATIENCE_S)
    if b"polling" not in line:
        raise RuntimeError("the worker did not start")
    return worker


async def stage_is(handle: WorkflowHandle, wanted: str) -> bool:
    return await handle.query(OrderWorkflow.stage) == wanted


async def progress(handle: WorkflowHandle) -> int:
    """How much is packed, by the heartbeat details that the server tells of (SDKs do not send every
    heartbeat)."""
    described = (await handle.describe()).raw_description
    for pending in described.pending_activities:
        running = pending.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
        if running and pending.activity_type.name == "pack" and pending.heartbeat_details.payloads:
            return int(pending.heartbeat_details.payloads[0].data)
    return 0


async def before_the_kill(client: Client, check: Checks) -> WorkflowHandle:
    """Starts the order, asks how far it is, pays."""
    order = Order(number=uuid.uuid4().hex[:8], item="lighthouse", quantity=8)
    handle = await client.start_workflow(
        OrderWorkflow.run, order, id=f"order-{order.number}", task_queue=TASK_QUEUE
    )
    say(f"workflow {handle.id} started; its first activity fails twice and is retried")
    await until(lambda: stage_is(handle, "waiting for payment"), "the reservation")
    check("a query is answered while it waits for a signal: 'waiting for payment'", True)
    await handle.signal(OrderWorkflow.pay, Payment("card", 42.5))
    say("signal sent: paid; now an activity packs and tells by heartbeats how far it is")
    packed = await until(lambda: progress(handle), "heartbeats")
    check(
        f"heartbeat details are seen from outside: {packed} of {order.quantity} packed", packed >= 1
    )
    return handle


async def kill_and_restart(server: Server, handle: WorkflowHandle, check: Checks) -> None:
    """SIGKILL in the middle of the activity; the same data, the same port, a new process."""
    running = (await handle.describe()).status == WorkflowExecutionStatus.RUNNING
    code = server.kill()
    say(f"server killed with SIGKILL (exit code {code})")
    check("the workflow was running when the server was killed", running and code == -9)
    say(f"server started again on the same data, ready after {server.start():.2f} s")
    described = await handle.describe()
    check("the workflow is there and running", described.status == WorkflowExecutionStatus.RUNNING)


def check_history(events: list, check: Checks) -> None:
    """Attempts, timer, signal and order of events, as the history has them."""
    by_kind: dict[str, list] = {}
    for event in events:
        by_kind.setdefault(history.kind(event), []).append(history.attributes(event))
    attempts = [started.attempt for started in by_kind["ACTIVITY_TASK_STARTED"]]
    check(
        f"the first activity needed three attempts, the others one: {attempts}",
        attempts == [3, 1, 1],
    )
    check(
        "one signal, one timer that fired, three activities completed",
        [
            len(by_kind.get(name, []))
            for name in (
                "WORKFLOW_EXECUTION_SIGNALED",
                "TIMER_STARTED",
                "TIMER_FIRED",
                "ACTIVITY_TASK_COMPLETED",
            )
        ]
        == [1, 1, 1, 3],
    )
    check(
        "no event is missing",
        [event.event_id for event in events] == list(range(1, len(events) + 1)),
    )


async def after_the_kill(handle: WorkflowHandle, check: Checks) -> None:
    """The end of the order, and its history."""
    result: Shipped = await asyncio.wait_for(handle.result(), PATIENCE_S)
    say(f"workflow finished: {result}")
    number = handle.id.removeprefix("order-")
    check("the result is what it would have been without the kill",
          result == Shipped(number, f"reservation-{number}", 3, "card", 8, f"parcel-{number}"))
    check("a finished workflow answers queries, too", await stage_is(handle, "shipped"))
    events = (await handle.fetch_history()).events
    print("\nIts history:")
    print("\n".join(history.line(event) for event in events), end="\n\n")
    check_history(events, check)


async def demonstrate(server: Server, check: Checks) -> None:
    """The whole story, with the worker beside it."""
    took = server.start()
    say(f"server ready at {server.address} after {took:.2f} s")
    worker = await start_worker(server.address)
    say("worker started: unmodified Temporal Python SDK, default options")
    try:
        client = await Client.connect(server.address)
        handle = await before_the_kill(client, check)
        await kill_and_restart(server, handle, check)
        await after_the_kill(handle, check)
        check("the worker lived through it all", worker.returncode is None)
    finally:
        if worker.returncode is None:
            worker.terminate()
        await worker.wait()


def main(binary: Path) -> int:
    """Runs it on a fresh data directory, which is removed at the end."""
    check = Checks()
    with tempfile.TemporaryDirectory(prefix="perdure-demo-") as directory:
        server = Server(binary, Path(directory))
        try:
            asyncio.run(demonstrate(server, check))
        finally:
            code = server.stop()
        check("the server stopped cleanly on SIGTERM", code == 0)
    say("demo: all held" if not check.failed else f"demo: {check.failed} did not hold")
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
