"""Any bytes and any values as the request of any RPC."""

import random
import threading
from collections import Counter

from temporalio.api.workflowservice.v1 import request_response_pb2 as messages

from tests.parity.harness.commands import activity, payloads, timer

from ..harness.client import CODES, METHODS, OK, Answer, Method, answer
from ..harness.reflect import Maker, at_place, delimited, merged, mutate, places, varint
from ..harness.registry import case
from ..harness.runner import Context

CALL_COUNT = 4000
IN_FLIGHT_MAX = 100
# What a wrong request may get. INTERNAL, UNKNOWN, UNAVAILABLE and DATA_LOSS are answers to our own
# mistakes.
PROPER = {
    OK,
    CODES.INVALID_ARGUMENT,
    CODES.NOT_FOUND,
    CODES.ALREADY_EXISTS,
    CODES.FAILED_PRECONDITION,
    CODES.UNIMPLEMENTED,
    CODES.RESOURCE_EXHAUSTED,
    CODES.PERMISSION_DENIED,
    CODES.OUT_OF_RANGE,
}


def check(method: Method, found: Answer, more: tuple = ()) -> None:
    allowed = PROPER | set(more) | ({CODES.DEADLINE_EXCEEDED} if method.waits else set())
    assert found.code in allowed, f"{method.name}: {found}"
    if found.code == CODES.UNIMPLEMENTED and "is not implemented" in found.text:
        assert "implemented" in found.text and found.text != "", found


class Crowd:
    """Calls in flight, at most so many at once; each answer is checked and counted."""

    def __init__(self, t: Context, more: tuple = ()):
        self.t, self.more = t, more
        self.codes: Counter = Counter()
        self.problems: list[str] = []
        self.taken: list[tuple[str, bytes]] = []  # method and request of what succeeded
        self._room = threading.Semaphore(IN_FLIGHT_MAX)
        self._lock = threading.Lock()

    def call(self, method: Method, data: bytes, timeout: float) -> None:
        self._room.acquire()
        self.t.client.begin(method.path, data, timeout).add_done_callback(
            lambda call: self._done(method, data, call)
        )

    def _done(self, method: Method, data: bytes, call) -> None:
        found = answer(call)
        with self._lock:
            self.codes[found.code.name] += 1
            if found.code == OK:
                self.taken.append((method.name, data[:400]))
            try:
                check(method, found, self.more)
            except AssertionError as failed:
                self.problems.append(f"{failed}\n{data[:400].hex()}")
        self._room.release()

    def finish(self) -> None:
        for _ in range(IN_FLIGHT_MAX):
            self._room.acquire()
        self.t.note(", ".join(f"{count} {code}" for code, count in self.codes.most_common()))
        assert not self.problems, f"{len(self.problems)} wrong answers: " + "\n".join(
            self.problems[:5]
        )


@case
def every_rpc_with_nothing(t: Context):
    """An empty message: refused by the RPC's name if it is not built."""
    count = Counter()
    assert len(METHODS) >= 135, len(METHODS)
    for method in METHODS:
        found = t.client.send(method.path, b"", timeout=5)
        check(method, found)
        if found.code == CODES.UNIMPLEMENTED:
            assert method.name in found.text, f"{method.name}: {found}"
        count["not built" if found.code == CODES.UNIMPLEMENTED else "built"] += 1
    t.note(f"{count['built']} RPCs, {count['not built']} not built")


@case
def every_rpc_with_random_bytes(t: Context):
    chance = random.Random(t.seed)
    crowd = Crowd(t, more=(CODES.INTERNAL,))  # which is grpc-go's word for what is no message
    for method in METHODS:
        for size in (1, 2, 5, 20, 100, 1000, 20000):
            crowd.call(method, chance.randbytes(size), 3)
        for text in (
            b"\x0a\x05ab",
            b"\x0a\xff\xff\xff\xff\x0f",
            b"\x0b\x0c",
            b"\x00",
            b"\x0a\x04a\x00bc",
            b"\x0a\x02\xff\xfe",
            b"\x0a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
            b"\x0a" * 30000,
        ):
            crowd.call(method, text, 3)
    crowd.finish()


def known_values(t: Context) -> dict[str, list]:
    """Workflows in every state, tokens of tasks in progress, and their names by field."""
    client, queue = t.client, t.id("queue")
    runs, tokens, pages = [], [], []
    wids = [t.id(f"w{number}") for number in range(12)]
    for number, wid in enumerate(wids):
        runs.append(client.start(wid, queue))
        if number % 2:
            task = client.poll(queue)
            tokens.append(task.task_token)
            if number % 4 == 3:
                client.complete(
                    task, timer("t", 3600), activity("a", queue), activity("b", queue, "B")
                )
                tokens.append(client.poll_activity(queue).task_token)
    page = client.GetWorkflowExecutionHistory(
        execution={"workflow_id": wids[3]}, maximum_page_size=1
    )
    pages.append(page.next_page_token)
    reverse = client.GetWorkflowExecutionHistoryReverse(
        execution={"workflow_id": wids[3]}, maximum_page_size=1
    )
    pages.append(reverse.next_page_token)
    return {
        "namespace": ["default"],
        "workflow_id": wids,
        "run_id": ["", *runs],
        "task_token": tokens,
        "next_page_token": [b"", *pages],
        "task_queue": [queue],
        "normal_name": [queue],
        "activity_id": ["a", "b", "c"],
        "name": [queue, "W", "A", "s"],
        "signal_name": ["s"],
        "timer_id": ["t", "u"],
        "kind": [0, 1, 2],
        "scheduled_event_id": [5, 6, 7],
        "query_type": ["q", "__stack_trace"],
        "command_type": list(range(18)),
    }


@case
def random_requests(t: Context):
    """Thousands of nearly sensible requests to all RPCs that are built."""
    chance = random.Random(t.seed)
    maker = Maker(chance, known_values(t))
    built = [
        method
        for method in METHODS
        if t.client.send(method.path, b"", 5).code != CODES.UNIMPLEMENTED
    ]
    crowd = Crowd(t)
    for number in range(CALL_COUNT):
        method = built[number % len(built)]
        if method.waits and number % 4:
            method = chance.choice(built)
        data = maker.fill(method.request(), chance.choice((0.1, 0.3, 0.6))).SerializeToString()
        if len(data) < 4 << 20:
            crowd.call(method, data, chance.choice((2.2, 2.5)) if method.waits else 30)
    crowd.finish()


@case
def mutated_requests(t: Context):
    """The same, damaged: what the bytes mean no client intended."""
    chance = random.Random(t.seed + 1)
    maker = Maker(chance, known_values(t))
    crowd = Crowd(t, more=(CODES.INTERNAL,))
    for number in range(CALL_COUNT // 2):
        method = METHODS[number % len(METHODS)] if number % 2 else chance.choice(METHODS)
        data = maker.fill(method.request(), 0.3).SerializeToString()
        crowd.call(method, mutate(chance, data)[:1 << 20], 2.2 if method.waits else 30)
    crowd.finish()


def nested(depth: int, number: int, inner: bytes = b"\x0a\x01m") -> bytes:
    for _ in range(depth):
        inner = delimited(number, inner)
    return inner


def request_with(
    t: Context, method: Method, known: dict[str, list], place: tuple, data: bytes
) -> bytes:
    """A request with what every request needs, and those bytes at that place."""
    request = Maker(random.Random(t.seed), known).fill(method.request(), 0)
    request.ClearField(place[0].name)
    return merged(request, at_place(place, data))


@case
def deep_failures(t: Context):
    """Causes of causes, in every RPC that takes a Failure anywhere: refused beyond 200 levels,
    harmless below."""
    known = known_values(t)
    depths = {
        20: None,
        99: None,
        150: None,
        190: None,
        1000: CODES.INVALID_ARGUMENT,
        20000: CODES.INVALID_ARGUMENT,
    }
    failures = {depth: nested(depth, 4) + b"\x2a\x00" for depth in depths}
    count = 0
    for method in METHODS:
        if t.client.send(method.path, b"", 5).code == CODES.UNIMPLEMENTED:
            continue
        for place in places(method.request.DESCRIPTOR, "temporal.api.failure.v1.Failure"):
            count += 1
            for depth, code in depths.items():
                found = t.client.send(
                    method.path, request_with(t, method, known, place, failures[depth]), 5
                )
                check(method, found)
                assert code is None or found.code == code and "nested too deeply" in found.text, \
                    f"{method.name} with {depth} levels: {found}"
    t.note(f"{count} places")
    assert count >= 5, count


@case
def deep_messages(t: Context):
    """Messages that contain themselves without end, also where no message belongs."""
    for method in METHODS:
        for number in (1, 2, 3, 5):
            found = t.client.send(method.path, nested(3000, number), 3)
            check(method, found, (CODES.INTERNAL,))


@case
def deep_failure_is_kept(t: Context):
    """What is accepted at the edge of the limit can be kept, retried, read, and read after a
    restart (see last)."""
    wid = queue = t.id()
    client = t.client
    client.start(wid, queue)
    client.complete(client.poll(queue), activity("a", queue, retry_policy={"maximum_attempts": 2}))
    for attempt in (1, 2):
        token = client.poll_activity(queue).task_token
        request = messages.RespondActivityTaskFailedRequest(task_token=token, namespace="default")
        depth = 197
        while True:
            failure = nested(depth, 4) + b"\x2a\x00"
            found = client.send_method(
                "RespondActivityTaskFailed", merged(request, delimited(2, failure))
            )
            if "deep" not in found.text or depth == 0:
                break
            depth -= 1
        assert found.code == OK, f"attempt {attempt}, {depth} levels: {found}"
        described = client.send_method(
            "DescribeWorkflowExecution",
            messages.DescribeWorkflowExecutionRequest(
                namespace="default", execution={"workflow_id": wid}
            ).SerializeToString(),
        )
        assert described.code == OK, described
    history = client.send_method(
        "GetWorkflowExecutionHistory",
        messages.GetWorkflowExecutionHistoryRequest(
            namespace="default", execution={"workflow_id": wid}
        ).SerializeToString(),
    )
    assert history.code == OK and len(history.data) > 500, history
    t.note(f"{depth} levels")


@case
def strings_that_are_none(t: Context):
    """Not UTF-8: INTERNAL, as grpc-go says. NUL characters: INVALID_ARGUMENT, by this server
    alone."""
    count = 0
    for method in METHODS:
        if t.client.send(method.path, b"", 5).code == CODES.UNIMPLEMENTED:
            continue
        for field in method.request.DESCRIPTOR.fields:
            if field.type != field.TYPE_STRING:
                continue
            count += 1
            bad = t.client.send(method.path, delimited(field.number, b"\xc3\x28"), 5)
            assert (bad.code, bad.text) == (
                CODES.INTERNAL,
                "grpc: error unmarshalling request: string field contains invalid UTF-8",
            ), bad
            for text in (
                b"\xed\xa0\x80",
                b"\xf5\x80\x80\x80",
                b"\xc0\xaf",
                b"abc\x80",
                b"\xe2\x82",
            ):
                assert (
                    t.client.send(method.path, delimited(field.number, text), 5).code
                    == CODES.INTERNAL
                )
            nul = t.client.send(method.path, delimited(field.number, b"a\0b"), 5)
            assert nul.code == CODES.INVALID_ARGUMENT, nul
    assert count > 50, count


@case
def maps_of_100000_entries(t: Context):
    """Memo, header, search attributes: refused or taken, in linear time."""
    for path, size in (("memo", 100_000), ("header", 60_000), ("search_attributes", 100_000)):
        place = {"memo": (14, 1), "header": (16, 1), "search_attributes": (15, 1)}[path]
        entries = b"".join(
            delimited(place[1], b"\x0a\x06%06d\x12\x00" % number) for number in range(size)
        )
        base = messages.StartWorkflowExecutionRequest(
            namespace="default",
            workflow_id=t.id(path),
            request_id="r",
            workflow_type={"name": "W"},
            task_queue={"name": t.id()},
        )
        check_names = {field.name: field.number for field in base.DESCRIPTOR.fields}
        found = t.client.send_method(
            "StartWorkflowExecution", merged(base, delimited(check_names[path], entries)), 60
        )
        assert found.code in (OK, CODES.INVALID_ARGUMENT), f"{path}: {found}"
        t.note(f"{path}: {found.code.name}")


@case
def durations_and_timestamps(t: Context):
    """Negative, huge and invalid ones wherever there is one: nothing overflows (UBSan looks on)."""
    known = known_values(t)
    values = [
        (-1, 0),
        (2**63 - 1, 999_999_999),
        (-(2**63), -999_999_999),
        (0, -1),
        (5, -5),
        (1, 2**31 - 1),
        (1, -(2**31)),
        (315576000001, 0),
        (9223372036, 999_999_999),
        (-9223372037, 0),
        (253402300800, 0),
    ]
    crowd = Crowd(t)
    for method in METHODS:
        for type_name in ("google.protobuf.Duration", "google.protobuf.Timestamp"):
            for place in places(method.request.DESCRIPTOR, type_name):
                for seconds, nanos in values:
                    data = b"\x08" + varint(seconds) + b"\x10" + varint(nanos)
                    crowd.call(method, request_with(t, method, known, place, data),
                               2.2 if method.waits else 30)
    crowd.finish()
