"""Task tokens and page tokens that are stale, forged, cut, or of something else."""

import random

from temporalio.api.workflowservice.v1 import request_response_pb2 as messages

from tests.parity.harness.commands import activity, complete, timer

from ..harness.client import CODES, METHODS, OK
from ..harness.reflect import delimited, merged, mutate, varint
from ..harness.registry import case
from ..harness.runner import Context
from .requests import Crowd

MUTATION_COUNT = 4000
TOKEN_METHODS = [
    method
    for method in METHODS
    if "task_token" in method.request.DESCRIPTOR.fields_by_name
    and method.name.startswith(("Respond", "Record"))
]
# Field numbers of the server's own tokens; forgeries that are well-formed need them.
(
    NAMESPACE_ID,
    WORKFLOW_ID,
    RUN_ID,
    SCHEDULED,
    STARTED,
    ATTEMPT,
    TIME,
    ACTIVITY_ID,
    ACTIVITY_TYPE,
    QUERY_ID,
) = range(1, 11)


def with_token(method, token: bytes) -> bytes:
    request = method.request(task_token=token)
    if "namespace" in request.DESCRIPTOR.fields_by_name:
        request.namespace = "default"
    return request.SerializeToString()


def fields_of(token: bytes) -> dict[int, int | bytes]:
    """The fields of a token; of one that was tampered with, too, as far as they can be read."""
    found: dict[int, int | bytes] = {}
    at = 0

    def take() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = token[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(token):
        key = take()
        if key & 7 in (1, 5):  # of a fixed size; no field of a token is
            at += 8 if key & 7 == 1 else 4
            continue
        size = take()
        if key & 7 == 2:
            found[key >> 3], at = token[at:at + size], at + size
        else:
            found[key >> 3] = size
    return found


def forge(fields: dict[int, int | bytes]) -> bytes:
    return b"".join(
        (
            delimited(number, value)
            if isinstance(value, bytes)
            else varint(number << 3) + varint(value)
        )
        for number, value in fields.items()
    )


def open_tasks(t: Context, name: str) -> tuple[str, object, bytes]:
    """A workflow with a started activity and a started workflow task; its two tokens."""
    wid = queue = t.id(name)
    t.client.start(wid, queue)
    t.client.complete(t.client.poll(queue), activity("a", queue), timer("t", 3600))
    token = t.client.poll_activity(queue).task_token
    t.client.SignalWorkflowExecution(
        workflow_execution={"workflow_id": wid}, signal_name="s", request_id="s"
    )
    return wid, t.client.poll(queue), token


@case
def mutated_task_tokens(t: Context):
    """No mutation of a token is taken for the token, and the true ones still work."""
    wid, task, activity_token = open_tasks(t, "w")
    chance = random.Random(t.seed)
    crowd = Crowd(t)
    for number in range(MUTATION_COUNT):
        true = (task.task_token, activity_token)[number % 2]
        token = mutate(chance, true)
        if same_task(token, true):
            continue
        method = TOKEN_METHODS[number // 2 % len(TOKEN_METHODS)]
        crowd.call(method, with_token(method, token), 30)
    crowd.finish()
    assert not crowd.codes[
        "OK"
    ], f"forged tokens were taken: {crowd.taken} of {task.task_token!r} {activity_token!r}"
    t.client.complete(task)


def same_task(token: bytes, true: bytes) -> bool:
    """Does the mutation leave the task's identity alone? Tokens say more than they must: the
    current run need not be named; an activity is named by its event and attempt or, as every
    client may, by its ID alone; when a workflow task was started may be left out."""
    try:
        changed, known = fields_of(token), fields_of(true)
    except IndexError:
        return False

    def keeps(*numbers: int) -> bool:
        return all(changed.get(number) == known.get(number) for number in numbers)

    def keeps_or_lacks(*numbers: int) -> bool:
        return all(not changed.get(number) or keeps(number) for number in numbers)

    if not keeps(NAMESPACE_ID, WORKFLOW_ID) or not keeps_or_lacks(RUN_ID):
        return False
    if ACTIVITY_ID in known:
        return keeps(SCHEDULED, ATTEMPT) if changed.get(SCHEDULED) else keeps(ACTIVITY_ID)
    return keeps(SCHEDULED, ATTEMPT) and keeps_or_lacks(STARTED, TIME)


@case
def truncated_task_tokens(t: Context):
    """Every beginning of a token, at every RPC that takes one."""
    _, task, activity_token = open_tasks(t, "w")
    crowd = Crowd(t)
    for true in (task.task_token, activity_token):
        for size in range(len(true)):
            for method in TOKEN_METHODS:
                if not same_task(true[:size], true):
                    crowd.call(method, with_token(method, true[:size]), 30)
    crowd.finish()
    assert not crowd.codes["OK"], crowd.codes


@case
def forged_task_tokens(t: Context):
    """Well-formed tokens of what does not exist, is over, or belongs to somebody else."""
    wid, task, activity_token = open_tasks(t, "w")
    other = open_tasks(t, "other")
    crowd = Crowd(t)
    huge = 2**63 - 1
    for true in (task.task_token, activity_token):
        fields = fields_of(true)
        forgeries = [
            {**fields, NAMESPACE_ID: b"32049b68-7872-4094-8e63-d0dd59896a83"},
            {**fields, NAMESPACE_ID: b""},
            {**fields, NAMESPACE_ID: b"x" * 5000},
            {**fields, WORKFLOW_ID: b"nobody"},
            {**fields, WORKFLOW_ID: b""},
            {**fields, WORKFLOW_ID: b"x" * 50000},
            {**fields, RUN_ID: b"nonsense"},
            {**fields, RUN_ID: b"0" * 36},
            {**fields, RUN_ID: fields_of(other[2])[RUN_ID]},
            {**fields, WORKFLOW_ID: fields_of(other[2])[WORKFLOW_ID]},
            *({**fields, SCHEDULED: value} for value in (1, 2, 3, 7, huge, 2**64 - 1, 2**63)),
            *({**fields, ATTEMPT: value} for value in (2, 2**31 - 1, 2**64 - 1)),
            {**fields, QUERY_ID: b"q", SCHEDULED: 0, STARTED: 0},
            {**fields, SCHEDULED: 0, ACTIVITY_ID: b"nobody"},
        ]
        for forged in forgeries:
            for method in TOKEN_METHODS:
                if method.name == "RespondQueryTaskCompleted" or QUERY_ID not in forged:
                    crowd.call(method, with_token(method, forge(forged)), 30)
    crowd.finish()
    t.client.complete(task)
    codes = crowd.codes
    assert not codes["OK"], codes


@case
def stale_task_tokens(t: Context):
    """Tokens of tasks that were answered, of a run that is over: NOT_FOUND, every time."""
    wid, task, activity_token = open_tasks(t, "w")
    t.client.RespondActivityTaskCompleted(task_token=activity_token)
    t.client.complete(task)
    t.client.complete(t.client.poll(wid), complete("done"))
    for method in TOKEN_METHODS:
        for token in (task.task_token, activity_token):
            found = t.client.send(method.path, with_token(method, token))
            assert (
                found.code in (CODES.NOT_FOUND, CODES.INVALID_ARGUMENT) or "Nexus" in method.name
            ), f"{method.name}: {found}"


@case
def page_tokens(t: Context):
    """History and list RPCs with tokens of their own, mutated, and of nothing."""
    wid, _, _ = open_tasks(t, "w")
    chance = random.Random(t.seed)
    crowd = Crowd(t)
    for name in ("GetWorkflowExecutionHistory", "GetWorkflowExecutionHistoryReverse"):
        method = next(method for method in METHODS if method.name == name)
        request = method.request(
            namespace="default", execution={"workflow_id": wid}, maximum_page_size=2
        )
        true = getattr(t.client, name)(
            execution=request.execution, maximum_page_size=2
        ).next_page_token
        assert true
        tokens = [mutate(chance, true) for _ in range(500)] + [
            true[:size] for size in range(len(true))
        ]
        for value in (0, 1, 3, 10**6, 2**31, 2**63 - 1, 2**63, 2**64 - 1):
            for number in (2, 4, 5):
                tokens.append(true + varint(number << 3) + varint(value))
        for number, token in enumerate(tokens):
            request.next_page_token = token
            waits = name.endswith("History") and number % 8 == 0
            if name.endswith("History"):
                request.wait_new_event = waits
            crowd.call(method, request.SerializeToString(), 2.2 if waits else 30)
    for method in METHODS:
        if "next_page_token" in method.request.DESCRIPTOR.fields_by_name:
            for _ in range(20):
                request = method.request(next_page_token=chance.randbytes(chance.randint(1, 60)))
                crowd.call(method, merged(request), 2.2)
    crowd.finish()


@case
def tokens_of_wrong_places(t: Context):
    """A history page token as task token, a query's token at a workflow task, and the like."""
    wid, task, activity_token = open_tasks(t, "w")
    page = t.client.GetWorkflowExecutionHistory(
        execution={"workflow_id": wid}, maximum_page_size=1
    ).next_page_token
    for method in TOKEN_METHODS:
        assert t.client.send(method.path, with_token(method, page)).code != OK
    answer = t.client.send_method(
        "GetWorkflowExecutionHistory",
        messages.GetWorkflowExecutionHistoryRequest(
            namespace="default", execution={"workflow_id": wid}, next_page_token=task.task_token
        ).SerializeToString(),
    )
    assert answer.code == CODES.INVALID_ARGUMENT, answer
    failed = t.client.send_method(
        "RespondActivityTaskCompleted",
        messages.RespondActivityTaskCompletedRequest(
            task_token=task.task_token
        ).SerializeToString(),
    )
    assert failed.code != OK, failed
    failed = t.client.send_method(
        "RespondWorkflowTaskCompleted",
        messages.RespondWorkflowTaskCompletedRequest(task_token=activity_token).SerializeToString(),
    )
    assert failed.code != OK, failed
    t.client.RespondActivityTaskCompleted(task_token=activity_token)
    t.client.complete(task)
