"""A Perdure process under attack: started on a free port, watched, restarted on the same data."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from .client import Client
from .prober import Prober

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 60
SANITIZERS = {
    "ASAN_OPTIONS": "exitcode=99:detect_leaks=1:allocator_may_return_null=0",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:exitcode=99",
}
DEATHS = re.compile(
    r"AddressSanitizer|LeakSanitizer|runtime error:|[Aa]ssertion .*failed|PD_ASSERT"
    r"|terminate called"
)


class Server:
    """`perdure dev`. Everything it says is kept in `output_path`, all starts in one file."""

    def __init__(self, binary: Path, data: str = "", descriptors: int = 0):
        self.binary, self.descriptors = binary, descriptors
        self.directory = tempfile.mkdtemp(prefix="perdure-hostile-")
        self.data = data or f"{self.directory}/data"
        self.output_path = Path(self.directory) / "output"
        self.process: subprocess.Popen | None = None
        self.port = 0
        self.client: Client
        self.prober: Prober

    def start(self) -> "Server":
        """Starts it and waits until it listens; RuntimeError if it ends instead."""
        code = self.try_start()
        if code is not None:
            raise RuntimeError(f"the server ended at once with {code}:\n{self.output()}")
        return self

    def try_start(self) -> int | None:
        """None when it is ready, else its exit code."""
        before = len(self.output())
        with open(self.output_path, "ab") as output:
            self.process = subprocess.Popen(
                [*self._limit(), str(self.binary), "dev", "--data", self.data, "--port", "0"],
                stdout=output,
                stderr=output,
                env={**os.environ, **SANITIZERS},
            )
        end = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < end:
            ready = re.search(r"Perdure is ready: address \S+:(\d+)", self.output()[before:])
            if ready:
                self.port = int(ready[1])
                return None
            if self.process.poll() is not None:
                return self.process.returncode
            time.sleep(0.02)  # a process can only be asked
        self.kill()
        raise RuntimeError(f"the server neither starts nor ends:\n{self.output()[before:]}")

    def _limit(self) -> list[str]:
        """Words before the command. By a program of its own: a preexec_fn runs after a fork, which
        the gRPC threads of this process do not survive when their descriptors fail."""
        return ["prlimit", f"--nofile={self.descriptors}"] if self.descriptors else []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def output(self) -> str:
        return self.output_path.read_text(errors="replace") if self.output_path.exists() else ""

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def resident_mib(self) -> float:
        assert self.process
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def cpu_s(self) -> float:
        assert self.process
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def deaths(self) -> str:
        """The first lines of what looks like an abort or a sanitizer's report; "" if there is
        none."""
        output = self.output()
        found = DEATHS.search(output)
        return output[found.start():found.start() + 3000] if found else ""

    def stop(self) -> int:
        """Asks it to end, as an operator does; returns its exit code."""
        assert self.process
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.kill()
                raise RuntimeError("the server does not stop") from None
        return self.process.returncode

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def log(self, what: str, binary: Path | None = None) -> subprocess.CompletedProcess:
        """`perdure log verify` or `perdure log dump`."""
        return subprocess.run(
            [str(binary or self.binary), "log", what, "--data", self.data],
            capture_output=True,
            env={**os.environ, **SANITIZERS},
            timeout=120,
        )

    def close(self) -> None:
        if self.alive():
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)
