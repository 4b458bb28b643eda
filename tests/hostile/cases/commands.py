"""Workflow task completions beyond all measure."""

import time

from temporalio.api.workflowservice.v1 import request_response_pb2 as messages

from tests.parity.harness.commands import complete

from ..harness.client import CODES, OK
from ..harness.reflect import delimited, merged, varint
from ..harness.registry import case
from ..harness.runner import Context

COUNT = 100_000
# command type, field number of its attributes
RECORD_MARKER, START_TIMER, SCHEDULE_ACTIVITY, CANCEL_TIMER, COMPLETE = (11, 10), (3, 3), (1, 2), (5, 6), (2, 4)


def command(kind: tuple[int, int], attributes: bytes) -> bytes:
    return delimited(2, b"\x08" + varint(kind[0]) + delimited(kind[1], attributes))


def answer_task(t: Context, name: str, commands: bytes) -> tuple[str, object, float]:
    """Starts a workflow and completes its first task with those commands: id, answer, seconds."""
    wid = t.id(name)
    t.client.start(wid, wid)
    task = t.client.poll(wid)
    request = messages.RespondWorkflowTaskCompletedRequest(task_token=task.task_token, namespace="default")
    began = time.monotonic()
    found = t.client.send_method("RespondWorkflowTaskCompleted", merged(request, commands), 120)
    return wid, found, time.monotonic() - began


def linear(t: Context, name: str, make) -> None:
    """Ten times the commands take about ten times as long, and the server says what it thinks of them."""
    _, _, small_s = answer_task(t, f"{name}-small", b"".join(make(number) for number in range(COUNT // 10)))
    wid, found, large_s = answer_task(t, f"{name}-large", b"".join(make(number) for number in range(COUNT)))
    t.note(f"{name}: {found.code.name}, {small_s:.2f} s and {large_s:.2f} s")
    assert found.code in (OK, CODES.INVALID_ARGUMENT, CODES.RESOURCE_EXHAUSTED), found
    assert large_s < 40 * small_s + 2, f"{name}: {small_s:.2f} s became {large_s:.2f} s"
    status = t.client.DescribeWorkflowExecution(execution={"workflow_id": wid}).workflow_execution_info.status
    assert status in (1, 3, 5), status  # running with a failed task, failed, or terminated
    assert t.prober.round_count > 0


@case
def markers(t: Context):
    linear(t, "markers", lambda number: command(RECORD_MARKER, b"\x0a\x01m"))


@case
def timers(t: Context):
    linear(t, "timers", lambda number: command(START_TIMER, b"\x0a\x06%06d\x12\x03\x08\x90\x1c" % number))


@case
def same_timers(t: Context):
    """All with one ID: the second is a bad command."""
    linear(t, "same", lambda number: command(START_TIMER, b"\x0a\x01t\x12\x03\x08\x90\x1c"))


@case
def cancels_of_nothing(t: Context):
    linear(t, "cancels", lambda number: command(CANCEL_TIMER, b"\x0a\x06%06d" % number))


@case
def activities(t: Context):
    """Beyond the limit of pending ones the workflow task fails."""
    linear(t, "activities", lambda number: command(
        SCHEDULE_ACTIVITY, b"\x0a\x06%06d\x12\x03\x0a\x01A\x22\x03\x0a\x01q\x42\x02\x08\x3c" % number))


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
        body = b"".join(delimited(numbers[name], b"\x0a\x06%06d" % number) for number in range(COUNT))
        found = t.client.send_method("RespondWorkflowTaskCompleted", merged(request, body), 60)
        assert found.code in (OK, CODES.INVALID_ARGUMENT, CODES.NOT_FOUND, CODES.UNIMPLEMENTED), f"{name}: {found}"


@case
def unknown_commands(t: Context):
    """Types that do not exist, attributes of another type, none at all: no answer but a failed task."""
    for number, body in enumerate((
            delimited(2, b"\x08" + varint(99)), delimited(2, b"\x08" + varint(-1)), delimited(2, b"\x08\x03"),
            delimited(2, b"\x08\x03\x22\x00"), delimited(2, b"\x08\x01\x1a\x00"),
            *(delimited(2, b"\x08" + varint(kind)) for kind in range(0, 20)))):
        wid, found, _ = answer_task(t, str(number), body)
        assert found.code in (OK, CODES.INVALID_ARGUMENT), f"{number}: {found}"
        execution = {"workflow_id": wid}
        status = t.client.DescribeWorkflowExecution(execution=execution).workflow_execution_info.status
        if status == 1:  # the task comes again, and the workflow can go on
            t.client.complete(t.client.poll(wid), complete("done"))


@case
def payloads_over_the_limit(t: Context):
    """2 MiB and a bit in each place of a completion: the workflow or its task fails, nothing else."""
    big = delimited(1, delimited(2, bytes((2 << 20) + 10)))
    placed = {
        "result": command(COMPLETE, delimited(1, big)),
        "marker": command(RECORD_MARKER, b"\x0a\x01m" + delimited(2, b"\x0a\x01k" + delimited(2, big))),
        "activity": command(SCHEDULE_ACTIVITY, b"\x0a\x01a\x12\x03\x0a\x01A\x22\x03\x0a\x01q\x42\x02\x08\x3c" + delimited(6, big)),
        "summary": delimited(2, b"\x08\x03\x1a\x07\x0a\x01t\x12\x02\x08\x3c" + delimited(301, delimited(1, bytes(2 << 20)))),
    }
    for name, body in placed.items():
        wid, found, _ = answer_task(t, name, body)
        assert found.code in (OK, CODES.INVALID_ARGUMENT), f"{name}: {found}"
        status = t.client.DescribeWorkflowExecution(execution={"workflow_id": wid}).workflow_execution_info.status
        assert status in (1, 3, 5), f"{name}: status {status}"
