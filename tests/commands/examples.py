"""What docs/commands.md and examples/kafka show, done as it is shown."""

import asyncio
import subprocess
import sys

from tests.parity.harness.server import ROOT

from .bench import Bench, perdure_command
from .cases import case

EXAMPLES = ROOT / "examples/kafka"


async def run(*command: str, **more: bytes) -> bytes:
    done = await asyncio.to_thread(subprocess.run, command, cwd=EXAMPLES, capture_output=True,
                                   timeout=120, check=False, **more)
    assert done.returncode == 0, (command, done.stderr.decode())
    return done.stdout


@case
async def example_send_signals(b: Bench) -> None:
    """Run twice: its command IDs count once."""
    w = b.id("customer")
    for _ in range(2):
        await run(sys.executable, "send_signals.py", b.launcher.bootstrap, b.cluster, w, "orders",
                  "100")
    b.command(w, signal_of_end(w))
    assert [name for name, _ in await b.signaled(w, 101)] == ["order"] * 100 + ["end"]


def signal_of_end(workflow_id: str) -> bytes:
    return perdure_command.signal(workflow_id, "end")


@case
async def example_kcat(b: Bench) -> None:
    w = b.id("customer")
    value = await run(sys.executable, "-c", "import sys, perdure_command as p; sys.stdout.buffer."
                      f"write(p.signal_with_start('{w}', 'Orders', 'orders', 'order', 1))")
    path = b.server.data / "value"
    path.write_bytes(value)
    for _ in range(2):
        await run("kcat", "-P", "-b", b.launcher.bootstrap, "-t", f"{b.cluster}.commands", "-X",
                  "partitioner=murmur2_random", "-k", w, "-H", "command-id=order-1", str(path))
    b.command(w, signal_of_end(w))
    assert [name for name, _ in await b.signaled(w, 2)] == ["order", "end"]
