"""How suites launch Perdure: `perdure dev` with the embedded log, or `perdure serve` on a broker of
their own. One place, so that `--log kafka` means the same in all of them."""

import argparse
import hashlib
import socket
from pathlib import Path

from tests.kafka import KafkaCluster

LOGS = ("embedded", "kafka")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def add_log_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--log", choices=LOGS, default="embedded",
                        help="what Perdure keeps its events in; kafka: one node, one broker")


class Launcher:
    """The command line of a server on some data directory. With Kafka it owns the broker, which
    ends with close(); every data directory is a cluster, with topics of its own."""

    def __init__(self, log: str = "embedded", partitions: int = 4):
        assert log in LOGS, log
        self.log, self.partitions = log, partitions
        self._kafka: KafkaCluster | None = None

    def command(self, binary: Path, data: Path | str, port: int, *more: str) -> list[str]:
        """The server listens on 127.0.0.1:port."""
        binary = Path(binary).resolve()
        if self.log == "embedded":
            return [str(binary), "dev", "--data", str(data), "--port", str(port), *more]
        return [
            str(binary), "serve",
            "--cluster", self.cluster(data), "--node", "node-1",
            "--listen", f"127.0.0.1:{port}",
            "--data", str(data),
            "--partitions", str(self.partitions),
            "--replication-factor", "1", "--min-insync-replicas", "1",
            "--kafka.bootstrap.servers", self.bootstrap, *more,
        ]

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
        if self._kafka is not None:
            self._kafka.stop()
            self._kafka = None
