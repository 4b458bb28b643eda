"""The command line of scripts/kafka."""

import argparse
import json
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

from . import config
from .cluster import KafkaCluster

STATE = "kafka.json"


def _make(options: argparse.Namespace, detached: bool) -> KafkaCluster:
    extra = dict(setting.split("=", 1) for setting in options.set)
    return KafkaCluster(options.brokers, options.dir, port_base=options.port_base,
                        heap_mb=options.heap_mb, session_timeout_ms=options.session_timeout_ms,
                        extra=extra, detached=detached)


def _run(options: argparse.Namespace) -> int:
    """Foreground: until Ctrl-C or SIGTERM."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with _make(options, detached=False) as kafka:
        print(kafka.bootstrap, flush=True)
        ended.wait()
    return 0


def _start(options: argparse.Namespace) -> int:
    """Background: prints the bootstrap servers and returns."""
    if options.dir is None:
        print("kafka: start needs --dir: stop finds the brokers there", file=sys.stderr)
        return 2
    kafka = _make(options, detached=True)
    kafka.start()
    (kafka.directory / STATE).write_text(
        json.dumps({"pids": kafka.pids, "bootstrap": kafka.bootstrap}))
    print(kafka.bootstrap)
    return 0


def _is_broker(pid: int) -> bool:
    """Not some other process that has got the number since."""
    try:
        return b"kafka.Kafka" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _state(directory: Path) -> dict | None:
    path = directory / STATE
    return json.loads(path.read_text()) if path.exists() else None


def _stop(options: argparse.Namespace) -> int:
    state = _state(options.dir)
    if state is None:
        print(f"kafka: nothing was started in {options.dir}", file=sys.stderr)
        return 1
    for pid in filter(_is_broker, state["pids"]):
        os.kill(pid, signal.SIGKILL)
    while any(map(_is_broker, state["pids"])):
        time.sleep(0.02)
    (options.dir / STATE).unlink()
    if options.remove:
        shutil.rmtree(options.dir)
    return 0


def _status(options: argparse.Namespace) -> int:
    state = _state(options.dir)
    running = [pid for pid in state["pids"] if _is_broker(pid)] if state else []
    print(f"{len(running)} brokers at {state['bootstrap']}" if running else "no brokers")
    return 0 if running else 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/kafka", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for name, function, what in (("start", _start, "start in the background"),
                                 ("run", _run, "run in the foreground until Ctrl-C")):
        one = commands.add_parser(name, help=what)
        one.set_defaults(function=function)
        one.add_argument("--brokers", type=int, default=1)
        one.add_argument("--dir", type=Path, help="data and output; run: default temporary")
        one.add_argument("--port-base", type=int, default=0, help="0: free ports")
        one.add_argument("--heap-mb", type=int, default=512)
        one.add_argument("--session-timeout-ms", type=int, default=3000,
                         help="after which a silent broker loses its leaderships")
        one.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                         help="a line for server.properties")
    stop = commands.add_parser("stop", help="end what start has started")
    stop.set_defaults(function=_stop)
    stop.add_argument("--dir", type=Path, required=True)
    stop.add_argument("--remove", action="store_true", help="remove the directory, too")
    status = commands.add_parser("status", help="are there brokers, and where")
    status.set_defaults(function=_status)
    status.add_argument("--dir", type=Path, required=True)
    options = parser.parse_args()
    config.libs()
    return options.function(options)
