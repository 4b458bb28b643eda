"""Mapped topics, of two partitions each."""

import json

from .bench import Bench
from .cases import INVALID_ARGUMENT, case, kill_among

CUSTOMERS, ORDERS = 25, 200


def order(customer: str, number: int) -> bytes:
    return json.dumps({"customer": {"id": customer}, "number": number}).encode()


@case
async def json_becomes_signals(b: Bench) -> None:
    """From either partition; names from value and header; the payload is the value as it was."""
    for partition in (0, 1):
        customer = b.id("c")
        b.produce("-orders", "k", order(customer, 1), {"event": b"ordered"}, partition)
        b.flush()
        w = f"customer-{customer}"
        assert await b.signaled(w, 1) == [("ordered", order(customer, 1))]
        attributes = (await b.events(w))[0].workflow_execution_started_event_attributes
        assert attributes.workflow_type.name == "Customer"
        assert attributes.task_queue.name == "customers"


@case
async def raw_becomes_signals(b: Bench) -> None:
    w = b.id("meter")
    b.produce("-meters", w, b"\x00\xff binary")
    b.flush()
    assert await b.signaled(w, 1) == [("reading", b"\x00\xff binary")]


@case
async def unmappable_is_rejected(b: Bench) -> None:
    """Original bytes and headers, the source's topic and partition."""
    bad = [(b"not json", {"event": b"e"}), (b"{}", {"event": b"e"}),
           (order(b.id("c"), 1), {}), (b'{"customer":{"id":1.5}}', {"event": b"e"}),
           (None, {"event": b"e"})]
    for number, (value, headers) in enumerate(bad):
        key = b.id(f"bad{number}")
        b.produce("-orders", key, value, headers, number % 2)
        b.flush()
        found = await b.rejected(key.encode(), value)
        assert len(found) == 1 and found[0]["reason"], found
        assert found[0]["code"] == INVALID_ARGUMENT, found
        assert found[0]["topic"] == f"{b.cluster}-orders", found
        assert found[0]["partition"] == number % 2, found
        assert found[0]["original_headers"] == headers, found
    b.produce("-meters", None, b"keyless", partition=1)
    b.flush()
    assert len(await b.rejected(None, b"keyless")) == 1


@case
async def metrics_of_topics(b: Bench) -> None:
    """Records accepted and rejected, the commands that they become, and nothing left behind."""
    accepted, rejected = (f'perdure_ingest_records_total{{mapping="orders",outcome="{outcome}"}}'
                          for outcome in ("accepted", "rejected"))
    lag = 'perdure_ingest_lag_records{mapping="orders"}'
    decided = 'perdure_commands_total{outcome="decided"}'
    before = await b.metrics()
    for number in range(ORDERS):
        b.produce("-orders", "k", order(b.id("c"), number), {"event": b"e"}, number % 2)
    b.produce("-orders", "k", b"not json", {"event": b"e"}, 0)
    b.flush()

    async def all_there() -> bool:
        now = await b.metrics()
        return (now[accepted] - before[accepted] == ORDERS and now[lag] == 0
                and now[rejected] - before[rejected] == 1
                and now[decided] - before[decided] >= ORDERS
                and all(value == 0 for name, value in now.items()
                        if name.startswith("perdure_commands_lag_records")))

    await b.until(all_there, f"{ORDERS} accepted, one rejected, no lag")


@case
async def killed_while_ingesting(b: Bench) -> None:
    """SIGKILL, twice, with records of both partitions on their way: each once, in order."""
    ids = [b.id("c") for _ in range(CUSTOMERS)]
    for number in range(ORDERS):
        for at, customer in enumerate(ids):
            b.produce("-orders", customer, order(customer, number), {"event": b"e"}, at % 2)
    for part in (1, ORDERS // 2):
        async def some() -> bool:
            return len(await b.signals(f"customer-{ids[0]}")) >= part

        await kill_among(b, some)
    for at, customer in enumerate(ids):
        b.produce("-orders", customer, order(customer, ORDERS), {"event": b"e"}, at % 2)
    b.flush()
    for customer in ids:
        signals = await b.signaled(f"customer-{customer}", ORDERS + 1)
        found = [json.loads(data)["number"] for _, data in signals]
        assert found == list(range(ORDERS + 1)), (customer, found)
