"""What a broker is told: server.properties, the formatted directory, the command line of Java."""

import base64
import fcntl
import os
import shutil
import subprocess
import uuid
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CACHE = ROOT / "build" / "kafka"

_LOG4J = """\
status=error
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %c{1} %m%n
rootLogger.level=warn
rootLogger.appenderRefs=out
rootLogger.appenderRef.out.ref=out
"""


@dataclass
class Settings:
    """Of a whole cluster."""

    ports: list[int]  # of the brokers
    controller_ports: list[int]
    heap_mb: int = 512
    session_timeout_ms: int = 3000  # after which a silent broker loses its leaderships
    extra: dict[str, str] = field(default_factory=dict)
    host: str = "127.0.0.1"  # where they listen, and are found

    @property
    def broker_count(self) -> int:
        return len(self.ports)

    def address(self, node: int) -> str:
        """Of broker `node`, counted from 0."""
        return f"{self.host}:{self.ports[node]}"


def libs() -> Path:
    """The directory of Kafka's jars, fetched when missing."""
    done = subprocess.run([ROOT / "scripts" / "get-kafka"], check=True, stdout=subprocess.PIPE,
                          text=True)
    return Path(done.stdout.strip())


def new_uuid() -> str:
    """As Kafka writes them: 22 characters, none of them a dash in front."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def properties(settings: Settings, node: int, directory: Path) -> str:
    """server.properties of broker `node`, counted from 0."""
    count = settings.broker_count
    replication, in_sync = min(count, 3), min(max(count - 1, 1), 2)
    voters = ",".join(f"{i + 1}@{settings.host}:{port}"
                      for i, port in enumerate(settings.controller_ports))
    values = {
        "process.roles": "broker,controller",
        "node.id": node + 1,
        "controller.quorum.voters": voters,
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{settings.address(node)},"
                     f"CONTROLLER://{settings.host}:{settings.controller_ports[node]}",
        "advertised.listeners": f"PLAINTEXT://{settings.address(node)}",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": directory / "data",
        "auto.create.topics.enable": "false",
        "num.partitions": 1,
        "default.replication.factor": replication,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": replication,
        "offsets.topic.num.partitions": 3,
        "transaction.state.log.replication.factor": replication,
        "transaction.state.log.min.isr": in_sync,
        "transaction.state.log.num.partitions": 3,
        "group.initial.rebalance.delay.ms": 0,
        "broker.session.timeout.ms": settings.session_timeout_ms,
        "broker.heartbeat.interval.ms": 500,
        "replica.lag.time.max.ms": 5000,
        "controlled.shutdown.enable": "true",
        "num.network.threads": 2,
        "num.io.threads": 4,
        "background.threads": 2,
        "log.cleaner.dedupe.buffer.size": 8 * 1024 * 1024,
        **settings.extra,
    }
    return "".join(f"{name}={value}\n" for name, value in values.items())


def java(settings: Settings, jars: Path, directory: Path) -> list[str]:
    return [
        "java", f"-Xms{settings.heap_mb // 2}m", f"-Xmx{settings.heap_mb}m",
        "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:+UseStringDeduplication",
        "-XX:+ExitOnOutOfMemoryError", "-Xshare:auto", "-Djava.awt.headless=true",
        f"-Dlog4j2.configurationFile={directory / 'log4j2.properties'}",
        "-cp", f"{jars}/*", "kafka.Kafka", str(directory / "server.properties"),
    ]


def _template(jars: Path) -> Path:
    """A formatted directory to copy: formatting takes a second of Java, copying none."""
    target = CACHE / f"format-{jars.name}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / ".format-lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (target / "data" / "bootstrap.checkpoint").exists():
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir()
            settings = Settings(ports=[9092], controller_ports=[9093])
            (target / "server.properties").write_text(properties(settings, 0, target))
            subprocess.run(["java", "-cp", f"{jars}/*", "kafka.tools.StorageTool", "format",
                            "-t", new_uuid(), "-c", target / "server.properties"],
                           check=True, capture_output=True)
    return target / "data"


def prepare(settings: Settings, jars: Path, node: int, directory: Path, cluster_id: str) -> None:
    """Writes what broker `node` needs into its directory; what is there already stays."""
    data = directory / "data"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "server.properties").write_text(properties(settings, node, directory))
    (directory / "log4j2.properties").write_text(_LOG4J)
    if data.exists():
        return
    data.mkdir()
    shutil.copy(_template(jars) / "bootstrap.checkpoint", data)
    (data / "meta.properties").write_text(
        f"version=1\ncluster.id={cluster_id}\nnode.id={node + 1}\ndirectory.id={new_uuid()}\n")
    os.chmod(data, 0o755)
