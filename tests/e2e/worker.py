"""A worker with default options, written with the unmodified Temporal Python SDK; the Go worker's
twin.

`python -m tests.e2e.worker --address HOST:PORT --queue NAME` prints "ready" when it polls and stops
on SIGTERM. """

import argparse
import asyncio
import logging
import os
import signal
from dataclasses import dataclass, field
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError, is_cancelled_exception
from temporalio.worker import Worker
from temporalio.workflow import ParentClosePolicy


@activity.defn(name="Flaky")
async def flaky() -> int:
    """Fails twice and then tells its attempt."""
    attempt = activity.info().attempt
    if attempt < 3:
        raise ApplicationError(f"attempt {attempt} fails")
    return attempt


@activity.defn(name="Beating")
async def beating() -> int:
    """Heartbeats, fails once, and goes on with the details of its last heartbeat."""
    details = activity.info().heartbeat_details
    if details:
        return details[0] + 1
    activity.heartbeat(41)
    raise ApplicationError("fails after a heartbeat")


@activity.defn(name="Double")
async def double(number: int) -> int:
    """Doubles."""
    return 2 * number


@activity.defn(name="Patient")
async def patient() -> None:
    """Heartbeats until it is cancelled."""
    while True:
        activity.heartbeat()
        await asyncio.sleep(0.1)


@dataclass
class MixedResult:
    """What Mixed saw on its way."""

    runs: int = 0
    attempts: int = 0
    beaten: int = 0
    doubled: list[int] = field(default_factory=list)
    local: int = 0
    side: str = ""
    version: int = 0
    signals: list[str] = field(default_factory=list)


# A task that was given out and is lost, with its server or its worker, comes again after it.
ATTEMPT_TIMEOUT = timedelta(seconds=10)

# By itself the SDK sends one only after 80 % of its timeout: too late for a machine that halts.
HEARTBEAT_EVERY = timedelta(milliseconds=500)

OPTIONS = {
    "start_to_close_timeout": timedelta(seconds=30),
    "heartbeat_timeout": timedelta(seconds=10),
    "retry_policy": RetryPolicy(initial_interval=timedelta(milliseconds=50), maximum_attempts=5),
}


@workflow.defn(name="Mixed")
class Mixed:
    """A little of everything, over two runs."""

    def __init__(self) -> None:
        self._stage = "begun"
        self._result = MixedResult()

    @workflow.run
    async def run(self, runs: int) -> MixedResult:
        self._result.runs = runs
        await self._steps()
        self._stage = "waiting"
        await workflow.wait_condition(lambda: len(self._result.signals) >= 2)
        if runs < 2:
            workflow.continue_as_new(runs + 1)
        self._stage = "done"
        return self._result

    async def _steps(self) -> None:
        result = self._result
        result.attempts = await workflow.execute_activity(flaky, **OPTIONS)
        result.beaten = await workflow.execute_activity(beating, **OPTIONS)
        idle = asyncio.create_task(asyncio.sleep(3600))
        numbers = (workflow.execute_activity(double, number, **OPTIONS) for number in range(1, 5))
        result.doubled = list(await asyncio.gather(*numbers))
        idle.cancel()
        await asyncio.sleep(0.2)
        result.local = await workflow.execute_local_activity(
            double, 21, start_to_close_timeout=timedelta(seconds=10))
        result.side = "effect" if workflow.uuid4() else ""
        result.version = 2 if workflow.patched("change") else 1

    @workflow.signal
    def say(self, text: str) -> None:
        self._result.signals.append(text)

    @workflow.query
    def stage(self) -> str:
        return self._stage


@workflow.defn(name="Cancelled")
class Cancelled:
    """Waits for an activity until it is cancelled, then cleans up."""

    @workflow.run
    async def run(self) -> None:
        try:
            await workflow.execute_activity(
                patient,
                start_to_close_timeout=timedelta(minutes=1),
                heartbeat_timeout=timedelta(seconds=10),
                cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
                retry_policy=RetryPolicy(maximum_attempts=1),
            )
        except BaseException as ended:
            if not is_cancelled_exception(ended):
                raise
            await workflow.execute_activity(double, 1, **OPTIONS)
            raise


@workflow.defn(name="Waiting")
class Waiting:
    """Counts signals until it is told to finish."""

    def __init__(self) -> None:
        self._count = 0
        self._finished = False

    @workflow.run
    async def run(self) -> int:
        await workflow.wait_condition(lambda: self._finished)
        return self._count

    @workflow.signal
    def say(self, text: str) -> None:
        self._finished |= text == "finish"
        self._count += text != "finish"

    @workflow.query
    def count(self) -> int:
        return self._count


@workflow.defn(name="Short")
class Short:
    """One activity."""

    @workflow.run
    async def run(self, number: int) -> int:
        return await workflow.execute_activity(
            double, number, start_to_close_timeout=ATTEMPT_TIMEOUT
        )


@workflow.defn(name="Rabbit")
class Rabbit:
    """A tree of children: branches wait for all of theirs, leaves work or sleep a thousand years.
    Tells how many workflows of its tree completed. The child's ID is the parent's, dot, number."""

    @workflow.run
    async def run(self, fan_out: int, depth: int, leaf: str, policy: str) -> int:
        if depth == 0:
            if leaf == "sleep":
                await workflow.sleep(timedelta(days=365 * 1000))
            return await workflow.execute_activity(
                double, 1, start_to_close_timeout=ATTEMPT_TIMEOUT
            ) - 1
        own = workflow.info().workflow_id
        counts = await asyncio.gather(*(
            workflow.execute_child_workflow(
                Rabbit.run, args=[fan_out, depth - 1, leaf, policy], id=f"{own}.{number}",
                parent_close_policy=ParentClosePolicy[policy],
            )
            for number in range(fan_out)
        ), return_exceptions=True)  # else it would not wait for the others
        for count in counts:
            if isinstance(count, BaseException):
                raise count
        return 1 + sum(counts)


@workflow.defn(name="Teller")
class Teller:
    """Signals another workflow, then asks it to cancel itself."""

    @workflow.run
    async def run(self, workflow_id: str, times: int) -> None:
        other = workflow.get_external_workflow_handle(workflow_id)
        for _ in range(times):
            await other.signal("say", "something")
        await other.cancel()


async def main(address: str, queue: str) -> None:
    """Works until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    client = await Client.connect(address)
    workflows = [Mixed, Cancelled, Waiting, Short, Rabbit, Teller]
    worker = Worker(client, task_queue=queue, workflows=workflows,
                    activities=[flaky, beating, double, patient],
                    max_heartbeat_throttle_interval=HEARTBEAT_EVERY)
    async with worker:
        print("ready", flush=True)
        await stop.wait()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default="127.0.0.1:7233")
    parser.add_argument("--queue", default="e2e-python")
    return parser.parse_args()


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    options = arguments()
    asyncio.run(main(options.address, options.queue))
    # The SDK's own threads are still there, and may call into an interpreter that is being taken
    # down, which aborts the process. All is done: it ends here and now.
    logging.shutdown()
    os._exit(0)
