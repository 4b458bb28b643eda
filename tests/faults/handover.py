"""How long nobody owned a partition, as its clients saw it: from the last acknowledgement of one
owner to the first of the next. Whose acknowledgement it was, the log knows."""

import asyncio
import json
import time
from dataclasses import dataclass

from tests.cluster.cluster import Cluster


@dataclass
class Probe:
    """A workflow that was started, by one client after the other of its partition."""
    workflow_id: str
    acknowledged_s: float


def eras(lines: list[str]) -> dict[str, int]:
    """From `perdure log dump`: under which owner, counted from the first line, each workflow has
    its first record that counts."""
    era, found = 0, {}
    for line in lines:
        one = json.loads(line)
        body = (one["record"] or {}).get("body", {})
        if one["verdict"] != "counts":
            continue
        if "owner_changed" in body:
            era += 1
        for part in body.values():
            if isinstance(part, dict) and "workflow_id" in part:
                found.setdefault(part["workflow_id"], era)
    return found


def longest_change(probes: list[Probe], era_of: dict[str, int]) -> float | None:
    """The longest time between acknowledgements of two owners; None: the owner did not change."""
    gaps = [later.acknowledged_s - earlier.acknowledged_s
            for earlier, later in zip(probes, probes[1:])
            if era_of[later.workflow_id] != era_of[earlier.workflow_id]]
    return max(gaps, default=None)


async def away_s(cluster: Cluster, partition: int, probes: list[Probe],
                 since_s: float) -> float | None:
    """The same of a partition, by its log since then (of time.time())."""
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(since_s))
    done = await asyncio.to_thread(cluster.perdure, "log", "dump", "--partition", str(partition),
                                   "--from", since)
    if done.returncode != 0:
        raise RuntimeError(f"log dump: {done.stderr}")
    return longest_change(probes, eras(done.stdout.splitlines()))
