"""A topic of the user's that is mapped to signals: producers go on through all faults, and every
record becomes one signal, in order."""

import asyncio
import json
import secrets
import time
from pathlib import Path

import grpc.aio
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from tests.cluster.cluster import Cluster
from tests.crash.ledger import kind
from tests.crash.load import Load

CUSTOMERS, PARTITIONS = 20, 2
PAUSE_S = 0.02  # between two records
ARRIVE_TIMEOUT_S = 60

MAPPING = """
[ingest.orders]
topic = {topic}
format = json
workflow_id = 'customer-${{$.customer}}'
workflow_type = 'Customer'
task_queue = 'nobody'
signal_name = 'ordered'
signal_input = $
"""


class Feed:
    """Records for as long as it runs. Its options are for every node of the cluster."""

    def __init__(self, directory: Path):
        self._topic = f"orders-{secrets.token_hex(4)}"
        self._sent = [0] * CUSTOMERS
        self._lost: list[str] = []  # what the brokers did not take
        self._producer: Producer | None = None
        self._task: asyncio.Task | None = None
        config = directory / "perdure.conf"
        config.write_text(MAPPING.format(topic=self._topic))
        self.options = ("--config", str(config))

    async def start(self, cluster: Cluster) -> None:
        brokers = {"bootstrap.servers": cluster.kafka.bootstrap}
        topic = NewTopic(self._topic, PARTITIONS, 3, config={"min.insync.replicas": "2"})
        admin = AdminClient(brokers)
        await asyncio.to_thread(admin.create_topics([topic])[self._topic].result)
        self._producer = Producer({**brokers, "enable.idempotence": True, "linger.ms": 1})
        self._task = asyncio.create_task(self._feed())

    async def _feed(self) -> None:
        while True:
            for customer, number in enumerate(self._sent):
                order = json.dumps({"customer": str(customer), "number": number})
                try:
                    self._producer.produce(self._topic, key=str(customer), value=order,
                                           on_delivery=self._delivered)
                except KafkaException as failed:
                    self._lost.append(str(failed))
                    return
                self._sent[customer] += 1
                self._producer.poll(0)
                await asyncio.sleep(PAUSE_S)

    def _delivered(self, error: object, _: object) -> None:
        if error is not None:
            self._lost.append(str(error))

    async def check(self, load: Load) -> list[str]:
        """Ends it, and waits until all has arrived; returns complaints."""
        ended = self._task.done()  # by itself
        self.close()
        left = await asyncio.to_thread(self._producer.flush, ARRIVE_TIMEOUT_S)
        complaints = [f"the brokers took no record: {why}" for why in self._lost[:3]]
        if ended or not all(self._sent):
            complaints.append(f"it fed {self._sent} and stopped: {self._task}")
        if left or complaints:
            return complaints or [f"{left} records are not with the brokers"]
        end = time.monotonic() + ARRIVE_TIMEOUT_S
        for customer, sent in enumerate(self._sent):
            numbers = await self._numbers(load, customer)
            while len(numbers) < sent and time.monotonic() < end:
                await asyncio.sleep(0.2)
                numbers = await self._numbers(load, customer)
            if numbers != list(range(sent)):
                complaints.append(_difference(customer, sent, numbers))
        print(f"       {sum(self._sent)} records of a mapped topic", flush=True)
        return complaints

    async def _numbers(self, load: Load, customer: int) -> list[int]:
        """Those of the signals in the customer's history."""
        try:
            events = await load.again(lambda: load.events(f"customer-{customer}"))
        except grpc.aio.AioRpcError as failed:
            if failed.code() != grpc.StatusCode.NOT_FOUND:
                raise
            return []
        return [json.loads(one.workflow_execution_signaled_event_attributes.input.payloads[0].data)
                ["number"] for one in events if kind(one) == "WORKFLOW_EXECUTION_SIGNALED"]

    def close(self) -> None:
        if self._task:
            self._task.cancel()


def _difference(customer: int, sent: int, numbers: list[int]) -> str:
    at = next((at for at, number in enumerate(numbers) if number != at), len(numbers))
    return (f"customer {customer}: {len(numbers)} signals of {sent} records; the one of record "
            f"{at} is {numbers[at] if at < len(numbers) else 'missing'}")
