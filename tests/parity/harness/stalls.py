"""Stalls: what the machine did while a program failed, and a server stopped on purpose to find
programs that race against a short timeout."""

import asyncio
import os
import random
import signal
import tempfile
import threading
import time
from dataclasses import dataclass

PROBE_EVERY_S = 0.1
BETWEEN_STALLS_S = (0.3, 1.5)  # drawn at random


@dataclass(frozen=True)
class Probe:
    """One look at the machine; times of time.monotonic."""

    begin: float
    end: float
    late_s: float  # by which a thread woke up too late
    disk_s: float  # that a small write needed to be on the disk
    clock_s: float  # by which the wall clock moved against the monotonic one


class Machine:
    """Looks at the machine all the time, so that a failure can say whether it stood still."""

    def __init__(self) -> None:
        self.probes: list[Probe] = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Machine":
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.stopping.set()
        self.thread.join()

    def _watch(self) -> None:
        with tempfile.TemporaryFile() as file:
            while not self.stopping.is_set():
                begin, wall = time.monotonic(), time.time()
                self.stopping.wait(PROBE_EVERY_S)
                awake = time.monotonic()
                os.pwrite(file.fileno(), b"x", 0)
                os.fsync(file.fileno())
                end = time.monotonic()
                clock_s = abs((time.time() - wall) - (end - begin))
                late_s = max(0.0, awake - begin - PROBE_EVERY_S)
                self.probes.append(Probe(begin, end, late_s, end - awake, clock_s))

    def during(self, begin: float, end: float) -> str:
        """The worst of what happened between two times."""
        seen = [probe for probe in self.probes if probe.end >= begin and probe.begin <= end]
        late_s, disk_s, clock_s = (
            max((getattr(probe, name) for probe in seen), default=0.0)
            for name in ("late_s", "disk_s", "clock_s")
        )
        return (
            f"the machine meanwhile: a thread woke {late_s:.2f} s late, a write took {disk_s:.2f} s"
            f" to the disk, the clock stepped by {clock_s:.2f} s"
        )


async def stall(pid: int, stall_s: float) -> None:
    """Stops the process for so long, again and again, until cancelled."""
    try:
        while True:
            await asyncio.sleep(random.uniform(*BETWEEN_STALLS_S))
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(stall_s)
            os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        return  # It died: the run reports that.
    finally:
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass
