"""A round: one fault on one partition, and how long it was felt."""

import asyncio
import random
import time
import uuid

import grpc.aio

from tests.cluster.cluster import Cluster, partition_of
from tests.cluster.node import Node
from tests.crash.load import AGAIN, Load
from tests.parity.harness.commands import payloads

GOES_ON_TIMEOUT_S = 120
PROBE_TIMEOUT_S = 0.5


class Round:
    """What a fault has to work with."""

    def __init__(self, cluster: Cluster, load: Load, chance: random.Random, pause_s: float):
        self.cluster, self.load, self.random, self.pause_s = cluster, load, chance, pause_s
        self.partition = chance.randrange(cluster.partitions)
        self.felt_s: float | None = None
        self.complaints: list[str] = []
        self._began: float | None = None
        self._probe: asyncio.Task | None = None

    def complain(self, text: str) -> None:
        self.complaints.append(text)

    async def owner(self) -> Node:
        """The partition's owner, which runs: as it was when all had one. Partitions may move."""
        placed = (await self.cluster.settled())["partitions"]
        name = next(one["owner"] for one in placed if one["partition"] == self.partition)
        return next(node for node in self.cluster.nodes if node.name == name)

    def leader(self) -> int:
        """The broker that leads the partition's events."""
        return self.cluster.kafka.leader(f"{self.cluster.name}.events", self.partition)

    async def load_for(self, seconds: float) -> None:
        """Lets the load run on: nothing is awaited but time itself."""
        await asyncio.sleep(seconds)
        self.load.failed()

    def interrupted(self) -> None:
        """The fault is there: from now on it is measured until a command is acknowledged."""
        self._began = time.monotonic()
        self._probe = asyncio.create_task(self._acknowledged())

    async def goes_on(self) -> None:
        """Waits for the first command on the partition that is acknowledged after the fault."""
        self.felt_s = await asyncio.wait_for(self._probe, GOES_ON_TIMEOUT_S)

    async def _acknowledged(self) -> float:
        """Starts a workflow of the partition over and over; returns when one was accepted."""
        wid = next(wid for wid in (f"probe-{uuid.uuid4()}" for _ in range(10000))
                   if partition_of(wid, self.cluster.partitions) == self.partition)
        request_id = str(uuid.uuid4())
        while True:
            try:
                await self.load.client.StartWorkflowExecution(
                    workflow_id=wid, workflow_type={"name": "Probe"},
                    task_queue={"name": "nobody"}, request_id=request_id, input=payloads(wid),
                    _timeout=PROBE_TIMEOUT_S)
                return time.monotonic() - self._began
            except grpc.aio.AioRpcError as failed:
                if failed.code() not in AGAIN:
                    raise
            await asyncio.sleep(0.02)
