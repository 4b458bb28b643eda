"""The machine under the server: disks that are full, damaged or read-only, too few descriptors."""

import os
import random
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import grpc

from tests.parity.harness.commands import payloads

from ..harness.client import CODES, Client
from ..harness.registry import Skip, case
from ..harness.runner import Context
from ..harness.server import Server
from ..harness.wire import Wire

DISK_MIB = 96
READ_ONLY_TEXT = "cannot make directory"


def fill(server: Server, count: int = 40, size: int = 2000) -> list[str]:
    """Workflows with a signal each; their ids."""
    wids = [f"kept-{number}" for number in range(count)]
    for wid in wids:
        server.client.start(wid, "kept")
        server.client.SignalWorkflowExecution(
            workflow_execution={"workflow_id": wid},
            signal_name="s",
            request_id="s",
            input=payloads("x" * size),
        )
    return wids


def check_kept(server: Server, wids: list[str]) -> None:
    for wid in wids:
        events = server.client.events(wid)
        assert len(events) == 3, f"{wid}: {len(events)} events"


def restart(server: Server) -> None:
    server.client.close()
    server.start()
    server.client = Client(server.address)


@contextmanager
def small_disk() -> Iterator[str]:
    directory = tempfile.mkdtemp(prefix="perdure-hostile-disk-")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", directory],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        os.rmdir(directory)
        raise Skip(f"cannot mount a small disk: {done.stderr.strip()}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", directory], check=True)
        os.rmdir(directory)


@case(own_server=True)
def full_disk(t: Context):
    """Calls fail with UNAVAILABLE and at once, the server says why, lives, and has lost nothing
    with space again."""
    with small_disk() as directory, t.other_server(
        t.release, probed=False, data=f"{directory}/data"
    ) as server:
        wids = fill(server)
        ballast = Path(directory) / "ballast"
        with open(ballast, "wb") as file:  # leaves a few MiB
            os.posix_fallocate(
                file.fileno(), 0, max(shutil.disk_usage(directory).free - (6 << 20), 1)
            )
        more, failed = until_it_fails(server)
        assert failed.code() == CODES.UNAVAILABLE, f"{failed.code()}: {failed.details()}"
        assert server.alive(), server.output()[-3000:]
        t.note(f"{len(more)} more were taken; then: {failed.details()[:120]}")
        began = time.monotonic()
        for wid in wids[:5]:
            try:
                server.client.SignalWorkflowExecution(
                    workflow_execution={"workflow_id": wid},
                    signal_name="s",
                    request_id="t",
                    _timeout=10,
                )
                raise AssertionError("a signal is acknowledged on a full disk")
            except grpc.RpcError as failed:
                assert failed.code() == CODES.UNAVAILABLE, f"{failed.code()}: {failed.details()}"
        assert time.monotonic() - began < 5, "refusals are slow"
        assert (
            "No space left on device" in server.output() or "disk is full" in server.output()
        ), server.output()[-3000:]
        server.stop()
        ballast.unlink()
        restart(server)
        check_kept(server, wids)
        for wid in more:
            assert server.client.events(wid), wid
        assert not server.deaths(), server.deaths()


def until_it_fails(server: Server) -> tuple[list[str], grpc.RpcError]:
    """Starts large workflows until the disk is full; those that were acknowledged, and the
    error."""
    taken: list[str] = []
    for number in range(1000):
        try:
            server.client.start(
                f"more-{number}", "kept", input=payloads("x" * 200_000), _timeout=20
            )
            taken.append(f"more-{number}")
        except grpc.RpcError as failed:
            return taken, failed
    raise AssertionError("the disk is never full")


def files(server: Server, under: str, suffix: str) -> list[Path]:
    return sorted(Path(server.data, under).rglob(f"*{suffix}"))


def flip(path: Path, chance: random.Random, count: int = 40) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(count):
        data[chance.randrange(len(data))] ^= 0xff
    path.write_bytes(data)


def comes_back(t: Context, server: Server, wids: list[str], what: str) -> None:
    """Either it starts and has everything, or it says what is damaged; without its state it starts
    from the log."""
    before = len(server.output())
    code = server.try_start()
    said = server.output()[before:]
    if code is None:
        server.client = Client(server.address)
        found = server.client.send_method("GetSystemInfo", b"")
        assert server.alive(), said
        t.note(f"{what}: starts, {found.code.name}")
        try:
            check_kept(server, wids)
            server.client.close()
            server.stop()
            return
        except grpc.RpcError as failed:
            assert (
                failed.code() == CODES.UNAVAILABLE
            ), f"{what}: {failed.code()}: {failed.details()}"
            t.note(f"{what}: {failed.details()[:100]}")
        server.client.close()
        server.stop()
        said = server.output()[before:]
    else:
        assert code == 1, f"{what}: exit code {code}\n{said[-2000:]}"
    assert (
        "orruption" in said or "damaged" in said or "orrupt" in said or "RocksDB" in said
    ), f"{what}: {said[-2000:]}"
    assert not server.deaths(), server.deaths()
    shutil.rmtree(Path(server.data, "state"))
    restart(server)
    check_kept(server, wids)
    server.stop()


@case(own_server=True)
def damaged_state(t: Context):
    """Files of the tables flipped, cut or gone: a clear message; the log rebuilds them once they
    are deleted."""
    chance = random.Random(t.seed)
    with t.other_server(t.release, probed=False) as server:
        wids = fill(server)
        server.client.close()
        server.stop()
        damages = {
            "CURRENT gone": lambda: [path.unlink() for path in files(server, "state", "CURRENT")],
            "MANIFEST flipped": lambda: [
                flip(path, chance)
                for path in files(server, "state", "")
                if path.name.startswith("MANIFEST")
            ],
            "SST flipped": lambda: [flip(path, chance) for path in files(server, "state", ".sst")],
            "SST gone": lambda: [path.unlink() for path in files(server, "state", ".sst")],
            "SST cut": lambda: [
                os.truncate(path, path.stat().st_size // 2)
                for path in files(server, "state", ".sst")
            ],
        }
        for what, damage in damages.items():
            damage()
            comes_back(t, server, wids, what)


@case(own_server=True)
def damaged_log(t: Context):
    """What was acknowledged may be gone: the server does not start, and says so."""
    chance = random.Random(t.seed)
    with t.other_server(t.release, probed=False) as server:
        fill(server, 200, 20_000)
        server.client.close()
        server.stop()
        written = [
            path
            for path in files(server, "log", "")
            if path.suffix in (".log", ".sst") and path.stat().st_size
        ]
        largest = max(written, key=lambda path: path.stat().st_size)
        whole = largest.read_bytes()
        data = bytearray(whole)
        for _ in range(20):
            data[chance.randrange(len(data) // 2)] ^= 0xff
        largest.write_bytes(data)
        shutil.rmtree(Path(server.data, "state"))
        before = len(server.output())
        code = server.try_start()
        said = server.output()[before:]
        assert code == 1, f"exit code {code}\n{said[-2000:]}"
        assert "damaged" in said or "orrupt" in said, said[-2000:]
        t.note(said.strip().splitlines()[-1][:150])
        largest.write_bytes(whole)
        assert server.try_start() is None, server.output()[-2000:]


@case(own_server=True)
def data_directory_that_cannot_be_written(t: Context):
    server = Server(t.release)
    for path, text in (
        ("/proc/nothing", READ_ONLY_TEXT),
        ("/dev/null/data", READ_ONLY_TEXT),
        ("x" * 5000, "too long"),
    ):
        server.data = path
        code = server.try_start()
        assert code == 1, f"{path[:30]}: exit code {code}\n{server.output()[-2000:]}"
        assert text in server.output(), server.output()[-2000:]
    server.data = f"{server.directory}/file"
    Path(server.data).write_text("a file")
    assert server.try_start() == 1, server.output()
    assert not server.deaths(), server.deaths()
    server.close()


@case(own_server=True)
def two_servers_on_one_directory(t: Context):
    with t.other_server(t.release, probed=False) as server:
        second = Server(t.release, data=server.data)
        assert second.try_start() == 1, second.output()
        assert "used by another process" in second.output(), second.output()
        second.close()
        server.client.GetSystemInfo()


@case(own_server=True)
def few_descriptors(t: Context):
    """It serves whom it has taken, spins not, and takes more when others leave."""
    with t.other_server(t.release, probed=False, descriptors=160) as server:
        server.client.GetSystemInfo()
        peers = [Wire(server.port) for _ in range(300)]
        began, cpu_s = time.monotonic(), server.cpu_s()
        while time.monotonic() - began < 2:  # how busy is it while it cannot accept?
            server.client.GetSystemInfo()
            time.sleep(0.1)  # the passing of time is what is measured
        used = (server.cpu_s() - cpu_s) / (time.monotonic() - began)
        assert used < 0.5, f"uses {used:.0%} of a processor"
        assert server.alive()
        for peer in peers:
            peer.close()
        fresh = Wire(server.port)
        assert fresh.works()
        fresh.close()
        fill(server, 5)


@case(own_server=True)
def hardly_any_descriptors(t: Context):
    """Too few even to open its files: it says so and ends, or it runs."""
    server = Server(t.release, descriptors=40)
    code = server.try_start()
    assert code in (None, 1), f"exit code {code}\n{server.output()[-2000:]}"
    assert code is None or "oo many open files" in server.output(), server.output()[-2000:]
    assert not server.deaths(), server.deaths()
    server.close()
