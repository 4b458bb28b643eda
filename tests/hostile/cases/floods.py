"""Too much of everything: connections, streams, resets, control frames, answers nobody reads."""

import gzip
import socket
import time
import zlib

from ..harness.client import CODES
from ..harness.registry import case
from ..harness.runner import Context
from ..harness.wire import Wire, message, raw_frame
from .connections import (
    DATA,
    EMPTY,
    HEADERS,
    PING,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    SYSTEM_INFO,
    WINDOW_UPDATE,
)

POLL = "/temporal.api.workflowservice.v1.WorkflowService/PollWorkflowTaskQueue"
HISTORY = "/temporal.api.workflowservice.v1.WorkflowService/GetWorkflowExecutionHistory"
POLL_BODY = message(b"\x0a\x07default\x12\x08\x0a\x06nobody")


@case
def thousands_of_connections(t: Context):
    """Opened and dropped, some with a preface, some with a call that nobody waits for."""
    for number in range(3000):
        if number % 3 == 0:
            socket.create_connection(("127.0.0.1", t.server.port), 30).close()
        else:
            wire = Wire(t.server.port)
            if number % 3 == 1:
                wire.open(POLL, POLL_BODY, [("grpc-timeout", "60S")])
            wire.close()


@case
def half_open_connections(t: Context):
    """Many that stay and say nothing; the ordinary client notices nothing."""
    peers = [socket.create_connection(("127.0.0.1", t.server.port), 30) for _ in range(400)]
    wires = [Wire(t.server.port) for _ in range(200)]
    for wire in wires:
        wire.open(SYSTEM_INFO, EMPTY[:3], end=False)
    t.prober.rounds(3)
    assert wires[-1].works()
    for peer in peers + wires:
        peer.close()


@case
def rapid_reset(t: Context):
    """Streams opened and reset at once (CVE-2023-44487): a bounded number, then
    ENHANCE_YOUR_CALM."""
    with Wire(t.server.port) as wire:
        block = wire.encoder.encode(wire.headers(POLL, [("grpc-timeout", "60S")]))
        again = wire.encoder.encode(wire.headers(POLL, [("grpc-timeout", "60S")]))
        first = True
        for batch in range(200):
            frames = b""
            for _ in range(500):
                stream = wire.stream_id()
                frames += raw_frame(HEADERS, 4, stream, block if first else again)
                frames += raw_frame(DATA, 1, stream, POLL_BODY) + raw_frame(
                    RST_STREAM, 0, stream, b"\0\0\0\x08"
                )
                first = False
            if not wire.send(frames):
                break
        assert wire.ends(60), "100,000 resets are taken"
        assert wire.goaway in (
            None,
            11,
        ), wire.goaway  # the GOAWAY may be lost with what was still in flight


@case
def control_frame_floods(t: Context):
    """SETTINGS, PRIORITY, empty DATA and PING without end and without reading the answers."""
    floods = {
        "SETTINGS": raw_frame(SETTINGS, 0, 0, b""),
        "PRIORITY": raw_frame(PRIORITY, 0, 1, bytes(4) + b"\x10"),
        "PING": raw_frame(PING, 0, 0, bytes(8)),
        "WINDOW_UPDATE": raw_frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1"),
        "empty DATA": raw_frame(DATA, 0, 1, b""),
    }
    before = t.server.resident_mib()
    for name, frame in floods.items():
        with Wire(t.server.port) as wire:
            wire.open(POLL, POLL_BODY[:4], [("grpc-timeout", "60S")], end=False)
            wire.socket.settimeout(2)
            try:
                for _ in range(100):
                    if not wire.send(frame * 1000):
                        break
            except TimeoutError:
                pass  # it reads no further while its answers are not read: fine
            t.prober.rounds(1)
        grown = t.server.resident_mib() - before
        assert grown < 128, f"{name}: grew by {grown:.0f} MiB"


@case
def zero_windows(t: Context):
    """A peer that allows not a byte of answers: its calls wait, others do not; then it lets them
    come."""
    with Wire(t.server.port, settings={4: 0}) as wire:
        streams = [wire.open(SYSTEM_INFO, EMPTY) for _ in range(2000)]
        t.prober.rounds(2)
        assert not any(wire.streams[stream].data for stream in streams)
        wire.send(raw_frame(SETTINGS, 0, 0, b"\0\4\0\0\0\1"))  # a byte each
        assert wire.until(lambda: all(wire.streams[stream].data for stream in streams))
        wire.send(raw_frame(SETTINGS, 0, 0, b"\0\4\0\1\0\0") + wire.window(0, 1 << 24))
        for stream in streams:
            assert wire.result(stream).status == 0
        assert wire.works()


@case
def window_that_shrinks_below_zero(t: Context):
    with Wire(t.server.port) as wire:
        for size in (0, 65535, 0, 2**31 - 1, 0, 1, 65535):
            wire.open(SYSTEM_INFO, EMPTY)
            wire.send(raw_frame(SETTINGS, 0, 0, b"\0\4" + size.to_bytes(4, "big")))
        assert wire.works()


@case(own_server=True)
def slow_readers(t: Context):
    """Thousands of large answers that nobody reads: what is held for each connection is bounded."""
    with t.other_server(t.release) as server:
        wid = t.id()
        server.client.start(wid, wid, input={"payloads": [{"data": b"x" * 500_000}]})
        body = (
            b"\x0a\x07default\x12"
            + bytes((len(wid) + 2,))
            + b"\x0a"
            + bytes((len(wid),))
            + wid.encode()
        )
        before = server.resident_mib()
        wires = [Wire(server.port) for _ in range(2)]
        for wire in wires:
            for _ in range(2000):
                wire.open(HISTORY, message(body))
            server.prober.rounds(1)
        end = time.monotonic() + 30
        grown_max = len(wires) * 300 + 100
        while (grown := server.resident_mib() - before) >= grown_max and time.monotonic() < end:
            time.sleep(0.1)  # answers on their way are dropped one by one; memory can only be asked
        t.note(f"2 x 2000 answers of 500 kB held {grown:.0f} MiB")
        for wire in wires:
            wire.close()
        assert grown < grown_max, f"grew by {grown:.0f} MiB"
        t.check_server(server)


@case
def bodies_that_drip(t: Context):
    """Large messages that are announced and hardly sent take no memory."""
    before = t.server.resident_mib()
    wires = [Wire(t.server.port) for _ in range(50)]
    for wire in wires:
        for _ in range(50):
            wire.open(SYSTEM_INFO, b"\0\0\x3f\xff\xff" + b"x", end=False)
    t.prober.rounds(1)
    grown = t.server.resident_mib() - before
    for wire in wires:
        wire.close()
    assert grown < 100, f"grew by {grown:.0f} MiB"


@case
def gzip_bombs(t: Context):
    encoding = [("grpc-encoding", "gzip")]
    bomb = gzip.compress(bytes(200 << 20), 9)
    nested = gzip.compress(gzip.compress(bytes(50 << 20)))
    body = gzip.compress(b"\x0a\x07default")
    with Wire(t.server.port) as wire:
        stream = wire.call(SYSTEM_INFO, message(bomb, True), encoding)
        assert (stream.status, stream.text) == (
            8,
            "grpc: received message after decompression larger than max 4194304",
        ), stream.headers
        assert wire.call(SYSTEM_INFO, message(nested, True), encoding).status == 13
        members = wire.call(SYSTEM_INFO, message(gzip.compress(b"") * 20_000, True), encoding)
        assert members.status >= 0, members.headers
        for bad in (
            body[:-1],
            body[:-8] + bytes(8),
            body[:5],
            b"",
            b"\x1f\x8b" + bytes(100),
            zlib.compress(b"x"),
            body[3:],
            body + b"garbage",
        ):
            stream = wire.call(SYSTEM_INFO, message(bad, True), encoding)
            assert stream.status == 13, f"{bad[:20]!r}: {stream.headers}"
        assert wire.works()


@case
def messages_over_the_limit(t: Context):
    """Exactly 4 MiB are taken; a byte more is refused in grpc-go's words."""
    limit = 4 << 20
    answer = t.client.send(SYSTEM_INFO, b"\xc2\x3e\xfa\xff\xff\x01" + bytes(limit - 6))
    assert answer.code == CODES.OK, answer
    answer = t.client.send(SYSTEM_INFO, bytes(limit + 1))
    assert (answer.code, answer.text) == (
        CODES.RESOURCE_EXHAUSTED,
        f"grpc: received message larger than max ({limit + 1} vs. {limit})",
    ), answer
    with Wire(t.server.port) as wire:
        stream = wire.call(SYSTEM_INFO, b"\0\xff\xff\xff\xff" + b"x", end=False)
        assert (stream.status, stream.text) == (
            8,
            f"grpc: received message larger than max (4294967295 vs. {limit})",
        )
        assert wire.works()


@case
def polls_without_end(t: Context):
    """Ten thousand polls on a few connections, all abandoned at once."""
    wires = [Wire(t.server.port) for _ in range(5)]
    for wire in wires:
        for _ in range(2000):
            wire.open(POLL, POLL_BODY, [("grpc-timeout", "60S")])
    t.prober.rounds(2)
    for wire in wires:
        wire.close()
