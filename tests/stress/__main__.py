"""`python -m tests.stress`: trees of workflows. See README.md."""

import argparse
import asyncio
import random
import secrets
import sys
import time
import traceback
from pathlib import Path

from temporalio.client import Client
from temporalio.runtime import Runtime, TelemetryConfig

from tests.e2e import golang
from tests.e2e.perdure import BINARY, Perdure
from tests.launch import Launcher, add_log_option

from .rabbit import SCENARIOS, Tree


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.stress", description=__doc__)
    parser.add_argument("--fan-out", type=int, default=4, help="children of each branch")
    parser.add_argument("--depth", type=int, default=3, help="generations below the root")
    parser.add_argument("--scenario", choices=["all", *SCENARIOS], default="all")
    parser.add_argument("--address", metavar="HOST:PORT,...",
                        help="servers that run already; else one is started here")
    parser.add_argument("--workers", type=int, default=2, help="worker processes")
    parser.add_argument("--language", choices=["python", "go"], default="python")
    parser.add_argument("--kills", type=int, default=0,
                        help="SIGKILLs of the own server in each scenario")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32), help="of the kills")
    parser.add_argument("--patience", type=float, default=300, metavar="SECONDS",
                        help="longest wait for any one thing")
    parser.add_argument("--binary", type=Path, default=BINARY, help="Perdure's executable")
    add_log_option(parser)
    options = parser.parse_args()
    if options.kills and options.address:
        parser.error("--kills needs a server of its own")
    return options


async def killer(server: Perdure, chance: random.Random, count: int) -> None:
    """Kills the server now and then, and starts it again."""
    for _ in range(count):
        await asyncio.sleep(chance.uniform(0.2, 2.0))
        await server.kill()
        await server.start()


async def worker(language: str, address: str, queue: str) -> asyncio.subprocess.Process:
    command = {"python": [sys.executable, "-m", "tests.e2e.worker"],
               "go": [str(golang.BINARY)]}[language]
    flag = "--" if language == "python" else "-"
    process = await asyncio.create_subprocess_exec(
        *command, f"{flag}address", address, f"{flag}queue", queue,
        stdout=asyncio.subprocess.PIPE, cwd=golang.ROOT)
    assert await process.stdout.readline() == b"ready\n", "a worker did not start"
    return process


class Run:
    """Servers, clients, workers; then one scenario after the other."""

    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.chance = random.Random(options.seed)
        self.nonce = secrets.token_hex(3)
        self.server: Perdure | None = None
        self.launcher = Launcher(options.log)
        self.workers: list[asyncio.subprocess.Process] = []
        self.failed: list[str] = []

    async def play(self) -> None:
        options = self.options
        addresses = options.address.split(",") if options.address else []
        try:
            if not addresses:
                self.server = Perdure(options.binary, launcher=self.launcher)
                await self.server.start()
                addresses = [self.server.address]
            quiet = Runtime(telemetry=TelemetryConfig(logging=None))
            clients = [await Client.connect(address, runtime=quiet) for address in addresses]
            queue = f"stress-{self.nonce}"
            for number in range(options.workers):
                address = addresses[number % len(addresses)]
                self.workers.append(await worker(options.language, address, queue))
            for name in SCENARIOS if options.scenario == "all" else [options.scenario]:
                await self.one(name, clients, queue)
        finally:
            for process in self.workers:
                process.kill()
                await process.wait()
            if self.server:
                self.server.close()
            self.launcher.close()

    async def one(self, name: str, clients: list[Client], queue: str) -> None:
        options = self.options
        tree = Tree(clients, f"rabbit-{name}-{self.nonce}", queue, options.fan_out, options.depth,
                    options.patience)
        begin = time.monotonic()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(SCENARIOS[name](tree))
                if options.kills:
                    group.create_task(killer(self.server, self.chance, options.kills))
            took = time.monotonic() - begin
            print(f"ok   {name}: {tree.count()} workflows in {took:.1f} s "
                  f"({tree.count() / took:.0f}/s)", flush=True)
        except BaseExceptionGroup as failed:
            self.failed.append(name)
            print(f"FAIL {name} (seed {options.seed})", flush=True)
            traceback.print_exception(failed, file=sys.stdout)


def main() -> int:
    """Returns the exit code."""
    options = arguments()
    if options.language == "go":
        golang.worker()
    run = Run(options)
    print(f"fan-out {options.fan_out}, depth {options.depth}, seed {options.seed}", flush=True)
    asyncio.run(run.play())
    count = 1 if options.scenario != "all" else len(SCENARIOS)
    print(f"{count - len(run.failed)} passed, {len(run.failed)} failed")
    return 1 if run.failed else 0


if __name__ == "__main__":
    sys.exit(main())
