"""`python -m tests.parity`: see README.md."""

import sys

from .harness.runner import main

sys.exit(main())
