"""A round: one fault, and how long it was felt on the partitions that it concerns."""

import asyncio
import random
import sys
import time
import uuid
from pathlib import Path

import grpc.aio

from tests.cluster.cluster import Cluster, partition_of
from tests.cluster.node import Node
from tests.crash.load import AGAIN, Load
from tests.parity.harness.commands import payloads

from .alone import works_at
from .handover import Probe, away_s

GOES_ON_TIMEOUT_S = 120
LOAD_GOES_ON_TIMEOUT_S = 45  # three polls may hang, one after the other, at a node that is deaf
LOAD_GOES_ON_COUNT = 4  # acknowledgements of every client; a healthy load has them in a second
TAKES_PART_TIMEOUT_S = 60
BESIDE_TIMEOUT_S = 5
HEALTH_TIMEOUT_S = 60
TEMPORAL = Path(sys.executable).parent / "temporal"
PROBE_TIMEOUT_S = 0.5
PROBE_PAUSE_S = 0.02
WATCH_PAUSE_S = 0.005  # of what is measured by acknowledgements


class Round:
    """What a fault has to work with."""

    def __init__(self, cluster: Cluster, load: Load, chance: random.Random, pause_s: float):
        self.cluster, self.load, self.random, self.pause_s = cluster, load, chance, pause_s
        self.partition = chance.randrange(cluster.partitions)
        self.felt_s: list[float] = []  # of each partition concerned
        self.calm_s: list[float] = []  # the slowest calls before the fault
        self.slowest_s: list[float] = []  # … and around it
        self.back_s: float | None = None  # how long a node took to own something again
        self.complaints: list[str] = []
        self._concerned = [self.partition]
        self._probes: list[asyncio.Task] = []
        self._watched_since_s = 0.0
        self._acknowledged_of: dict[int, list[Probe]] = {}
        self._watching = False

    def complain(self, text: str) -> None:
        self.complaints.append(text)

    async def owner(self) -> Node:
        """The partition's owner, which runs: as it was when all had one. Partitions may move. All
        that it owns are concerned by its fault."""
        placed = (await self.cluster.settled())["partitions"]
        name = next(one["owner"] for one in placed if one["partition"] == self.partition)
        self._concerned = [one["partition"] for one in placed if one["owner"] == name]
        return next(node for node in self.cluster.nodes if node.name == name)

    def leader(self) -> int:
        """The broker that leads the partition's events."""
        return self.cluster.kafka.leader(f"{self.cluster.name}.events", self.partition)

    async def load_for(self, seconds: float) -> None:
        """Lets the load run on: nothing is awaited but time itself."""
        await asyncio.sleep(seconds)
        self.load.failed()

    def interrupted(self) -> None:
        """The fault is there: from now on it is measured until commands are acknowledged."""
        began = time.monotonic()
        self._probes = [asyncio.create_task(self._acknowledged(partition, began))
                        for partition in self._concerned]

    async def goes_on(self) -> None:
        """Waits for the first command on each partition concerned that is acknowledged after the
        fault."""
        self.felt_s = await asyncio.wait_for(asyncio.gather(*self._probes), GOES_ON_TIMEOUT_S)

    async def acknowledged_beside(self, node: Node) -> bool:
        """Starts a workflow of the partition by a client that shares the node's link, or its lack;
        whether the node acknowledged it."""
        return await asyncio.to_thread(
            node.beside, TEMPORAL, "workflow", "start", "--address", node.address,
            "--type", "Probe", "--task-queue", "nobody", "--workflow-id", self._workflow_id(
                self.partition), "--command-timeout", f"{BESIDE_TIMEOUT_S}s") == 0

    async def nothing_acknowledged_beside(self, node: Node, seconds: float) -> None:
        """For some time, of a node that is cut off: no broker has what it would acknowledge."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if await self.acknowledged_beside(node):
                self.complain(f"{node.name} acknowledged a workflow while it was cut off")
                return
            await asyncio.sleep(PROBE_PAUSE_S)

    async def takes_part(self, node: Node) -> None:
        """Waits until a node that had lost its partitions is given one again."""
        began = time.monotonic()
        while not any(one["owner"] == node.name
                      for one in (await self.cluster.status())["partitions"]):
            if time.monotonic() > began + TAKES_PART_TIMEOUT_S:
                self.complain(f"{node.name} owns nothing {TAKES_PART_TIMEOUT_S} s after its return")
                return
            await self.load_for(0.2)
        self.back_s = time.monotonic() - began

    async def works_at(self, node: Node) -> None:
        """Workflows are started and done by clients and workers that know this node only."""
        for line in await works_at(node.address):
            self.complain(f"at {node.name} alone: {line}")

    async def says_serving(self, node: Node, serving: bool) -> None:
        """Waits until the node's health says so."""
        began = time.monotonic()
        while await node.is_serving() != serving:
            if time.monotonic() > began + HEALTH_TIMEOUT_S:
                self.complain(f"{node.name} does not say that it is "
                              f"{'' if serving else 'not '}serving")
                return
            await self.load_for(0.2)

    def watch(self) -> None:
        """From now on each partition concerned is called again and again."""
        self._watching = True
        self._watched_since_s = time.time() - 1
        self._acknowledged_of = {partition: [] for partition in self._concerned}
        self._probes = [asyncio.create_task(self._slowest(partition))
                        for partition in self._concerned]

    async def changes(self) -> None:
        """Ends what watch() began, after one more acknowledgement of each: how long each partition
        was without an owner, and the slowest call of each."""
        self.slowest_s = await self._end_watching()
        for partition, probes in self._acknowledged_of.items():
            away = await away_s(self.cluster, partition, probes, self._watched_since_s)
            if away is None:
                self.complain(f"partition {partition} has not changed its owner")
            else:
                self.felt_s.append(away)

    async def calm(self, seconds: float) -> None:
        """The slowest calls without a fault: this machine, under this load."""
        self.watch()
        await self.load_for(seconds)
        self.calm_s = await self._end_watching()

    async def _end_watching(self) -> list[float]:
        self._watching = False
        return await asyncio.wait_for(asyncio.gather(*self._probes), GOES_ON_TIMEOUT_S)

    async def _slowest(self, partition: int) -> float:
        slowest = 0.0
        while self._watching:
            wid = self._workflow_id(partition)
            slowest = max(slowest, await self._started(wid, time.monotonic()))
            self._acknowledged_of[partition].append(Probe(wid, time.monotonic()))
            await asyncio.sleep(WATCH_PAUSE_S)
        return slowest

    async def load_goes_on(self) -> None:
        """Waits until the load gets on as a whole: no part of it hangs at what does not answer."""
        ledger, began = self.load.ledger, time.monotonic()
        wanted = ledger.acknowledged + LOAD_GOES_ON_COUNT * self.load.client_count
        while ledger.acknowledged < wanted:
            if time.monotonic() > began + LOAD_GOES_ON_TIMEOUT_S:
                self.complain(f"the load lacks {wanted - ledger.acknowledged} acknowledgements "
                              f"after {LOAD_GOES_ON_TIMEOUT_S} s")
                return
            await self.load_for(0.1)

    def _workflow_id(self, partition: int) -> str:
        """A new one of the partition."""
        return next(wid for wid in (f"probe-{uuid.uuid4()}" for _ in range(10000))
                    if partition_of(wid, self.cluster.partitions) == partition)

    async def _acknowledged(self, partition: int, began: float) -> float:
        """Starts a workflow of the partition over and over; returns when one was accepted, after
        how many seconds."""
        return await self._started(self._workflow_id(partition), began)

    async def _started(self, wid: str, began: float) -> float:
        request_id = str(uuid.uuid4())
        while True:
            try:
                await self.load.client.StartWorkflowExecution(
                    workflow_id=wid, workflow_type={"name": "Probe"},
                    task_queue={"name": "nobody"}, request_id=request_id, input=payloads(wid),
                    _timeout=PROBE_TIMEOUT_S)
                return time.monotonic() - began
            except grpc.aio.AioRpcError as failed:
                if failed.code() not in AGAIN:
                    raise
            await asyncio.sleep(PROBE_PAUSE_S)
