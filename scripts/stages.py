#!/usr/bin/env python3
"""The stages of scripts/test: what is built, what is run, and how the results add up.

Each stage runs a command in the repository's root and tells how many tests passed and failed,
from ctest's summary, from a last line "N passed, N failed", or, where a command has neither, as
one test that is its exit code.
"""
import argparse
import os
import re
import subprocess
import sys
import time

# How the suites and ctest begin the line of a test that failed.
FAILED_LINE = re.compile(r"FAIL |failed  |not ok |failed: |\s*\d+/\d+ Test .*\*\*\*")
# How they begin the line of another test.
OTHER_LINE = re.compile(r"ok  |passed  |not ok |FAIL |failed  |\s*\d+/\d+ Test |\s*Start +\d+:")
EXCERPT_LINES = 30
REASON_SIZE = 300  # characters

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV_PYTHON = "build/venv/bin/python"
CTEST = ["ctest", "--output-on-failure", "--timeout", "600", "-j2"]
FUZZ_TARGETS = ["tests/fuzz/all"]
SANITIZED = "unit|conformance|sim|replay|fuzz|model"


def build(preset, *targets):
    return ["./scripts/build", preset, *targets]


def ctest(preset, label):
    return [*CTEST, "--test-dir", f"build/{preset}", "-L", label]


def on_log(log):
    return [build("release", "perdure"),
            [VENV_PYTHON, "-m", "tests.parity", "--log", log,
             "--reference", "tests/parity/reference.json.gz"],
            [VENV_PYTHON, "-m", "tests.e2e", "--log", log]]


# name, what it is for, commands in order; a failing build fails the stage
STAGES = [
    ("format", "clang-format has nothing to change", [["./scripts/format", "--check"]]),
    ("tidy", "the house rules hold", [["python3", "tests/tidy/tidy.py"]]),
    ("asan", "unit, conformance, simulation, fuzz smoke under ASan and UBSan",
     [build("asan"), ctest("asan", SANITIZED)]),
    ("lint", "clang-tidy finds nothing", [build("asan"), ["./scripts/lint", "asan"]]),
    ("fuzz", "libFuzzer targets, a few seconds each",
     [build("fuzz", *FUZZ_TARGETS), ["./scripts/fuzz-smoke"]]),
    ("tsan", "threads under TSan", [build("tsan"), ctest("tsan", "threads")]),
    ("release", "the release build passes them, too",
     [build("release"), ctest("release", SANITIZED)]),
    ("audit", "what a server logged under load is proven; whatever is altered is found",
     [build("release"), ctest("release", "audit")]),
    ("kafka", "the log on real Kafka brokers: conformance, topics, killed and paused brokers",
     [build("release", "conformance_log_kafka", "kafka_topics", "kafka_load"),
      ["python3", "-m", "tests.kafka"]]),
    ("commands", "commands and ingestion by Kafka alone, on a broker; the server killed among them",
     [build("release", "perdure"), [VENV_PYTHON, "-m", "tests.commands"]]),
    ("parity", "same programs, same histories as the reference server",
     [build("release", "perdure"),
      [VENV_PYTHON, "-m", "tests.parity", "--reference", "tests/parity/reference.json.gz"]]),
    ("hostile", "nothing from outside and no failing disk ends the server or delays others",
     [build("asan", "perdure"), build("release", "perdure"), [VENV_PYTHON, "-m", "tests.hostile"]]),
    ("e2e", "unmodified SDK workers, the command line, the server as a process",
     [build("release", "perdure"), [VENV_PYTHON, "-m", "tests.e2e"]]),
    ("crash", "kill -9 at random moments under load; what was acknowledged is there, once",
     [build("release", "perdure"), [VENV_PYTHON, "-m", "tests.crash", "--rounds", "30"]]),
    ("on-kafka", "parity and e2e on one broker and one node", on_log("kafka")),
    ("on-cluster", "parity and e2e on one broker and three nodes", on_log("cluster")),
    ("faults", "a cluster on real brokers loses parts under load; nothing acknowledged is lost",
     [build("release", "perdure"), [VENV_PYTHON, "-m", "tests.faults", "--rounds", "10"]]),
]


def counts(output, code):
    """(passed, failed) of one command: its last line that tells, which counts what it ran itself.
    An exit code that no count explains is a failure."""
    passed, failed = 0, 0
    for line in output.splitlines():
        if found := re.search(r"\d+% tests passed, (\d+) tests failed out of (\d+)", line):
            failed, total = map(int, found.groups())
            passed = total - failed
        elif found := re.match(r"(?:\w+: )?(\d+) passed, (\d+) failed", line):
            passed, failed = map(int, found.groups())
    if code != 0:
        return passed, failed or 1
    return (passed, failed) if passed or failed else (1, 0)


def excerpts(output):
    """The lines of the tests that failed, each with what the suite said after it."""
    found, left = [], 0
    for line in output.splitlines():
        if FAILED_LINE.match(line):
            left = EXCERPT_LINES
        elif OTHER_LINE.match(line):
            left = 0
        if left:
            found.append(line)
            left -= 1
    return found


def reasons(lines):
    """The first line of each test that failed, once more and short: whoever sees only the end of
    the output shall see why."""
    return [line[:REASON_SIZE] for line in lines if FAILED_LINE.match(line)]


def run(command):
    """Runs it, showing its output as it comes; returns (exit code, output)."""
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors="replace")
    lines = []
    for line in process.stdout:
        lines.append(line)
        sys.stdout.write(line)
        sys.stdout.flush()
    return process.wait(), "".join(lines)


def run_stage(name, commands):
    """Returns (passed, failed, what to say again of those that failed)."""
    passed = failed = 0
    again = []
    for command in commands:
        code, output = run(command)
        is_build = command[0].endswith("scripts/build")
        if is_build and code == 0:
            continue
        got = (0, 1) if is_build else counts(output, code)
        passed, failed = passed + got[0], failed + got[1]
        if got[1]:
            again += [f"--- {name}: {' '.join(command)}",
                      *(excerpts(output) or output.splitlines()[-EXCERPT_LINES:])]
        if is_build:
            break
    return passed, failed, again


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stages", nargs="*", help="only these; default: all")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    known = [stage[0] for stage in STAGES]
    if options.list:
        for name, what, _ in STAGES:
            print(f"{name:10} {what}")
        return 0
    unknown = set(options.stages) - set(known)
    if unknown:
        parser.error(f"no such stage: {', '.join(sorted(unknown))}")
    total_passed = total_failed = 0
    summary, again = [], []
    for name, what, commands in STAGES:
        if options.stages and name not in options.stages:
            continue
        print(f"=== {name}: {what}", flush=True)
        began = time.monotonic()
        passed, failed, said = run_stage(name, commands)
        again += said
        summary.append(f"{name:10} {passed:5} passed {failed:3} failed "
                       f"{time.monotonic() - began:6.0f} s")
        total_passed, total_failed = total_passed + passed, total_failed + failed
    if again:
        print("\n".join(["=== what failed", *again]))
    print("\n".join(["=== summary", *summary, *reasons(again)]))
    print(f"{total_passed} passed, {total_failed} failed")
    return 1 if total_failed or not total_passed else 0


if __name__ == "__main__":
    sys.exit(main())
