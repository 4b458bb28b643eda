"""One node of a cluster: a `perdure serve` process that tests stop, kill, pause and start again."""

import asyncio
import os
import shutil
import signal
import subprocess
from pathlib import Path

import grpc.aio

from tests.parity.harness.server import Server
from tests.ports import free_port

from .network import BROKERS, Link

STOP_TIMEOUT_S = 30
SERVING = b"\x08\x01"  # HealthCheckResponse {status: SERVING}


class Node(Server):
    """Keeps its data directory and its address over its lives; `close()` removes both."""

    def __init__(self, binary: Path, directory: Path, name: str, options: list[str],
                 link: Link | None = None):
        super().__init__(name, f"{link.host if link else '127.0.0.1'}:{free_port()}")
        self.binary, self.options, self._link = binary, options, link
        self.directory = str(directory / name)
        Path(self.directory).mkdir()
        self.data = Path(self.directory) / "data"
        self.paused = self.cut_off = False

    def launch(self) -> None:
        """Starts the process without waiting until it is ready."""
        self.paused = False
        self._spawn([*(self._link.enter if self._link else ()), str(self.binary), "serve",
                     "--node", self.name, "--listen", self.address, "--data", str(self.data),
                     *self.options])

    async def start(self) -> None:
        self.launch()
        await self.ready()

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    async def kill(self) -> None:
        """SIGKILL; returns when the process is gone."""
        self.process.kill()
        await asyncio.to_thread(self.process.wait)
        self.paused = False

    def pause(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)
        self.paused = True

    def resume(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)
        self.paused = False

    def cut(self) -> None:
        """Takes its network away; for a node with a link of its own."""
        self._link.cut()
        self.cut_off = True

    def mend(self) -> None:
        self._link.mend()
        self.cut_off = False

    def lose_brokers(self) -> None:
        """They hear nothing from it any more; peers and clients do."""
        self._link.lose(BROKERS)
        self.cut_off = True

    def find_brokers(self) -> None:
        self._link.find(BROKERS)
        self.cut_off = False

    def beside(self, *command: str | Path) -> int:
        """Runs a program that shares the node's link; returns its exit code."""
        return subprocess.run([*self._link.enter, *command], capture_output=True,
                              check=False).returncode

    async def is_serving(self) -> bool:
        """As it tells those who ask for its health."""
        async with grpc.aio.insecure_channel(self.address) as channel:
            return await channel.unary_unary("/grpc.health.v1.Health/Check")(b"") == SERVING

    async def terminate(self) -> int:
        """SIGTERM; returns the exit code. TimeoutExpired when it does not end."""
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, STOP_TIMEOUT_S)

    def forget_state(self) -> None:
        """Deletes what it has in RocksDB: the log alone is left."""
        shutil.rmtree(self.data / "state", ignore_errors=True)

    def close(self) -> None:
        if self.running:
            self.process.kill()
            self.process.wait()
        if self._link:
            self._link.close()
