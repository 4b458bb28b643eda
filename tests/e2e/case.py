"""What a case gets: a server, a client, workers as processes, the `temporal` command, and names of
its own."""

import asyncio
import json
import secrets
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, AsyncIterator, Awaitable, Callable

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from . import golang
from .perdure import Perdure

PATIENCE_S = 60


@dataclass
class Registered:
    """A case and what it needs. alone: a server of its own, which it may stop or kill. embedded:
    it is about the embedded log. single: about a server that has everything itself."""

    name: str
    body: Callable[["Case"], Awaitable[None]]
    alone: bool
    about: str
    needs_go: bool
    embedded: bool
    single: bool


CASES: dict[str, Registered] = {}


def case(*, alone: bool = False, language: str = "", embedded: bool = False,
         single: bool = False) -> Callable:
    """Registers a function as a case; with a language it is run with that worker, as
    `name_language`."""

    def register(body: Callable) -> Callable:
        name = f"{body.__name__}_{language}" if language else body.__name__
        assert name not in CASES, name
        run = (lambda t: body(t, language)) if language else body
        about = (body.__doc__ or "").splitlines()[0]
        CASES[name] = Registered(name, run, alone, about, needs_go=name.split("_")[-1] == "go",
                                 embedded=embedded, single=single)
        return body

    return register


class Worker:
    """A worker's process."""

    def __init__(self, process: asyncio.subprocess.Process):
        self.process = process

    async def kill(self) -> None:
        """Without a word to the server."""
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        """SIGTERM: the SDK says goodbye. Returns the exit code."""
        if self.process.returncode is None:
            self.process.terminate()
        try:
            return await asyncio.wait_for(self.process.wait(), PATIENCE_S)
        except TimeoutError:
            await self.kill()
            raise


class Case:
    """One case on one server."""

    def __init__(self, name: str, server: Perdure, client: Client):
        self.server, self.client = server, client
        self.name = f"{name}-{secrets.token_hex(3)}"
        self.queue = f"{self.name}-queue"

    def id(self, suffix: str = "w") -> str:
        return f"{self.name}-{suffix}"

    # ---- workers ----

    @asynccontextmanager
    async def worker(self, language: str = "python") -> AsyncIterator[Worker]:
        """A worker on the case's queue; ends with the block, if it has not before."""
        worker = await self.start_worker(language)
        try:
            yield worker
        finally:
            if worker.process.returncode is None:
                await worker.kill()

    async def start_worker(self, language: str) -> Worker:
        command = {
            "python": [sys.executable, "-m", "tests.e2e.worker"],
            "go": [str(golang.BINARY)],
        }[language]
        flag = "--" if language == "python" else "-"
        process = await asyncio.create_subprocess_exec(
            *command, f"{flag}address", self.server.address, f"{flag}queue", self.queue,
            stdout=asyncio.subprocess.PIPE, cwd=golang.ROOT)
        line = await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)
        assert line == b"ready\n", f"the {language} worker did not start: {line!r}"
        return Worker(process)

    # ---- workflows ----

    async def start(
        self, workflow: str, *arguments: Any, suffix: str = "w", **options: Any
    ) -> WorkflowHandle:
        """Starts a workflow by the name of its type on the case's queue."""
        return await self.client.start_workflow(
            workflow, args=list(arguments), id=self.id(suffix), task_queue=self.queue, **options)

    async def result(self, handle: WorkflowHandle) -> Any:
        return await asyncio.wait_for(handle.result(), PATIENCE_S)

    async def result_through_outage(self, handle: WorkflowHandle) -> Any:
        """The result, whatever happens to the server meanwhile: the SDK itself gives up after some
        seconds."""
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                return await asyncio.wait_for(handle.result(), max(0.1, end - time.monotonic()))
            except RPCError as failed:
                gone = (
                    RPCStatusCode.UNAVAILABLE,
                    RPCStatusCode.CANCELLED,
                    RPCStatusCode.DEADLINE_EXCEEDED,
                )
                if failed.status not in gone or time.monotonic() > end:
                    raise
            await asyncio.sleep(0.1)

    async def events(self, handle: WorkflowHandle, run_id: str | None = None) -> list:
        return list(
            (await self.client.get_workflow_handle(handle.id, run_id=run_id).fetch_history()).events
        )

    async def kinds(self, handle: WorkflowHandle, run_id: str | None = None) -> list[str]:
        """The types of a history's events, without their prefix."""
        return [EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")
                for event in await self.events(handle, run_id)]

    async def until(self, condition: Callable[[], Awaitable[Any]], what: str) -> Any:
        """Awaits what no call can wait for; returns its first true value."""
        end = time.monotonic() + PATIENCE_S
        while not (found := await condition()):
            assert time.monotonic() < end, f"waited {PATIENCE_S} s for {what}"
            await asyncio.sleep(0.1)
        return found

    async def answers(self, handle: WorkflowHandle, query: str, wanted: Any) -> None:
        """Awaits that a query gives an answer; `wanted` is the answer, or tells whether one is
        right."""
        right = wanted if callable(wanted) else lambda answer: answer == wanted

        async def given() -> bool:
            try:
                return right(await handle.query(query))
            except RPCError as failed:
                # A run that continues another soon after its start waits a second for its first
                # task.
                if failed.status != RPCStatusCode.FAILED_PRECONDITION:
                    raise
                return False

        await self.until(given, f"the right answer to query {query}")

    # ---- the command line ----

    async def temporal(self, *arguments: str, code: int = 0) -> str:
        """Runs the `temporal` command; returns what it printed, and insists on its exit code."""
        command = [
            str(Path(sys.executable).parent / "temporal"),
            *arguments,
            "--address",
            self.server.address,
        ]
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        assert (
            done.returncode == code
        ), f"{' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    async def temporal_json(self, *arguments: str) -> Any:
        return json.loads(await self.temporal(*arguments, "--output", "json"))
