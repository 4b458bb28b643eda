"""Runs the cases, one after the other, and asks after each whether the server and its bystander are
well."""

import argparse
import fnmatch
import sys
import time
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from .client import Client
from .prober import Prober
from .registry import Case, Skip, load
from .server import Server

ROOT = Path(__file__).resolve().parents[3]
DEFAULT_SEED = 1
WHY_SIZE_MAX = 4000
DELAY_MAX_S = 10  # sanitizers, and a machine with other things to do


class Context:
    """What a case gets: the shared server, a client of it, and what it needs to start others."""

    def __init__(self, binary: Path, release: Path, seed: int):
        self.binary, self.release, self.seed = binary, release, seed
        self.server = Server(binary)
        self.case: Case
        self.notes: list[str] = []

    def begin(self) -> None:
        self.server.start()
        self.connect()

    def connect(self) -> None:
        self.server.client, self.server.prober = Client(self.server.address), Prober(
            self.server.address
        )
        self.prober.rounds(1)

    def disconnect(self) -> None:
        self.prober.close()
        self.client.close()

    @property
    def client(self) -> Client:
        return self.server.client

    @property
    def prober(self) -> Prober:
        return self.server.prober

    def id(self, suffix: str = "") -> str:
        return f"{self.case.name}{'-' + suffix if suffix else ''}"

    def note(self, text: str) -> None:
        """Said beside the result."""
        self.notes.append(text)

    @contextmanager
    def other_server(
        self, binary: Path | None = None, probed: bool = True, **options
    ) -> Iterator[Server]:
        """A server of the case's own, with a client and, unless told otherwise, a bystander."""
        server = Server(binary or self.binary, **options)
        try:
            server.start()
            server.client = Client(server.address)
            if probed:
                server.prober = Prober(server.address)
                server.prober.rounds(1)
            yield server
        finally:
            if probed and hasattr(server, "prober"):
                server.prober.close()
            if hasattr(server, "client"):
                server.client.close()
            server.close()

    def check_server(self, server: Server) -> None:
        """Nothing of what was done to the server was noticed by anybody else."""
        assert server.alive(), f"the server died with {server.process.returncode}:\n" \
            f"{server.deaths() or server.output()[-3000:]}"
        server.prober.rounds(1)
        errors = server.prober.take_errors()
        assert not errors, f"the bystander: {errors[:3]} ({len(errors)} errors)"
        longest_s = server.prober.take_longest_s()
        self.note(f"bystander waited at most {longest_s * 1000:.0f} ms")
        assert longest_s < DELAY_MAX_S, f"the bystander waited {longest_s:.1f} s"
        assert "level=error" not in server.output().lower(), server.output()[-2000:]


def run_case(context: Context, case: Case) -> str:
    """"passed", "failed" or "skipped"; prints one line, and why."""
    context.case, context.notes = case, []
    began = time.monotonic()
    outcome, why = "passed", ""
    try:
        case.function(context)
        if not case.own_server:
            context.check_server(context.server)
    except Skip as skipped:
        outcome, why = "skipped", str(skipped)
    except Exception as failed:  # whatever it is, the other cases still run
        outcome = "failed"
        why = (
            f"{failed}\n{traceback.format_exc(limit=-4)}"
            if not isinstance(failed, AssertionError)
            else f"{failed}\n{''.join(traceback.format_tb(failed.__traceback__)[-2:])}"
        )
    notes = f" ({'; '.join(context.notes)})" if context.notes else ""
    print(
        f"{outcome:8}{case.group}.{case.name} {time.monotonic() - began:.1f} s{notes}", flush=True
    )
    if why:
        print("    " + why[:WHY_SIZE_MAX].replace("\n", "\n    "), flush=True)
    return outcome


def run(context: Context, cases: list[Case]) -> dict[str, int]:
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for case in cases:
        if not case.own_server and not context.server.alive():
            context.server = Server(context.binary)
            context.begin()
            context.prober.take_longest_s()
        counts[run_case(context, case)] += 1
    return counts


def choose_binary(option: str | None) -> Path:
    for path in [option] if option else ["build/asan/perdure", "build/release/perdure"]:
        if (ROOT / path).exists():
            return ROOT / path
    raise SystemExit("there is no build/asan/perdure: ./scripts/build asan perdure")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="PATTERN",
        help="a group, or cases by pattern",
    )
    parser.add_argument("--list", action="store_true", help="name the cases")
    parser.add_argument(
        "--binary", help="the server (default: build/asan/perdure, else build/release/perdure)"
    )
    parser.add_argument(
        "--seed", type=int, default=DEFAULT_SEED, help="of everything random (default: %(default)s)"
    )
    parser.add_argument(
        "--keep", action="store_true", help="leave the shared server's files, and say where"
    )
    return parser.parse_args()


def main() -> int:
    options = parse()
    cases = [case for case in load() if not options.only or any(
        fnmatch.fnmatch(case.name, pattern) or case.group == pattern for pattern in options.only)]
    if options.list:
        print("\n".join(f"{case.group}.{case.name}" for case in cases))
        return 0
    binary = choose_binary(options.binary)
    release = ROOT / "build/release/perdure"
    context = Context(
        binary, release if release.exists() and not options.binary else binary, options.seed
    )
    print(f"seed {options.seed}, server {binary}", flush=True)
    began = time.monotonic()
    counts = run(context, cases)
    if context.server.alive():
        context.disconnect()
        code = context.server.stop()
        died = context.server.deaths()
        if code or died:
            counts["failed"] += 1
            print(f"failed  the shared server ended with {code}\n{died}")
    if options.keep:
        print(f"kept {context.server.directory}")
    else:
        context.server.close()
    if counts["skipped"]:
        print(f"{counts['skipped']} skipped")
    print(f"{time.monotonic() - began:.0f} s")
    print(f"{counts['passed']} passed, {counts['failed']} failed")
    return 1 if counts["failed"] or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
