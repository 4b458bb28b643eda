"""Runs every program on both servers at once, several programs at a time, and reports what
differs."""

import argparse
import asyncio
import fnmatch
import gzip
import json
import logging
import os
import secrets
import sys
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import temporalio.client
from temporalio.runtime import Runtime, TelemetryConfig

from tests.launch import Launcher, add_log_option

from . import compare, normalise, registry
from .server import ROOT, Server
from .session import Session
from .stalls import Machine, stall

HERE = Path(__file__).resolve().parents[1]
CRASH = "!exception"


def read(file: Path) -> str:
    """Text of a file, gzipped or not."""
    data = file.read_bytes()
    return (gzip.decompress(data) if file.suffix == ".gz" else data).decode()


def write(file: Path, text: str) -> None:
    """The same bytes for the same text, so that a saved file changes only with its content."""
    data = text.encode()
    file.write_bytes(gzip.compress(data, 9, mtime=0) if file.suffix == ".gz" else data)


@dataclass
class Outcome:
    program: registry.Program
    reference: dict[str, Any]
    perdure: dict[str, Any] | None
    differences: list[compare.Difference] = field(default_factory=list)
    justified: int = 0
    begin: float = 0  # of time.monotonic
    seconds: float = 0

    @property
    def passed(self) -> bool:
        return not self.differences and CRASH not in self.reference


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.parity", description=__doc__)
    parser.add_argument(
        "--perdure",
        default="start",
        metavar="ADDRESS|start|none",
        help="the server under test; start: start --binary; none: only run the reference",
    )
    parser.add_argument(
        "--reference",
        default="start",
        metavar="ADDRESS|start|FILE",
        help="FILE: what --save-reference wrote earlier; faster, and spares the machine a server",
    )
    parser.add_argument(
        "--binary", default=str(ROOT / "build/release/perdure"), help="Perdure's executable"
    )
    add_log_option(parser)
    parser.add_argument(
        "--only", action="append", metavar="NAME", help="program or group; * allowed; repeatable"
    )
    parser.add_argument("--slow", action="store_true", help="also the slow programs")
    parser.add_argument("--list", action="store_true", help="list the programs and stop")
    parser.add_argument("--jobs", type=int, default=12, help="programs at once")
    parser.add_argument("--repeat", type=int, default=1, help="rounds over all chosen programs")
    parser.add_argument(
        "--limit", type=int, default=12, help="differences shown per program; 0: all"
    )
    parser.add_argument(
        "--stall",
        type=float,
        default=0,
        metavar="SECONDS",
        help="stop Perdure for so long now and then: finds programs that race against a timeout",
    )
    parser.add_argument(
        "--verbose", action="store_true", help="show tracebacks of programs that raise"
    )
    parser.add_argument(
        "--save-reference", metavar="FILE", help="write the reference's normalised observations"
    )
    parser.add_argument(
        "--only-agreed",
        action="store_true",
        help="save only what both servers agree on (for a second reference in Perdure's place)",
    )
    parser.add_argument(
        "--save-perdure", metavar="FILE", help="write Perdure's normalised observations"
    )
    return parser.parse_args()


def chosen(patterns: list[str] | None, slow: bool) -> list[registry.Program]:
    everything = registry.load().values()
    if not patterns:
        return [program for program in everything if slow or not program.slow]
    found = [
        program
        for program in everything
        if any(
            fnmatch.fnmatch(program.name, p) or fnmatch.fnmatch(program.group, p) for p in patterns
        )
    ]
    if not found:
        sys.exit(f"no program matches {', '.join(patterns)}; see --list")
    return found


async def bounded(running: Any, timeout_s: float) -> None:
    """Like asyncio.wait_for, but does not wait for a task that will not be cancelled (an SDK worker
    may hang)."""
    task = asyncio.ensure_future(running)
    done, _ = await asyncio.wait({task}, timeout=timeout_s)
    if not done:
        task.cancel()
        await asyncio.wait({task}, timeout=5)
        raise TimeoutError(f"not finished after {timeout_s} s")
    task.result()


async def observe(
    program: registry.Program, nonce: str, server: Server, client: Any, verbose: bool
) -> dict[str, Any]:
    """Runs one program on one server. An exception is an observation too, so the other side's are
    still compared."""
    session = Session(program.name, nonce, server.address, client)
    try:
        await bounded(program.run(session), program.timeout_s)
    except Exception as raised:
        where = traceback.extract_tb(raised.__traceback__)
        lines = [frame.lineno for frame in where if "/programs/" in frame.filename]
        session.observations[CRASH] = {
            "line": lines[-1] if lines else None,
            **normalise.error(raised),
        }
        if verbose:
            traceback.print_exception(raised)
    finally:
        await session.close()
    return normalise.symbolise(session.observations, nonce)


class Run:
    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.launcher = Launcher(options.log)
        self.justified = compare.Justified(HERE / "differences.toml")
        self.servers: list[Server] = []
        self.clients: list[Any] = []
        self.outcomes: list[Outcome] = []
        self.saved: dict[str, Any] | None = None
        self.running: set[str] = set()
        self.deaths: list[str] = []
        self.replacing = asyncio.Lock()
        self.quiet = Runtime(telemetry=TelemetryConfig(logging=None))
        self.machine = Machine()

    def use_saved(self, file: Path) -> None:
        """Takes the reference's observations from a file instead of a server."""
        self.saved = {
            name.split("/", 1)[1]: seen for name, seen in json.loads(read(file)).items()
        }

    async def main(self, programs: list[registry.Program]) -> int:
        begin = time.monotonic()
        try:
            self.start_servers()
            self.clients = [await self.connect(server) for server in self.servers]
            stalls = self.start_stalls()
            try:
                with self.machine:
                    for _ in range(self.options.repeat):
                        outcomes = await self.several(programs)
                        self.outcomes += outcomes.values()
            finally:  # else a server that stands still cannot be ended
                for stalling in stalls:
                    stalling.cancel()
                await asyncio.gather(*stalls, return_exceptions=True)
            self.save()
        finally:
            for server in self.servers:
                server.stop()
            self.launcher.close()
        return self.summary(programs, time.monotonic() - begin)

    def start_stalls(self) -> list[asyncio.Task]:
        if not self.options.stall:
            return []
        return [
            asyncio.ensure_future(stall(server.process.pid, self.options.stall))
            for server in self.servers
            if server.name == "perdure" and server.process is not None
        ]

    async def connect(self, server: Server) -> Any:
        await server.ready()
        return await temporalio.client.Client.connect(
            server.address, identity="parity-client", runtime=self.quiet
        )

    async def replace_the_dead(self, suspect: str) -> None:
        """A server that died is reported with what ran at the time, and replaced, so that the
        others can go on."""
        async with self.replacing:
            for number, server in enumerate(self.servers):
                if server.alive():
                    continue
                running = sorted(self.running | {suspect})
                self.deaths.append(
                    f"{server.name} died ({server.process.returncode}) under: {' '.join(running)}"
                )
                print(f"{self.deaths[-1]}\n{server.output()}", flush=True)
                server.stop()
                again = (
                    Server.start_reference() if server.name == "reference" else self.start_perdure()
                )
                self.servers[number] = again
                self.clients[number] = await self.connect(again)

    def start_perdure(self) -> Server:
        binary = Path(self.options.binary)
        if not binary.exists():
            raise SystemExit(f"{binary} does not exist: build it first, or give --perdure ADDRESS")
        return Server.start_perdure(binary, self.launcher)

    def start_servers(self) -> None:
        reference, perdure = self.options.reference, self.options.perdure
        if Path(reference).is_file():
            self.use_saved(Path(reference))
        else:
            self.servers.append(
                Server.start_reference() if reference == "start" else Server("reference", reference)
            )
        if perdure == "start":
            self.servers.append(self.start_perdure())
        elif perdure != "none":
            self.servers.append(Server("perdure", perdure))

    async def several(self, programs: list[registry.Program]) -> dict[str, Outcome]:
        nonce = secrets.token_hex(4)
        places = asyncio.Semaphore(self.options.jobs)
        outcomes: dict[str, Outcome] = {}

        async def one(program: registry.Program) -> None:
            async with places:
                self.running.add(program.name)
                outcome = await self.both(program, nonce)
                self.running.discard(program.name)
                await self.replace_the_dead(program.name)
            outcomes[program.name] = outcome
            self.report(outcome)

        await asyncio.gather(*(one(program) for program in programs))
        return outcomes

    async def both(self, program: registry.Program, nonce: str) -> Outcome:
        begin = time.monotonic()
        results = await asyncio.gather(
            *(
                observe(program, nonce, server, client, self.options.verbose)
                for server, client in zip(self.servers, self.clients)
            )
        )
        if self.saved is not None:
            results.insert(0, self.saved.get(program.name, {CRASH: "not in the saved reference"}))
        outcome = Outcome(program, results[0], results[1] if len(results) > 1 else None)
        outcome.begin = begin
        outcome.seconds = time.monotonic() - begin
        if outcome.perdure is not None:
            for difference in compare.compare(outcome.reference, outcome.perdure):
                if self.justified.covers(program.name, difference):
                    outcome.justified += 1
                else:
                    outcome.differences.append(difference)
        return outcome

    def report(self, outcome: Outcome) -> None:
        name = f"{outcome.program.group}/{outcome.program.name}"
        note = f", {outcome.justified} justified" if outcome.justified else ""
        print(
            f"{'ok  ' if outcome.passed else 'FAIL'} {name} ({outcome.seconds:.1f} s{note})",
            flush=True,
        )
        if CRASH in outcome.reference:
            print(
                "  the program itself fails on the reference: "
                f"{json.dumps(outcome.reference[CRASH])}"
            )
        limit = self.options.limit or len(outcome.differences)
        for difference in outcome.differences[:limit]:
            print("  " + str(difference).replace("\n", "\n  "))
        if len(outcome.differences) > limit:
            print(f"  ... and {len(outcome.differences) - limit} more differences")
        if not outcome.passed:
            end = outcome.begin + outcome.seconds
            print(f"  {self.machine.during(outcome.begin, end)}", flush=True)

    def save(self) -> None:
        for name in ("reference", "perdure"):
            file = getattr(self.options, f"save_{name}")
            if file:
                ordered = sorted(
                    self.worth_saving(),
                    key=lambda outcome: (outcome.program.group, outcome.program.name),
                )
                saved = {f"{o.program.group}/{o.program.name}": getattr(o, name) for o in ordered}
                write(Path(file), json.dumps(saved, indent=1, ensure_ascii=False) + "\n")

    def worth_saving(self) -> list[Outcome]:
        """Between two references: what both agree on. Otherwise whatever did not fail by itself."""
        if self.options.save_reference and self.options.only_agreed:
            return [outcome for outcome in self.outcomes if outcome.passed]
        return [outcome for outcome in self.outcomes if CRASH not in outcome.reference]

    def summary(self, programs: list[registry.Program], took_s: float) -> int:
        failed = sorted({outcome.program.name for outcome in self.outcomes if not outcome.passed})
        passed = sum(outcome.passed for outcome in self.outcomes)
        for death in self.deaths:
            print(death)
        if failed:
            print("failed: " + " ".join(failed))
        if self.options.perdure != "none":
            for entry in self.justified.stale({program.name for program in programs}):
                print(f"differences.toml: no longer needed: {entry}")
        print(f"{took_s:.0f} s")
        print(f"{passed} passed, {len(self.outcomes) - passed} failed")
        return 1 if failed or self.deaths or not self.outcomes else 0


def main() -> int:
    options = arguments()
    programs = chosen(options.only, options.slow)
    if options.list:
        for program in programs:
            print(f"{program.group}/{program.name}")
        return 0
    # Programs provoke failures on purpose; the SDK's warnings about them would bury the report.
    logging.disable(logging.CRITICAL)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    os.environ["RUST_BACKTRACE"] = "0"
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    code = loop.run_until_complete(Run(options).main(programs))
    sys.stdout.flush()
    # Not a clean end: programs that hang in an SDK worker's shutdown would keep the process alive.
    os._exit(code)
