"""Commands by Kafka: carried out, repeated, forwarded, rejected; the server killed among them."""

from typing import Awaitable, Callable

from .bench import Bench, perdure_command

encode, signal = perdure_command.encode, perdure_command.signal
signal_with_start = perdure_command.signal_with_start

CASES: dict[str, Callable[[Bench], Awaitable[None]]] = {}
INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS = 3, 5, 6
STREAM_WORKFLOWS, STREAM_SIGNALS = 20, 200


def case(body: Callable[[Bench], Awaitable[None]]) -> Callable[[Bench], Awaitable[None]]:
    CASES[body.__name__] = body
    return body


def start(workflow_id: str, namespace: str = "default") -> bytes:
    return encode({"namespace": namespace, "body": {"start_workflow": {
        "workflow_id": workflow_id, "workflow_type": {"name": "T"}, "task_queue": {"name": "q"}}}})


async def started(b: Bench, name: str) -> str:
    workflow_id = b.id(name)
    b.command(workflow_id, start(workflow_id))
    await b.has(workflow_id, "STARTED")
    return workflow_id


# ---- carried out ----

@case
async def start_signal_cancel_terminate(b: Bench) -> None:
    """Each command does what the call of its name does."""
    w = await started(b, "all")
    b.command(w, signal(w, "s", {"n": 1}))
    assert await b.signaled(w, 1) == [("s", b'{"n": 1}')]
    b.command(w, encode({"namespace": "default", "body": {"request_cancel_workflow": {
        "workflow_execution": {"workflow_id": w}, "reason": "enough"}}}))
    await b.has(w, "CANCEL_REQUESTED")
    b.command(w, encode({"namespace": "default", "body": {"terminate_workflow": {
        "workflow_execution": {"workflow_id": w}, "reason": "now"}}}))
    await b.has(w, "TERMINATED")
    assert (await b.events(w))[-1].workflow_execution_terminated_event_attributes.reason == "now"


@case
async def signal_with_start_starts_once(b: Bench) -> None:
    w = b.id("sws")
    for n in range(3):
        b.command(w, signal_with_start(w, "T", "q", "s", n))
    assert await b.signaled(w, 3) == [("s", b"%d" % n) for n in range(3)]
    assert (await b.kinds(w)).count("STARTED") == 1


@case
async def command_id_once(b: Bench) -> None:
    """The same ID in the header, in the field, and in one each."""
    w = await started(b, "id")
    for n in range(2):
        b.command(w, signal(w, "header", n), {"command-id": b"h"})
        b.command(w, signal(w, "field", n, command_id="f"))
    b.command(w, signal(w, "mixed", 0, command_id="m"))
    b.command(w, signal(w, "mixed", 1), {"command-id": b"m"})
    b.command(w, signal(w, "last"))
    assert [name for name, _ in await b.signaled(w, 4)] == ["header", "field", "mixed", "last"]


@case
async def command_id_of_another_workflow(b: Bench) -> None:
    """An ID belongs to its workflow."""
    first, second = await started(b, "id1"), await started(b, "id2")
    for w in (first, second):
        b.command(w, signal(w, "s", command_id="same"))
        await b.signaled(w, 1)


@case
async def wrong_partition_forwarded(b: Bench) -> None:
    w = await started(b, "far")
    b.command(w, signal(w, "s", 1), partition=b.wrong_partition(w))
    await b.signaled(w, 1)
    for partition in (b.wrong_partition(w), -1):
        b.command(w, signal(w, "t"), {"command-id": b"x"}, partition)
    await b.signaled(w, 2)
    b.command(w, signal(w, "end"), partition=b.wrong_partition(w))
    b.command(w, signal(w, "end"))
    assert sorted(name for name, _ in await b.signaled(w, 4)) == ["end", "end", "s", "t"]


# ---- rejected ----

async def rejects(b: Bench, key: str | None, value: bytes | None, code: int, reason: str,
                  headers: dict[str, bytes] | None = None) -> None:
    b.command(key, value, headers)
    found = await b.rejected(key.encode() if key else None, value)
    assert len(found) == 1, found
    assert (found[0]["code"], reason in found[0]["reason"]) == (code, True), found[0]
    assert found[0]["topic"] == "commands" and found[0]["node"] == "node-1", found[0]
    assert found[0]["original_headers"] == (headers or {}), found[0]


@case
async def unreadable(b: Bench) -> None:
    """Garbage, nothing, a truncated command, a schema nobody knows."""
    whole = signal("w", "s", 1)
    await rejects(b, b.id("garbage"), b"\x00garbage", 0, "", {"trace": b"\xff\x00"})
    await rejects(b, b.id("empty"), b"", 0, "")
    await rejects(b, b.id("truncated"), whole[:-3], 0, "")
    await rejects(b, b.id("behind"), whole + b"\x00", 0, "")
    await rejects(b, b.id("schema"), whole[:2] + b"\x01" * 8 + whole[10:], 0, "")


@case
async def without_key_or_value(b: Bench) -> None:
    await rejects(b, b.id("null"), None, INVALID_ARGUMENT, "no value")
    await rejects(b, None, signal(b.id("keyless"), "s"), INVALID_ARGUMENT, "no key")
    await rejects(b, b.id("other"), signal(b.id("w"), "s"), INVALID_ARGUMENT, "key")


@case
async def not_a_request(b: Bench) -> None:
    w = b.id("says")
    await rejects(b, w, encode({"namespace": "default"}), INVALID_ARGUMENT, "says nothing")
    await rejects(b, w, start(w, namespace=""), INVALID_ARGUMENT, "Namespace")
    await rejects(b, w, start(w, namespace="no-such"), NOT_FOUND, "no-such")
    await rejects(b, w, signal(w, ""), INVALID_ARGUMENT, "ignal")
    await rejects(b, w, signal(w, "s"), INVALID_ARGUMENT, "command ID",
                  {"command-id": b"\xff\xfe"})


@case
async def refused(b: Bench) -> None:
    """By what is there: it runs already, it does not exist, it has ended."""
    w = await started(b, "twice")
    again = encode({"namespace": "default", "body": {"start_workflow": {
        "workflow_id": w, "workflow_type": {"name": "T"}, "task_queue": {"name": "other"}}}})
    await rejects(b, w, again, ALREADY_EXISTS, "")
    nobody = b.id("nobody")
    await rejects(b, nobody, signal(nobody, "s"), NOT_FOUND, "")
    b.command(w, encode({"namespace": "default", "body": {"terminate_workflow": {
        "workflow_execution": {"workflow_id": w}}}}))
    await b.has(w, "TERMINATED")
    await rejects(b, w, signal(w, "late"), NOT_FOUND, "")


@case
async def rejects_do_not_stop_others(b: Bench) -> None:
    """Good and bad ones in turns, to one workflow: the good ones in their order."""
    w = await started(b, "turns")
    for n in range(100):
        b.produce(".commands", w, signal(w, "s", n))
        b.produce(".commands", w, b"bad %d" % n)
    b.flush()
    assert [int(data) for _, data in await b.signaled(w, 100)] == list(range(100))
    for n in (0, 99):
        assert len(await b.rejected(w.encode(), b"bad %d" % n)) == 1


# ---- killed ----

async def kill_among(b: Bench, some_done: Callable[[], Awaitable[bool]]) -> None:
    await b.until(some_done, "the first effects")
    await b.server.kill()
    await b.server.start()


@case
async def killed_among_commands(b: Bench) -> None:
    """SIGKILL in a stream, twice: each command once, in order."""
    ids = [b.id("stream") for _ in range(STREAM_WORKFLOWS)]
    for n in range(STREAM_SIGNALS):
        for w in ids:
            b.produce(".commands", w, signal_with_start(w, "T", "q", "s", n))
    for part in (1, STREAM_SIGNALS // 2):
        async def some() -> bool:
            return len(await b.signals(ids[0])) >= part

        await kill_among(b, some)
    b.flush()
    for w in ids:
        b.command(w, signal(w, "last", STREAM_SIGNALS))
    for w in ids:
        found = [int(data) for _, data in await b.signaled(w, STREAM_SIGNALS + 1)]
        assert found == list(range(STREAM_SIGNALS + 1)), (w, found)


@case
async def state_lost_among_commands(b: Bench) -> None:
    """SIGKILL, and RocksDB is gone: read on where the log says."""
    w = b.id("lost")
    for n in range(STREAM_SIGNALS):
        b.produce(".commands", w, signal_with_start(w, "T", "q", "s", n, command_id=f"c{n}"))
    b.flush()
    await b.signaled(w, 1)
    await b.server.kill()
    b.server.forget_state()
    await b.server.start()
    b.command(w, signal(w, "again", command_id="c0"))
    b.command(w, signal(w, "s", STREAM_SIGNALS))
    found = [int(data) for _, data in await b.signaled(w, STREAM_SIGNALS + 1)]
    assert found == list(range(STREAM_SIGNALS + 1)), found
