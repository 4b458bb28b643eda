"""The server under the demonstration: started, killed and started again on the same data and
port."""

import signal
import subprocess
import threading
import time
from pathlib import Path

READY_TIMEOUT_S = 60


class Server:
    """`perdure dev` on a data directory; the port is chosen at the first start and kept."""

    def __init__(self, binary: Path, data: Path):
        self._binary, self._data = binary, data
        self._process: subprocess.Popen[str] | None = None
        self._port = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    def start(self) -> float:
        """Starts it and waits for its ready line; returns the seconds that took."""
        begin = time.monotonic()
        self._process = subprocess.Popen(
            [self._binary, "dev", "--data", self._data, "--port", str(self._port)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        overdue = threading.Timer(READY_TIMEOUT_S, self._process.kill)
        overdue.start()
        line = self._process.stdout.readline()
        overdue.cancel()
        if "ready: address " not in line:
            raise RuntimeError(
                f"the server did not become ready (exit code {self._process.wait()})"
            )
        self._port = int(line.split("ready: address ")[1].split(",")[0].rsplit(":", 1)[1])
        return time.monotonic() - begin

    def kill(self) -> int:
        """SIGKILL: no chance to say goodbye. Returns the exit code, which tells the signal."""
        self._process.kill()
        return self._process.wait()

    def stop(self) -> int:
        """SIGTERM, as an operator would; returns the exit code."""
        if self._process is None or self._process.poll() is not None:
            return 0 if self._process is None else self._process.returncode
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(30)
