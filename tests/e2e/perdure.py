"""A Perdure server that tests start, stop, kill and start again on the same data directory and
port."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from tests.launch import Launcher
from tests.ports import free_port
from tests.parity.harness.server import ROOT, Server

BINARY = ROOT / "build/release/perdure"
STOP_TIMEOUT_S = 30


class Perdure(Server):
    """Beyond the parity suite's server: survives its process. `directory/data` holds the data until
    close()."""

    def __init__(self, binary: Path = BINARY, prefix: str = "e2e-perdure-",
                 launcher: Launcher | None = None):
        super().__init__("perdure", f"127.0.0.1:{free_port()}")
        self.binary = Path(binary).resolve()
        self.launcher = launcher or Launcher()
        self.metrics_port = free_port()
        self.directory = tempfile.mkdtemp(prefix=prefix)
        self.data = Path(self.directory) / "data"

    @property
    def port(self) -> int:
        return int(self.address.rsplit(":", 1)[1])

    def launch(self) -> None:
        """Starts the process without waiting until it is ready."""
        self._spawn(
            self.command(None, None, "--metrics-listen", f"127.0.0.1:{self.metrics_port}")
        )

    def command(self, data: Path | None = None, port: int | None = None,
                *more: str) -> list[str]:
        """The command line that starts it; with other data or on another port, another server."""
        return self.launcher.command(self.binary, data or self.data,
                                     self.port if port is None else port, *more)

    async def start(self) -> None:
        """Starts the process and waits until it answers."""
        self.launch()
        await self.ready()

    def send(self, number: int) -> None:
        os.kill(self.process.pid, number)

    async def kill(self) -> None:
        """SIGKILL; returns when the process is gone."""
        self.process.kill()
        await asyncio.to_thread(self.process.wait)

    async def terminate(self) -> int:
        """SIGTERM; returns the exit code. A server that does not end is killed, and the call
        raises."""
        self.send(signal.SIGTERM)
        try:
            return await asyncio.to_thread(self.process.wait, STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            await self.kill()
            raise RuntimeError(
                f"the server did not end within {STOP_TIMEOUT_S} s of SIGTERM"
            ) from None

    def forget_state(self) -> None:
        """Deletes the state directory: the next start has only the log to go by."""
        shutil.rmtree(self.data / "state")

    def run(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess:
        """Runs the executable with other arguments, to its end."""
        return self.run_command([str(self.binary), *arguments], timeout)

    @staticmethod
    def run_command(command: list[str], timeout: float = 60) -> subprocess.CompletedProcess:
        """Runs a command to its end."""
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)

    def log(self, subcommand: str, *arguments: str) -> subprocess.CompletedProcess:
        """`perdure log SUBCOMMAND` on this server's data."""
        return self.run("log", subcommand, "--data", str(self.data), *arguments)

    def close(self) -> None:
        """Ends the process, whatever its state, and removes the data."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
