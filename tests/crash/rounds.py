"""The rounds: in which ways the server dies, and when."""

import asyncio
import random
import signal
from pathlib import Path

from tests.e2e.perdure import Perdure

from .load import Load

LIFE_S = (0.2, 1.6)


class Rounds:
    """Lets a server live and die under load, in ways that the seed decides."""

    WAYS = {"kill": 10, "pause": 3, "kill paused": 2, "kill at start": 4, "state lost": 2}

    def __init__(self, server: Perdure, load: Load, seed: int):
        self.server, self.load = server, load
        self.random = random.Random(seed)

    async def play(self, count: int) -> None:
        """`count` deaths; at the end the server runs."""
        await self.server.start()
        self.load.start()
        for number in range(1, count + 1):
            way = self.random.choices(list(self.WAYS), list(self.WAYS.values()))[0]
            before = self.load.ledger.acknowledged
            await self._live()
            await self._die(way)
            await self.server.start()
            self.load.failed()
            print(
                f"round {number:3}: {way:14} "
                f"{self.load.ledger.acknowledged - before:6} acknowledged",
                flush=True,
            )

    async def _live(self) -> None:
        """A life under load, of random length: when the server dies is what this test is about."""
        await asyncio.sleep(self.random.uniform(*LIFE_S))
        if not self.server.alive():
            raise RuntimeError(
                f"the server died by itself ({self.server.process.returncode}):\n"
                f"{self.server.output()}"
            )

    async def _die(self, way: str) -> None:
        if way in ("pause", "kill paused"):
            self.server.send(signal.SIGSTOP)
            await asyncio.sleep(self.random.uniform(0.05, 0.5))
        if way == "pause":
            self.server.send(signal.SIGCONT)
            await self._live()
        await self.server.kill()
        if way == "state lost":
            self.server.forget_state()
        for _ in range(self.random.randint(1, 3) if way == "kill at start" else 0):
            self.server.launch()
            await asyncio.sleep(self.random.uniform(0, 0.25))
            await self.server.kill()


def make_server(binary: Path) -> Perdure:
    return Perdure(binary, "crash-perdure-")
