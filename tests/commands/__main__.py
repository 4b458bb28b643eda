"""`python -m tests.commands`: commands and ingestion by Kafka, on a broker. See README.md."""

import argparse
import asyncio
import fnmatch
import sys
import time
import traceback
from pathlib import Path

from tests.e2e.perdure import BINARY

from . import examples, ingestion  # noqa: F401 (they register cases)
from .bench import Bench
from .cases import CASES

CASE_TIMEOUT_S = 240


async def run(names: list[str], binary: Path) -> int:
    """Returns how many failed. One after the other: some kill the server."""
    failed = 0
    bench = Bench(binary)
    try:
        await bench.start()
        for name in names:
            begin = time.monotonic()
            try:
                await asyncio.wait_for(CASES[name](bench), CASE_TIMEOUT_S)
                verdict = "ok  "
            except Exception:  # pylint: disable=broad-except
                traceback.print_exc(file=sys.stdout)
                failed += 1
                verdict = "FAIL"
            print(f"{verdict} {name} ({time.monotonic() - begin:.1f} s)", flush=True)
        if failed or not bench.server.alive():
            print(bench.server.output())
        if await bench.server.terminate() != 0:
            print(f"FAIL the server ended badly:\n{bench.server.output()}")
            failed += 1
    finally:
        bench.close()
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.commands", description=__doc__)
    parser.add_argument("--only", default="*", metavar="NAME", help="cases by name; * allowed")
    parser.add_argument("--binary", type=Path, default=BINARY, help="Perdure's executable")
    options = parser.parse_args()
    names = [name for name in CASES if fnmatch.fnmatch(name, options.only)]
    if not names:
        parser.error(f"no case matches {options.only}: {', '.join(CASES)}")
    failed = asyncio.run(run(names, options.binary))
    print(f"{len(names) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
