"""Attacks a server: `python -m tests.hostile --help`."""

import sys

from .harness.runner import main

sys.exit(main())
