#!/usr/bin/env python3
"""Runs the parity suite in build/venv, creating that first if need be: `tests/parity/run.py
--help`."""

import os
import subprocess
import sys
from pathlib import Path

root = Path(__file__).resolve().parents[2]
venv = subprocess.check_output([root / "scripts/python-env"], text=True).strip()
os.chdir(root)
os.execv(f"{venv}/bin/python", [f"{venv}/bin/python", "-m", "tests.parity", *sys.argv[1:]])
