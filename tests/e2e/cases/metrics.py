"""The metrics port, scraped as Prometheus does and read with its own parser: the text is right, and
numbers move as known work is done."""

import asyncio
import http.client
import math
import re
from collections import Counter

from prometheus_client.parser import text_string_to_metric_families
from temporalio.service import RPCError

from tests.parity.harness.server import ROOT

from ..case import Case, case

Samples = dict[tuple[str, frozenset], float]
DOCUMENTED = set(re.findall(r"^\| `(perdure_\w+)`", (ROOT / "docs/metrics.md").read_text(), re.M))


def get(t: Case, path: str, method: str = "GET") -> tuple[int, str, str]:
    """Status, content type and body."""
    connection = http.client.HTTPConnection("127.0.0.1", t.server.metrics_port, timeout=30)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type"), answer.read().decode()
    finally:
        connection.close()


def check_histogram(samples: list) -> None:
    """Per series: buckets rise in bound and count, and end in +Inf with the count."""
    by_series: dict[frozenset, list] = {}
    totals = {}
    for sample in samples:
        labels = frozenset((k, v) for k, v in sample.labels.items() if k != "le")
        if sample.name.endswith("_bucket"):
            by_series.setdefault(labels, []).append((float(sample.labels["le"]), sample.value))
        elif sample.name.endswith("_count"):
            totals[labels] = sample.value
    assert by_series.keys() == totals.keys(), samples[:3]
    for labels, buckets in by_series.items():
        assert buckets == sorted(buckets) and buckets[-1] == (math.inf, totals[labels]), labels


def parse(text: str) -> Samples:
    found: Samples = {}
    seen = Counter()
    for family in text_string_to_metric_families(text):
        name = family.name + ("_total" if family.type == "counter" else "")
        assert name in DOCUMENTED, f"{name} is not in docs/metrics.md"
        assert family.documentation and family.type in ("counter", "gauge", "histogram"), family
        seen[name] += 1
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, f"twice: {key}"
            assert family.type == "gauge" or sample.value >= 0, sample
            found[key] = sample.value
        if family.type == "histogram":
            check_histogram(family.samples)
    assert max(seen.values()) == 1, seen
    return found


async def scrape(t: Case) -> Samples:
    status, kind, text = await asyncio.to_thread(get, t, "/metrics")
    assert status == 200 and kind.startswith("text/plain; version=0.0.4"), (status, kind)
    return parse(text)


def value(samples: Samples, name: str, **labels: str) -> float:
    """The sum of the series that have these labels."""
    wanted = set(labels.items())
    return sum(one for (series, its), one in samples.items() if series == name and wanted <= its)


async def all_owned(t: Case) -> Samples | None:
    """What is told once this node owns everything."""
    samples = await scrape(t)
    owned = [one for (name, _), one in samples.items() if name == "perdure_partition_owned"]
    return samples if owned and all(owned) else None


@case(alone=True, single=True)
async def metrics_move(t: Case) -> None:
    """Known work moves the numbers that are about it, by what was done."""
    before = await t.until(lambda: all_owned(t), "every partition to be owned")
    async with t.worker():
        for number in range(3):
            assert await t.result(await t.start("Short", number, suffix=str(number))) == 2 * number
    stopped = await t.start("Waiting", suffix="stopped")
    await stopped.terminate()
    try:
        await t.client.get_workflow_handle("nobody").describe()
        raise AssertionError("a workflow that is not there is described")
    except RPCError:
        pass
    after = await scrape(t)

    def moved(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    assert moved("perdure_workflows_closed_total", outcome="completed") == 3
    assert moved("perdure_workflows_closed_total", outcome="terminated") == 1
    assert moved("perdure_workflows_closed_total") == 4
    assert moved("perdure_activities_closed_total", outcome="completed") == 3
    calls = "perdure_grpc_calls_total"
    assert moved(calls, method="StartWorkflowExecution", code="OK") == 4
    assert moved(calls, method="TerminateWorkflowExecution", code="OK") == 1
    assert moved(calls, method="DescribeWorkflowExecution", code="NOT_FOUND") == 1
    assert moved("perdure_grpc_call_seconds_count", method="StartWorkflowExecution") == 4
    assert moved("perdure_grpc_call_seconds_sum", method="StartWorkflowExecution") > 0
    assert moved("perdure_task_schedule_to_start_seconds_count", kind="workflow") >= 3
    assert value(after, "perdure_task_backlog", kind="workflow") == 1, "nobody polled since"
    records = moved("perdure_partition_applied_offset")
    assert records >= 4 * 2 and moved("perdure_partition_append_seconds_count") == records
    assert moved("perdure_partition_apply_seconds_count") >= records // 16 - 4
    assert value(after, "perdure_partition_owned") == value(
        after, "perdure_partition_epoch_changes_total") > 0
    if t.server.launcher.log == "kafka":
        appended = moved("perdure_kafka_appends_total", outcome="acknowledged")
        assert appended >= records, "those, and what the node says of itself to others"

    async def no_backlog() -> bool:
        return value(await scrape(t), "perdure_task_backlog", kind="workflow") == 0

    async with t.worker():
        await t.until(no_backlog, "the backlog to shrink")


@case(alone=True)
async def metrics_port_answers(t: Case) -> None:
    """/healthz tells that the server serves; pages and methods that are not there are refused."""
    assert (await asyncio.to_thread(get, t, "/healthz"))[::2] == (200, "ready\n")
    assert (await asyncio.to_thread(get, t, "/metrics/"))[0] == 404
    assert (await asyncio.to_thread(get, t, "/"))[0] == 404
    assert (await asyncio.to_thread(get, t, "/metrics", "POST"))[0] == 405
    assert len((await scrape(t))) > 100
