"""Brokers as processes of this one: they die with it, also when it is killed."""

import json
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from tests.ports import free_ports

from . import config

START_TIMEOUT_S = 90
# A broker ends with the process that started it. By a program of its own: a preexec_fn runs between
# fork and exec, where gRPC's threads, if the test has any, crash the child now and then.
DIE_WITH_PARENT = ["setpriv", "--pdeathsig", "KILL"]


class KafkaCluster:
    """1 or 3 (or more) brokers in KRaft's combined mode, on loopback or on
    another address of this machine (`host`).

        with KafkaCluster(brokers=3) as kafka:
            run("--kafka.bootstrap.servers", kafka.bootstrap)
            kafka.kill(0); kafka.restart(0); kafka.pause(1); kafka.resume(1)

    Brokers are counted from 0. Without a directory a temporary one is made, and removed by stop().
    `detached`: the brokers outlive this process (scripts/kafka start).
    """

    def __init__(self, brokers: int = 1, directory: Path | str | None = None, *,
                 port_base: int = 0, heap_mb: int = 512, session_timeout_ms: int = 3000,
                 extra: dict[str, str] | None = None, detached: bool = False,
                 host: str = "127.0.0.1") -> None:
        if port_base:
            ports = list(range(port_base, port_base + 2 * brokers))
        else:
            ports = free_ports(2 * brokers)
        self.settings = config.Settings(ports[:brokers], ports[brokers:], heap_mb,
                                        session_timeout_ms, extra or {}, host)
        self._temporary = directory is None
        self.directory = Path(directory or tempfile.mkdtemp(prefix="pd-kafka-"))
        self._detached = detached
        self._cluster_id = config.new_uuid()
        self._jars = config.libs()
        self._processes: list[subprocess.Popen | None] = [None] * brokers

    @property
    def bootstrap(self) -> str:
        """For bootstrap.servers."""
        return ",".join(map(self.settings.address, range(self.settings.broker_count)))

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes if process]

    def start(self) -> "KafkaCluster":
        for node in range(self.settings.broker_count):
            config.prepare(self.settings, self._jars, node, self._home(node), self._cluster_id)
            self._launch(node)
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ends all brokers at once (no controlled shutdown), removes a temporary directory."""
        for process in filter(None, self._processes):
            process.kill()
        for process in filter(None, self._processes):
            process.wait()
        self._processes = [None] * self.settings.broker_count
        if self._temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> "KafkaCluster":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def kill(self, node: int) -> None:
        """SIGKILL; its data stay."""
        process = self._process(node)
        process.kill()
        process.wait()
        self._processes[node] = None

    def terminate(self, node: int, timeout_s: float = 60) -> None:
        """SIGTERM: hands its leaderships over, then ends."""
        process = self._process(node)
        process.terminate()
        process.wait(timeout_s)
        self._processes[node] = None

    def pause(self, node: int) -> None:
        self._process(node).send_signal(signal.SIGSTOP)

    def resume(self, node: int) -> None:
        self._process(node).send_signal(signal.SIGCONT)

    def restart(self, node: int, wait: bool = True) -> None:
        """Starts a broker that was killed or terminated."""
        assert self._processes[node] is None, f"broker {node} runs"
        self._launch(node)
        if wait:
            self.wait_ready()

    def leader(self, topic: str, partition: int, asked: int | None = None) -> int:
        """Which broker (from 0) leads it, as broker `asked` (default: any) knows; -1: none."""
        bootstrap = None if asked is None else self.settings.address(asked)
        for found in self._metadata(topic, bootstrap).get("topics", []):
            if found["topic"] == topic:
                for one in found["partitions"]:
                    if one["partition"] == partition:
                        return one["leader"] - 1 if one["leader"] > 0 else -1
        return -1

    def wait_ready(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Until every running broker answers and all of them know one another."""
        deadline = time.monotonic() + timeout_s
        running = [node for node, process in enumerate(self._processes) if process]
        for node in running:
            while not self._answers(node, len(running)):
                if self._process(node).poll() is not None:
                    raise RuntimeError(f"broker {node} ended at start with "
                                       f"{self._process(node).returncode}:\n{self.output(node)}")
                if time.monotonic() > deadline:
                    raise TimeoutError(f"broker {node} does not answer:\n{self.output(node)}")
                time.sleep(0.05)

    def output(self, node: int) -> str:
        """The end of what the broker has said."""
        path = self._home(node) / "output.log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    def _home(self, node: int) -> Path:
        return self.directory.resolve() / f"broker{node}"

    def _process(self, node: int) -> subprocess.Popen:
        process = self._processes[node]
        assert process is not None, f"broker {node} does not run"
        return process

    def _launch(self, node: int) -> None:
        home = self._home(node)
        java = config.java(self.settings, self._jars, home)
        with open(home / "output.log", "ab") as output:
            self._processes[node] = subprocess.Popen(
                java if self._detached else [*DIE_WITH_PARENT, *java], cwd=home,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)

    def _answers(self, node: int, running_count: int) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex((self.settings.host, self.settings.ports[node])) != 0:
                return False
        brokers = self._metadata(None, self.settings.address(node)).get("brokers", [])
        return len(brokers) >= running_count

    def _metadata(self, topic: str | None, bootstrap: str | None = None) -> dict:
        command = ["kcat", "-b", bootstrap or self.bootstrap, "-L", "-J", "-m", "5", "-X",
                   "log_level=0"]
        done = subprocess.run(command + (["-t", topic] if topic else []), capture_output=True,
                              text=True, check=False)
        return json.loads(done.stdout) if done.returncode == 0 and done.stdout else {}
