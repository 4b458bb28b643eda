"""What a campaign has shown, as a page."""

import argparse
import datetime
import statistics
from pathlib import Path

from tests.cluster.network import Network


def table(told: list[tuple[str, float]]) -> list[str]:
    """A line per fault: on how many partitions it was felt, and how long until a command was
    acknowledged again."""
    lines = ["| fault | partitions | acknowledged again after (median) | p90 | p99 | longest |",
             "|---|--:|--:|--:|--:|--:|"]
    for name in sorted({name for name, _ in told}):
        felt = sorted(felt_s for other, felt_s in told if other == name)
        p90, p99 = (felt[int(part * (len(felt) - 1) + 0.5)] for part in (0.9, 0.99))
        lines.append(f"| `{name}` | {len(felt)} | {statistics.median(felt):.2f} s | {p90:.2f} s "
                     f"| {p99:.2f} s | {felt[-1]:.2f} s |")
    return lines


def write(path: Path, options: argparse.Namespace, seed: int, told: list[tuple], report,
          network: Network | None, seconds: float) -> None:
    only = "".join(f" --only {name}" for name in options.only or [])
    opened = f" --open {options.open}" if options.open else ""
    opened += f" --clients {options.clients}" if options.clients != 24 else ""
    path.write_text("\n".join([
        "# A campaign of faults",
        "",
        f"{datetime.date.today()}: {options.rounds} rounds in {seconds / 60:.0f} minutes, three "
        "brokers (replication 3, `min.insync.replicas` 2) and three nodes, load and all on one "
        f"machine, {'each node with a link of its own' if network else 'on loopback'}:",
        "",
        "    build/venv/bin/python -m tests.faults "
        f"--rounds {options.rounds} --seed {seed}{opened}{only}",
        "",
        *table(told),
        "",
        f"{report.passed} properties held, {report.failed} did not. What is checked, and how, is "
        "told in tests/faults/README.md.",
        "",
    ]))
