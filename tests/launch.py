"""How suites launch Perdure: `perdure dev` with the embedded log, or `perdure serve` on a broker of
their own, alone or with two more nodes. One place, so that `--log kafka` means the same in all of
them."""

import argparse
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.kafka import KafkaCluster
from tests.ports import free_port

LOGS = ("embedded", "kafka", "cluster")


def add_log_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--log", choices=LOGS, default="embedded",
                        help="what Perdure keeps its events in; kafka: one node, one broker; "
                        "cluster: three nodes, of which the suite talks to one")


class Launcher:
    """The command line of a server on some data directory. With Kafka it owns the broker, which
    ends with close(); every data directory is a cluster, with topics of its own."""

    def __init__(self, log: str = "embedded", partitions: int = 4):
        assert log in LOGS, log
        self.log, self.partitions = log, partitions
        self._kafka: KafkaCluster | None = None
        self._others: dict[str, list[subprocess.Popen]] = {}  # by cluster
        self._directory: str | None = None  # of the other nodes

    def command(self, binary: Path, data: Path | str, port: int, *more: str) -> list[str]:
        """The server listens on 127.0.0.1:port."""
        binary = Path(binary).resolve()
        if self.log == "embedded":
            return [str(binary), "dev", "--data", str(data), "--port", str(port), *more]
        cluster = self.cluster(data)
        if self.log == "cluster" and cluster not in self._others:
            self._others[cluster] = [self._launch_other(binary, cluster, name)
                                     for name in ("node-2", "node-3")]
        return [*self._serve(binary, cluster, "node-1", port, data), *more]

    def _serve(self, binary: Path, cluster: str, node: str, port: int, data: Path | str) -> list:
        return [
            str(binary), "serve",
            "--cluster", cluster, "--node", node,
            "--listen", f"127.0.0.1:{port}",
            "--data", str(data),
            "--partitions", str(self.partitions),
            "--replication-factor", "1", "--min-insync-replicas", "1",
            "--kafka.bootstrap.servers", self.bootstrap,
        ]

    def _launch_other(self, binary: Path, cluster: str, node: str) -> subprocess.Popen:
        self._directory = self._directory or tempfile.mkdtemp(prefix="perdure-others-")
        home = Path(self._directory) / f"{cluster}-{node}"
        home.mkdir()
        with open(home / "output", "wb") as output:
            return subprocess.Popen(self._serve(binary, cluster, node, free_port(), home / "data"),
                                    stdout=output, stderr=output)

    @property
    def bootstrap(self) -> str:
        """Starts the broker when it is asked for the first time."""
        if self._kafka is None:
            self._kafka = KafkaCluster(brokers=1).start()
        return self._kafka.bootstrap

    @staticmethod
    def cluster(data: Path | str) -> str:
        return "t-" + hashlib.sha256(str(data).encode()).hexdigest()[:16]

    def close(self) -> None:
        for process in (one for others in self._others.values() for one in others):
            process.kill()
            process.wait()
        self._others.clear()
        if self._directory:
            shutil.rmtree(self._directory, ignore_errors=True)
        if self._kafka is not None:
            self._kafka.stop()
            self._kafka = None
