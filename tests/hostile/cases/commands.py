"""Workflow task completions beyond all measure."""

import time

from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import Payloads
from temporalio.api.workflowservice.v1 import request_response_pb2 as messages

from tests.parity.harness import commands

from ..harness.client import CODES, OK
from ..harness.reflect import delimited, merged, varint
from ..harness.registry import case
from ..harness.runner import Context

COUNT = 100_000
ANY_ID = "000000"


def numbered(made: Command):
    """A maker of such commands, each with a number where ANY_ID stands: too many to be built one by
    one."""
    data = delimited(2, made.SerializeToString())
    return lambda number: data.replace(ANY_ID.encode(), b"%06d" % number)


def answer_task(t: Context, name: str, data: bytes) -> tuple[str, object, float]:
    """Starts a workflow and completes its first task with those commands: id, answer, seconds."""
    wid = t.id(name)
    t.client.start(wid, wid)
    task = t.client.poll(wid)
    request = messages.RespondWorkflowTaskCompletedRequest(
        task_token=task.task_token, namespace="default"
    )
    began = time.monotonic()
    found = t.client.send_method("RespondWorkflowTaskCompleted", merged(request, data), 120)
    return wid, found, time.monotonic() - began


def linear(t: Context, name: str, make) -> None:
    """Ten times the commands take about ten times as long, and the server says what it thinks of
    them."""
    _, _, small_s = answer_task(
        t, f"{name}-small", b"".join(make(number) for number in range(COUNT // 10))
    )
    wid, found, large_s = answer_task(
        t, f"{name}-large", b"".join(make(number) for number in range(COUNT))
    )
    t.note(f"{name}: {str(found)[:120]}, {small_s:.2f} s and {large_s:.2f} s")
    assert found.code in (OK, CODES.INVALID_ARGUMENT, CODES.RESOURCE_EXHAUSTED), found
    assert large_s < 40 * small_s + 2, f"{name}: {small_s:.2f} s became {large_s:.2f} s"
    status = t.client.DescribeWorkflowExecution(
        execution={"workflow_id": wid}
    ).workflow_execution_info.status
    assert status in (1, 3, 5), status  # running with a failed task, failed, or terminated
    assert t.prober.round_count > 0


@case
def markers(t: Context):
    linear(t, "markers", numbered(commands.marker("m")))


@case
def timers(t: Context):
    linear(t, "timers", numbered(commands.timer(ANY_ID, 3600)))


@case
def same_timers(t: Context):
    """All with one ID: the second is a bad command."""
    linear(t, "same", numbered(commands.timer("t", 3600)))


@case
def timers_begun_and_canceled(t: Context):
    """Only the IDs of the small attempt fit into a history; looking them up must not cost their
    number."""
    begin, cancel = numbered(commands.timer(ANY_ID, 3600)), numbered(commands.cancel_timer(ANY_ID))
    linear(t, "pairs", lambda number: begin(number) + cancel(number))


@case
def cancels_of_nothing(t: Context):
    linear(t, "cancels", numbered(commands.cancel_timer(ANY_ID)))


@case
def activities(t: Context):
    """Beyond the limit of pending ones the workflow task fails."""
    linear(t, "activities", numbered(commands.activity(ANY_ID, "q")))


@case
def empty_commands(t: Context):
    linear(t, "empty", lambda number: delimited(2, b""))


@case
def messages_without_end(t: Context):
    """Protocol messages, query results, metadata by the hundred thousand."""
    wid = t.id()
    t.client.start(wid, wid)
    token = t.client.poll(wid).task_token
    request = messages.RespondWorkflowTaskCompletedRequest(task_token=token, namespace="default")
    numbers = {field.name: field.number for field in request.DESCRIPTOR.fields}
    for name in ("messages", "query_results"):
        body = b"".join(
            delimited(numbers[name], b"\x0a\x06%06d" % number) for number in range(COUNT)
        )
        found = t.client.send_method("RespondWorkflowTaskCompleted", merged(request, body), 60)
        assert found.code in (
            OK,
            CODES.INVALID_ARGUMENT,
            CODES.NOT_FOUND,
            CODES.UNIMPLEMENTED,
        ), f"{name}: {found}"


@case
def unknown_commands(t: Context):
    """Types that do not exist, attributes of another type, none at all: no answer but a failed
    task."""
    for number, body in enumerate(
        (
            delimited(2, b"\x08" + varint(99)),
            delimited(2, b"\x08" + varint(-1)),
            delimited(2, b"\x08\x03"),
            delimited(2, b"\x08\x03\x22\x00"),
            delimited(2, b"\x08\x01\x1a\x00"),
            *(delimited(2, b"\x08" + varint(kind)) for kind in range(0, 20)),
        )
    ):
        wid, found, _ = answer_task(t, str(number), body)
        assert found.code in (OK, CODES.INVALID_ARGUMENT), f"{number}: {found}"
        status = t.client.DescribeWorkflowExecution(
            execution={"workflow_id": wid}
        ).workflow_execution_info.status
        assert status in (1, 2, 3, 4, 6), f"{number}: status {status}"


@case
def payloads_over_the_limit(t: Context):
    """2 MiB and a bit in each place of a completion: the workflow or its task fails, nothing
    else."""
    big = Payloads(payloads=[{"data": bytes((2 << 20) + 10)}])
    placed = {
        "result": commands.command("COMPLETE_WORKFLOW_EXECUTION", {"result": big}),
        "failure": commands.fail("x" * ((2 << 20) + 10)),
        "marker": commands.marker("m", details={"k": big}),
        "activity": commands.activity("a", "q", input=big),
        "memo": commands.modify_memo(m=big.payloads[0]),
        "attribute": commands.upsert(CustomKeywordField=big.payloads[0]),
        "next run": commands.continue_as_new("q", input=big),
        "summary": commands.timer("t", 60, user_metadata={"summary": big.payloads[0]}),
    }
    for name, body in placed.items():
        wid, found, _ = answer_task(t, name, delimited(2, body.SerializeToString()))
        assert found.code in (OK, CODES.INVALID_ARGUMENT), f"{name}: {found}"
        status = t.client.DescribeWorkflowExecution(
            execution={"workflow_id": wid}
        ).workflow_execution_info.status
        assert status in (1, 3, 5), f"{name}: status {status}"
