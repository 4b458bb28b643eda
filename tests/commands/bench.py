"""What a case works on: a broker, `perdure serve` with mapped topics, producers, and the rejects as
fastavro reads them."""

import asyncio
import io
import json
import secrets
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any, Awaitable, Callable

import fastavro
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from fastavro.schema import fingerprint, parse_schema, to_parsing_canonical_form
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from tests.cluster.cluster import partition_of
from tests.e2e.perdure import Perdure
from tests.launch import Launcher
from tests.parity.harness.server import ROOT

sys.path.insert(0, str(ROOT / "examples/kafka"))
import perdure_command  # noqa: E402

PATIENCE_S = 60
PARTITIONS = 4
_REJECTED = json.loads((ROOT / "docs/schemas/perdure.v1.Rejected.avsc").read_text())
_REJECTED_SCHEMA = parse_schema(_REJECTED)
_REJECTED_HEADER = b"\xc3\x01" + bytes.fromhex(
    fingerprint(to_parsing_canonical_form(_REJECTED), "CRC-64-AVRO"))

MAPPINGS = """
[ingest.orders]
topic = {cluster}-orders
format = json
workflow_id = 'customer-${{$.customer.id}}'
workflow_type = 'Customer'
task_queue = 'customers'
signal_name = header:event
signal_input = $
[ingest.meters]
topic = {cluster}-meters
format = raw
workflow_id = key
workflow_type = 'Meter'
task_queue = 'meters'
signal_name = 'reading'
"""


class MappedPerdure(Perdure):
    """`perdure serve` with the mappings above."""

    def launch(self) -> None:
        path = Path(self.directory) / "perdure.conf"
        path.write_text(MAPPINGS.format(cluster=self.cluster))
        self._spawn(self.command(None, None, "--config", str(path),
                                 "--metrics-listen", f"127.0.0.1:{self.metrics_port}"))

    @property
    def cluster(self) -> str:
        return self.launcher.cluster(self.data)


class Bench:
    """One broker and one node."""

    def __init__(self, binary: Path):
        self.launcher = Launcher("kafka", PARTITIONS)
        self.server = MappedPerdure(binary, "commands-perdure-", self.launcher)
        self.cluster = self.server.cluster
        self.client: Client | None = None
        self._producer: Producer | None = None

    async def start(self) -> None:
        admin = AdminClient({"bootstrap.servers": self.launcher.bootstrap})
        made = admin.create_topics([NewTopic(f"{self.cluster}-{name}", 2, 1)
                                    for name in ("orders", "meters")])
        for future in made.values():
            future.result()
        await self.server.start()
        self.client = await Client.connect(self.server.address)
        self._producer = Producer({"bootstrap.servers": self.launcher.bootstrap,
                                   "partitioner": "murmur2_random", "linger.ms": 1})

    def close(self) -> None:
        self.server.close()
        self.launcher.close()

    @staticmethod
    def id(name: str) -> str:
        return f"{name}-{secrets.token_hex(4)}"

    # ---- producing ----

    def produce(self, topic: str, key: Any, value: bytes | None,
                headers: dict[str, bytes] | None = None, partition: int = -1) -> None:
        """Queues a record; flush() delivers."""
        def delivered(error: Any, _: Any) -> None:
            assert error is None, error

        self._producer.produce(f"{self.cluster}{topic}", key=key, value=value,
                               headers=headers or {}, partition=partition, on_delivery=delivered)
        self._producer.poll(0)

    def flush(self) -> None:
        assert self._producer.flush(PATIENCE_S) == 0, "the broker does not take records"

    def command(self, key: Any, value: bytes | None, headers: dict[str, bytes] | None = None,
                partition: int = -1) -> None:
        """Produces one record to the topic of commands, and waits until it is there."""
        self.produce(".commands", key, value, headers, partition)
        self.flush()

    def wrong_partition(self, workflow_id: str) -> int:
        return (partition_of(workflow_id, PARTITIONS) + 1) % PARTITIONS

    # ---- what came of it ----

    async def until(self, condition: Callable[[], Awaitable[Any]], what: str) -> Any:
        end = time.monotonic() + PATIENCE_S
        while not (found := await condition()):
            assert time.monotonic() < end, f"waited {PATIENCE_S} s for {what}"
            assert self.server.alive(), f"the server ended:\n{self.server.output()}"
            await asyncio.sleep(0.05)
        return found

    async def metrics(self) -> dict[str, float]:
        """Values by the name with its labels, as Prometheus reads them."""
        def get() -> str:
            url = f"http://127.0.0.1:{self.server.metrics_port}/metrics"
            with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
                return answer.read().decode()

        lines = (await asyncio.to_thread(get)).splitlines()
        return {name: float(value) for name, value in
                (line.rsplit(" ", 1) for line in lines if line and line[0] != "#")}

    async def events(self, workflow_id: str) -> list:
        """The history; nothing when there is none, or nobody to ask at the moment."""
        try:
            return (await self.client.get_workflow_handle(workflow_id).fetch_history()).events
        except RPCError as failed:
            if failed.status not in (RPCStatusCode.NOT_FOUND, RPCStatusCode.UNAVAILABLE,
                                     RPCStatusCode.DEADLINE_EXCEEDED):
                raise
            return []

    async def kinds(self, workflow_id: str) -> list[str]:
        return [EventType.Name(event.event_type).removeprefix("EVENT_TYPE_WORKFLOW_EXECUTION_")
                for event in await self.events(workflow_id)]

    async def signals(self, workflow_id: str) -> list[tuple[str, bytes]]:
        """Name and first payload of each, in order."""
        found = [event.workflow_execution_signaled_event_attributes
                 for event in await self.events(workflow_id)
                 if event.HasField("workflow_execution_signaled_event_attributes")]
        return [(one.signal_name, one.input.payloads[0].data if one.input.payloads else b"")
                for one in found]

    async def has(self, workflow_id: str, kind: str) -> None:
        async def there() -> bool:
            return kind in await self.kinds(workflow_id)

        await self.until(there, f"{kind} of {workflow_id}")

    async def signaled(self, workflow_id: str, count: int) -> list[tuple[str, bytes]]:
        """Waits for so many, and returns those that are there then."""
        async def enough() -> list | None:
            found = await self.signals(workflow_id)
            return found if len(found) >= count else None

        return await self.until(enough, f"{count} signals of {workflow_id}")

    async def rejected(self, key: bytes | None, value: bytes | None, count: int = 1) -> list[dict]:
        """Waits for rejects of an original with this key and value; returns all there are."""
        async def there() -> list | None:
            found = [one for one in await asyncio.to_thread(self.all_rejected)
                     if one["original_key"] == (key or b"")
                     and one["original_value"] == (value or b"")
                     and one["original_value_absent"] == (value is None)]
            return found if len(found) >= count else None

        return await self.until(there, f"the reject of {key!r}")

    def all_rejected(self) -> list[dict]:
        """The topic from its beginning to its present end."""
        consumer = Consumer({"bootstrap.servers": self.launcher.bootstrap, "group.id": "none",
                             "enable.auto.commit": False})
        topic, found = f"{self.cluster}.rejected", []
        try:
            for partition in range(PARTITIONS):
                low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition),
                                                           timeout=PATIENCE_S)
                if low == high:
                    continue
                consumer.assign([TopicPartition(topic, partition, low)])
                at = low
                while at < high:
                    message = consumer.poll(PATIENCE_S)
                    assert message is not None and not message.error(), "rejects cannot be read"
                    at = message.offset() + 1
                    found.append(_read_rejected(message.value()))
        finally:
            consumer.close()
        return found


def _read_rejected(value: bytes) -> dict:
    assert value[:10] == _REJECTED_HEADER, f"not a reject of the committed schema: {value[:10]!r}"
    body = io.BytesIO(value[10:])
    found = fastavro.schemaless_reader(body, _REJECTED_SCHEMA, None)
    assert not body.read(), "bytes behind the reject"
    return found
