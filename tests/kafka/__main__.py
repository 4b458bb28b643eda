"""`python3 -m tests.kafka`: what is tested against real Kafka brokers: the suites with the ctest
label `kafka` on one broker, then faults on three."""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

from . import faults
from .cluster import KafkaCluster
from .config import ROOT


def _suites(build: Path) -> tuple[int, int]:
    """(passed, failed) of ctest."""
    with KafkaCluster() as kafka:
        environment = {**os.environ, "PD_KAFKA_BOOTSTRAP": kafka.bootstrap}
        done = subprocess.run(["ctest", "--output-on-failure", "--timeout", "600", "--test-dir",
                               str(build), "-L", "kafka"],
                              env=environment, stdout=subprocess.PIPE, text=True, check=False)
    print(done.stdout, flush=True)
    summary = re.search(r"(\d+) tests failed out of (\d+)", done.stdout)
    if not summary:
        return 0, 1
    failed, total = map(int, summary.groups())
    skipped = done.stdout.count("***Skipped")
    return total - failed - skipped, failed + skipped


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.kafka", description=__doc__)
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release")
    parser.add_argument("--only", choices=["suites", "faults"])
    parser.add_argument("--fault", help="only those whose name contains this")
    options = parser.parse_args()
    passed = failed = 0
    if options.only != "faults":
        passed, failed = _suites(options.build.resolve())
    if options.only != "suites":
        for name, fault in faults.FAULTS:
            if options.fault and options.fault not in name:
                continue
            good = faults.run_one(name, fault, options.build / "kafka_load")
            passed, failed = passed + good, failed + (not good)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
