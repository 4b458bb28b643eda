"""Brokers and nodes on this machine."""

import asyncio
import json
import secrets
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from tests.kafka import KafkaCluster
from tests.parity.harness.server import ROOT

from .network import BROKERS, Network
from .node import Node

BINARY = ROOT / "build/release/perdure"
SETTLE_TIMEOUT_S = 60


def partition_of(workflow_id: str, count: int) -> int:
    """Kafka's default partitioner: murmur2 of the key."""
    data, mask, m = workflow_id.encode(), 0xFFFFFFFF, 0x5BD1E995
    value = 0x9747B28C ^ len(data)
    whole = len(data) // 4 * 4
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        value = (value * m & mask) ^ k
    if rest := data[whole:]:
        value = (value ^ int.from_bytes(rest, "little")) * m & mask
    value = (value ^ value >> 13) * m & mask
    value ^= value >> 15
    return (value & 0x7FFFFFFF) % count


class Cluster:
    """`async with Cluster(brokers=3, nodes=3) as cluster:`; everything is gone afterwards. On
    loopback, or in a network where every node has its own link."""

    def __init__(
        self,
        brokers: int = 3,
        nodes: int = 3,
        partitions: int = 6,
        binary: Path = BINARY,
        options: tuple[str, ...] = (),
        network: Network | None = None,
    ):
        self.directory = Path(tempfile.mkdtemp(prefix="perdure-cluster-"))
        self.name = f"test-{secrets.token_hex(4)}"
        self.partitions = partitions
        self.binary = Path(binary).resolve()
        self.kafka = KafkaCluster(brokers, self.directory / "kafka",
                                  host=BROKERS if network else "127.0.0.1")
        self._network = network
        self._broker_count, self._node_count, self._options = brokers, nodes, options
        self.nodes: list[Node] = []
        self.keep = False

    async def __aenter__(self) -> "Cluster":
        try:
            self.kafka.start()  # by this thread: brokers die with the one that starts them
            replication = ["--replication-factor", str(min(3, self._broker_count)),
                           "--min-insync-replicas", str(min(2, self._broker_count))]
            common = ["--cluster", self.name, "--partitions", str(self.partitions), *replication,
                      "--kafka.bootstrap.servers", self.kafka.bootstrap, *self._options]
            for number in range(1, self._node_count + 1):
                link = self._network.link(number) if self._network else None
                self.nodes.append(Node(self.binary, self.directory, f"n{number}", common, link))
                self.nodes[-1].launch()
            await asyncio.gather(*(node.ready() for node in self.nodes))
            await self.settled()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        for node in self.nodes:
            node.close()
        self.kafka.stop()
        if self.keep:
            print(f"kept: {self.directory}")
        else:
            shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def address(self) -> str:
        """All nodes, for a client that takes turns."""
        return "ipv4:" + ",".join(node.address for node in self.nodes)

    # ---- what it says of itself ----

    def perdure(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess:
        """Runs the executable on the cluster's topics."""
        command = [str(self.binary), *arguments, "--cluster", self.name,
                   "--kafka.bootstrap.servers", self.kafka.bootstrap]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)

    async def status(self) -> dict:
        """`perdure cluster status --json`."""
        done = await asyncio.to_thread(self.perdure, "cluster", "status", "--json")
        if done.returncode not in (0, 3):  # 3: some partition has no owner
            raise RuntimeError(f"cluster status: {done.stderr}")
        return json.loads(done.stdout)

    async def owner(self, partition: int) -> Node | None:
        """The node that owns it, if somebody says so."""
        placed = {one["partition"]: one for one in (await self.status())["partitions"]}
        name = placed.get(partition, {}).get("owner")
        return next((node for node in self.nodes if node.name == name), None)

    async def settled(self, timeout_s: float = SETTLE_TIMEOUT_S) -> dict:
        """Waits until every partition has an owner that lives; returns the status."""
        end = time.monotonic() + timeout_s
        while True:
            status = await self.status()
            alive = {node.name for node in self.nodes
                     if node.running and not node.paused and not node.cut_off}
            owners = [one.get("owner") for one in status["partitions"]]
            if len(owners) == self.partitions and all(owner in alive for owner in owners):
                return status
            if time.monotonic() > end:
                raise RuntimeError(f"no owner for every partition within {timeout_s} s: {status}")
            await asyncio.sleep(0.2)

    async def at_rest(self, timeout_s: float = SETTLE_TIMEOUT_S) -> dict:
        """Waits until nothing is to move any more: every partition is where it is preferred, and
        its standby has caught up; returns the status."""
        end = time.monotonic() + timeout_s
        while True:
            status = await self.settled(timeout_s)
            if all(one["owner"] == one["preferred"] and one["standby"] and one["standby_lag"] < 100
                   for one in status["partitions"]):
                return status
            if time.monotonic() > end:
                raise RuntimeError(f"partitions still move after {timeout_s} s: {status}")
            await asyncio.sleep(0.2)
