"""Real faults at real brokers, one after the other, while `kafka_load` appends; it checks at its
end that every word it was given was kept."""

import json
import subprocess
import time
from pathlib import Path

from .cluster import KafkaCluster

PARTITION = 0
LOAD_TIMEOUT_S = 110  # kafka_load gives up after two minutes


def _kill_leader(kafka: KafkaCluster, topic: str) -> None:
    node = kafka.leader(topic, PARTITION)
    kafka.kill(node)
    _await(lambda: kafka.leader(topic, PARTITION) not in (-1, node), "another leader")
    kafka.restart(node)


def _pause_leader(kafka: KafkaCluster, topic: str) -> None:
    node = kafka.leader(topic, PARTITION)
    kafka.pause(node)
    try:
        _await(lambda: kafka.leader(topic, PARTITION, asked=(node + 1) % 3) not in (-1, node),
               "another leader")
    finally:
        kafka.resume(node)


def _stop_leader(kafka: KafkaCluster, topic: str) -> None:
    node = kafka.leader(topic, PARTITION)
    kafka.terminate(node)
    kafka.restart(node)


def _lose_the_majority(kafka: KafkaCluster, topic: str) -> None:
    del topic
    kafka.kill(0)
    kafka.kill(1)
    kafka.restart(0, wait=False)
    kafka.restart(1)


FAULTS = [("the leader is killed", _kill_leader), ("the leader is paused", _pause_leader),
          ("the leader is stopped", _stop_leader), ("two of three are killed", _lose_the_majority)]


def _await(condition, what: str, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"no {what} within {timeout_s} s")
        time.sleep(0.1)


def _read_until(load: subprocess.Popen, wanted: str, output: list[str]) -> str:
    """The line that begins so; "" when the program has ended."""
    for line in load.stdout:
        output.append(line)
        if line.startswith(wanted):
            return line.strip()
    return ""


def _await_progress(load: subprocess.Popen, output: list[str]) -> None:
    """Until each partition has been appended to."""
    load.stdin.write(".")
    load.stdin.flush()
    _read_until(load, "progress", output)


def _run_load(kafka: KafkaCluster, fault, program: Path, output: list[str]) -> int:
    """Its exit code."""
    load = subprocess.Popen([program, kafka.bootstrap, "3", "2"], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        topic = _read_until(load, "load-", output)
        if topic:
            _await_progress(load, output)
            fault(kafka, topic)
            _await_progress(load, output)
        rest, _ = load.communicate("", timeout=LOAD_TIMEOUT_S)
        output.extend(rest.splitlines(keepends=True))
    finally:
        load.kill()
        load.wait()
    return load.returncode


def run_one(name: str, fault, program: Path) -> bool:
    """One fault at a fresh cluster; prints one line."""
    output: list[str] = []
    with KafkaCluster(brokers=3) as kafka:
        try:
            code = _run_load(kafka, fault, program, output)
        except (OSError, TimeoutError, RuntimeError, subprocess.TimeoutExpired) as error:
            output.append(f"{error}\n")
            code = 1
    found = [json.loads(line) for line in output if line.startswith("{")]
    passed = code == 0 and bool(found) and found[0]["acked"] > 0
    print(f"{'ok  ' if passed else 'FAIL'} {name}: {found[0] if found else ''}", flush=True)
    if not passed:
        print("".join(output[-40:]), flush=True)
    return passed
