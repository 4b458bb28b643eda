"""`python -m tests.crash`: kills the server again and again under load, and counts what it had
promised."""

import argparse
import asyncio
import secrets
import sys
import time
from pathlib import Path

from tests.e2e.perdure import BINARY, Perdure

from . import checker
from .load import Load
from .rounds import Rounds, make_server

DRAIN_TIMEOUT_S = 60
SHOWN = 20


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.crash", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="how often the server is killed")
    parser.add_argument(
        "--seed", type=int, help="repeats the choices of an earlier run (not its timing)"
    )
    parser.add_argument("--binary", type=Path, default=BINARY)
    parser.add_argument(
        "--keep", action="store_true", help="keep the data directory if something fails"
    )
    return parser.parse_args()


class Report:
    """One line per property, complaints below it, and the count at the end."""

    def __init__(self) -> None:
        self.passed = self.failed = 0

    def __call__(self, what: str, complaints: list[str]) -> None:
        print(f"{'FAIL' if complaints else 'ok  '} {what}", flush=True)
        for complaint in complaints[:SHOWN]:
            print(f"       {complaint}")
        if len(complaints) > SHOWN:
            print(f"       ... and {len(complaints) - SHOWN} more")
        self.passed, self.failed = self.passed + (not complaints), self.failed + bool(complaints)


def verify(server: Perdure) -> list[str]:
    """`perdure log verify` follows the hash chains."""
    done = server.log("verify")
    print("".join(f"       {line}\n" for line in done.stdout.splitlines()), end="")
    return [] if done.returncode == 0 else [f"exit code {done.returncode}: {done.stderr.strip()}"]


async def stop(server: Perdure) -> list[str]:
    code = await server.terminate()
    return [] if code == 0 else [f"exit code {code} after SIGTERM\n{server.output()}"]


async def rebuilt(server: Perdure, load: Load, before: checker.Runs) -> list[str]:
    """Deletes the state; the log alone must give the same histories."""
    server.forget_state()
    await server.start()
    return checker.differences(before, await load.runs())


async def examine(server: Perdure, load: Load, report: Report) -> None:
    """After the last crash: what is there, and is it what was promised?"""
    report("all workflows finish", await load.drain(DRAIN_TIMEOUT_S))
    runs = await load.runs()
    ledger = load.ledger
    print(
        f"       {len(ledger.starts)} starts, {len(ledger.signals)} signals, "
        f"{len(ledger.activities)} activities, {len(ledger.tasks)} workflow tasks acknowledged; "
        f"{len(ledger.reads)} histories read meanwhile; "
        f"{ledger.unknown} calls without answer, {ledger.refused} answers too late"
    )
    report("what was acknowledged is in one history, once", checker.check(ledger, runs))
    report("SIGTERM ends the server", await stop(server))
    report("the log's hash chains hold", verify(server))
    report(
        "the state rebuilt from the log serves the same histories",
        await rebuilt(server, load, runs),
    )
    report("the checker notices every kind of loss", checker.unnoticed(ledger, runs))


async def play(options: argparse.Namespace, seed: int, report: Report) -> None:
    server = make_server(options.binary)
    load = Load(server.address, seed)
    try:
        await Rounds(server, load, seed).play(options.rounds)
        await examine(server, load, report)
    except Exception as failed:
        report(
            f"the test came to its end: {failed!r}",
            server.output().splitlines()[-SHOWN:] or [repr(failed)],
        )
    finally:
        await load.close()
        if options.keep and report.failed:
            print(f"the data directory is kept: {server.data}")
            server.process.kill()
        else:
            server.close()


def main() -> int:
    """Returns the exit code."""
    options = arguments()
    seed = secrets.randbelow(1 << 32) if options.seed is None else options.seed
    print(f"seed {seed}, {options.rounds} rounds", flush=True)
    report, begin = Report(), time.monotonic()
    asyncio.run(play(options, seed, report))
    print(f"{time.monotonic() - begin:.0f} s; --seed {seed}")
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
