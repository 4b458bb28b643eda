"""Runs every program on both servers at once, several programs at a time, and reports what differs."""

import argparse
import asyncio
import fnmatch
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

from . import compare, normalise, registry
from .server import ROOT, Server
from .session import Session

HERE = Path(__file__).resolve().parents[1]
CRASH = "!exception"


@dataclass
class Outcome:
    program: registry.Program
    reference: dict[str, Any]
    perdure: dict[str, Any] | None
    differences: list[compare.Difference] = field(default_factory=list)
    justified: int = 0
    seconds: float = 0

    @property
    def passed(self) -> bool:
        return not self.differences and CRASH not in self.reference


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.parity", description=__doc__)
    parser.add_argument("--perdure", default="start", metavar="ADDRESS|start|none",
                        help="the server under test; start: start --binary; none: only run the reference")
    parser.add_argument("--reference", default="start", metavar="ADDRESS|start")
    parser.add_argument("--binary", default=str(ROOT / "build/release/perdure"), help="Perdure's executable")
    parser.add_argument("--only", action="append", metavar="NAME", help="program or group; * allowed; repeatable")
    parser.add_argument("--slow", action="store_true", help="also the slow programs")
    parser.add_argument("--list", action="store_true", help="list the programs and stop")
    parser.add_argument("--jobs", type=int, default=12, help="programs at once")
    parser.add_argument("--repeat", type=int, default=1, help="rounds over all chosen programs")
    parser.add_argument("--retries", type=int, default=2,
                        help="further tries, few at a time, for programs that failed: a loaded reference loses tasks")
    parser.add_argument("--limit", type=int, default=12, help="differences shown per program; 0: all")
    parser.add_argument("--verbose", action="store_true", help="show tracebacks of programs that raise")
    parser.add_argument("--save-reference", metavar="FILE", help="write the reference's normalised observations")
    parser.add_argument("--save-perdure", metavar="FILE", help="write Perdure's normalised observations")
    return parser.parse_args()


def chosen(patterns: list[str] | None, slow: bool) -> list[registry.Program]:
    everything = registry.load().values()
    if not patterns:
        return [program for program in everything if slow or not program.slow]
    found = [
        program
        for program in everything
        if any(fnmatch.fnmatch(program.name, p) or fnmatch.fnmatch(program.group, p) for p in patterns)
    ]
    if not found:
        sys.exit(f"no program matches {', '.join(patterns)}; see --list")
    return found


async def observe(program: registry.Program, nonce: str, server: Server, client: Any, verbose: bool) -> dict[str, Any]:
    """Runs one program on one server. An exception is an observation too, so the other side's are still compared."""
    session = Session(program.name, nonce, server.address, client)
    try:
        await asyncio.wait_for(program.run(session), program.timeout_s)
    except (Exception, asyncio.CancelledError) as raised:
        where = traceback.extract_tb(raised.__traceback__)
        lines = [frame.lineno for frame in where if "/programs/" in frame.filename]
        session.observations[CRASH] = {"line": lines[-1] if lines else None, **normalise.error(raised)}
        if verbose:
            traceback.print_exception(raised)
    finally:
        await session.close()
    return normalise.symbolise(session.observations, nonce)


class Run:
    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.justified = compare.Justified(HERE / "differences.toml")
        self.servers: list[Server] = []
        self.clients: list[Any] = []
        self.outcomes: list[Outcome] = []
        self.again: set[str] = set()

    async def main(self, programs: list[registry.Program]) -> int:
        begin = time.monotonic()
        try:
            self.start_servers()
            await asyncio.gather(*(server.ready() for server in self.servers))
            quiet = Runtime(telemetry=TelemetryConfig(logging=None))
            for server in self.servers:
                client = await temporalio.client.Client.connect(
                    server.address, identity="parity-client", runtime=quiet
                )
                self.clients.append(client)
            for _ in range(self.options.repeat):
                await self.round(programs)
            self.save()
        finally:
            for server in self.servers:
                if not server.alive():
                    print(f"{server.name} died:\n{server.output()}")
                server.stop()
        return self.summary(programs, time.monotonic() - begin)

    def start_servers(self) -> None:
        reference, perdure = self.options.reference, self.options.perdure
        self.servers.append(Server.start_reference() if reference == "start" else Server("reference", reference))
        if perdure == "start":
            binary = Path(self.options.binary)
            if not binary.exists():
                raise SystemExit(f"{binary} does not exist: build it first, or give --perdure ADDRESS")
            self.servers.append(Server.start_perdure(binary.resolve()))
        elif perdure != "none":
            self.servers.append(Server("perdure", perdure))

    async def round(self, programs: list[registry.Program]) -> None:
        """All programs once; then those that failed again, few at a time, for what only load had spoilt."""
        outcomes = await self.several(programs, self.options.jobs)
        for attempt in range(self.options.retries):
            failed = [name for name, outcome in outcomes.items() if not outcome.passed]
            if not failed or len(failed) > len(programs) // 2:
                break
            jobs = max(1, self.options.jobs // 4 ** (attempt + 1))
            print(f"again, {jobs} at a time: {' '.join(failed)}")
            again = await self.several([outcomes[name].program for name in failed], jobs)
            self.again |= {name for name, outcome in again.items() if outcome.passed}
            outcomes |= again
        self.outcomes += outcomes.values()

    async def several(self, programs: list[registry.Program], jobs: int) -> dict[str, Outcome]:
        nonce = secrets.token_hex(4)
        places = asyncio.Semaphore(jobs)
        outcomes: dict[str, Outcome] = {}

        async def one(program: registry.Program) -> None:
            async with places:
                outcome = await self.both(program, nonce)
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
        outcome = Outcome(program, results[0], results[1] if len(results) > 1 else None)
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
        print(f"{'ok  ' if outcome.passed else 'FAIL'} {name} ({outcome.seconds:.1f} s{note})", flush=True)
        if CRASH in outcome.reference:
            print(f"  the program itself fails on the reference: {json.dumps(outcome.reference[CRASH])}")
        limit = self.options.limit or len(outcome.differences)
        for difference in outcome.differences[:limit]:
            print("  " + str(difference).replace("\n", "\n  "))
        if len(outcome.differences) > limit:
            print(f"  ... and {len(outcome.differences) - limit} more differences")

    def save(self) -> None:
        for name in ("reference", "perdure"):
            file = getattr(self.options, f"save_{name}")
            if file:
                ordered = sorted(self.outcomes, key=lambda outcome: (outcome.program.group, outcome.program.name))
                saved = {f"{o.program.group}/{o.program.name}": getattr(o, name) for o in ordered}
                Path(file).write_text(json.dumps(saved, indent=1, ensure_ascii=False) + "\n")

    def summary(self, programs: list[registry.Program], took_s: float) -> int:
        failed = sorted({outcome.program.name for outcome in self.outcomes if not outcome.passed})
        passed = sum(outcome.passed for outcome in self.outcomes)
        if self.again:
            print("passed only when tried again: " + " ".join(sorted(self.again)))
        if failed:
            print("failed: " + " ".join(failed))
        if self.options.perdure != "none":
            for entry in self.justified.stale({program.name for program in programs}):
                print(f"differences.toml: no longer needed: {entry}")
        print(f"{took_s:.0f} s")
        print(f"{passed} passed, {len(self.outcomes) - passed} failed")
        return 1 if failed or not self.outcomes else 0


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
    return asyncio.run(Run(options).main(programs))
