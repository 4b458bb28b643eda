"""`python -m tests.e2e`: unmodified SDK workers and the `temporal` command against Perdure. See
README.md."""

import argparse
import asyncio
import fnmatch
import importlib
import pkgutil
import sys
import time
import traceback
from pathlib import Path

from temporalio.client import Client
from temporalio.runtime import Runtime, TelemetryConfig

from tests.launch import Launcher, add_log_option

from . import cases, golang
from .case import CASES, Case, Registered
from .perdure import BINARY, Perdure

CASE_TIMEOUT_S = 180


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.e2e", description=__doc__)
    parser.add_argument(
        "--only", action="append", metavar="NAME", help="case by name; * allowed; repeatable"
    )
    parser.add_argument("--list", action="store_true", help="list the cases and stop")
    parser.add_argument("--binary", type=Path, default=BINARY, help="Perdure's executable")
    add_log_option(parser)
    parser.add_argument("--jobs", type=int, default=4, help="cases at once")
    return parser.parse_args()


def chosen(patterns: list[str] | None, log: str) -> list[Registered]:
    """The cases to run, in order of definition."""
    for module in sorted(found.name for found in pkgutil.iter_modules(cases.__path__)):
        importlib.import_module(f"{cases.__name__}.{module}")
    found = [one for one in CASES.values()
             if not patterns or any(fnmatch.fnmatch(one.name, pattern) for pattern in patterns)]
    if not found:
        sys.exit(f"no case matches {', '.join(patterns)}; see --list")
    return [one for one in found if (log == "embedded" or not one.embedded)
            and (log != "cluster" or not one.single)]


class Suite:
    """Runs cases, several at once; those that are not `alone` share a server."""

    def __init__(self, options: argparse.Namespace):
        self.binary = options.binary
        self.launcher = Launcher(options.log)
        self.places = asyncio.Semaphore(options.jobs)
        self.quiet = Runtime(telemetry=TelemetryConfig(logging=None))
        self.failed: list[str] = []

    async def run(self, selected: list[Registered]) -> None:
        shared = self.server()
        try:
            await shared.start()
            await asyncio.gather(*(self.one(registered, shared) for registered in selected))
            if not shared.alive() or await shared.terminate() != 0:
                self.failed.append("the shared server")
                print(f"FAIL the shared server ended by itself or badly:\n{shared.output()}")
        finally:
            shared.close()
            self.launcher.close()

    def server(self) -> Perdure:
        return Perdure(self.binary, launcher=self.launcher)

    async def one(self, registered: Registered, shared: Perdure) -> None:
        async with self.places:
            begin = time.monotonic()
            server = self.server() if registered.alone else shared
            try:
                if registered.alone:
                    await server.start()
                await asyncio.wait_for(self.play(registered, server), CASE_TIMEOUT_S)
                print(f"ok   {registered.name} ({time.monotonic() - begin:.1f} s)", flush=True)
            except Exception as failed:
                self.failed.append(registered.name)
                print(f"FAIL {registered.name} ({time.monotonic() - begin:.1f} s)", flush=True)
                traceback.print_exception(failed, file=sys.stdout)
                if registered.alone:
                    print(server.output())
            finally:
                if registered.alone:
                    server.close()

    async def play(self, registered: Registered, server: Perdure) -> None:
        client = await Client.connect(server.address, runtime=self.quiet)
        await registered.body(Case(registered.name.replace("_", "-"), server, client))


def main() -> int:
    """Returns the exit code."""
    options = arguments()
    selected = chosen(options.only, options.log)
    if options.list:
        print("\n".join(f"{one.name:32} {one.about}" for one in selected))
        return 0
    if any(one.needs_go for one in selected):
        golang.worker()
    suite = Suite(options)
    asyncio.run(suite.run(selected))
    print(f"{len(selected) - len(suite.failed)} passed, {len(suite.failed)} failed")
    return 1 if suite.failed else 0


if __name__ == "__main__":
    sys.exit(main())
