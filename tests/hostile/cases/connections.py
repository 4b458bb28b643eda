"""Peers that speak no HTTP/2, or break its rules. The connection may end; nothing else may."""

import random
import socket

from ..harness.registry import case
from ..harness.runner import Context
from ..harness.wire import PREFACE, Wire, continuation, message, raw_frame

(
    DATA,
    HEADERS,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    PUSH_PROMISE,
    PING,
    GOAWAY,
    WINDOW_UPDATE,
    CONTINUATION,
) = range(10)
SYSTEM_INFO = "/temporal.api.workflowservice.v1.WorkflowService/GetSystemInfo"
EMPTY = message(b"")


def ends_after(t: Context, data: bytes) -> None:
    """The server ends a connection that begins like this."""
    with socket.create_connection(("127.0.0.1", t.server.port), 30) as peer:
        peer.settimeout(30)
        try:
            peer.sendall(data)
            while peer.recv(1 << 16):
                pass
        except ConnectionError:
            pass


@case
def other_protocols(t: Context):
    """TLS, HTTP/1, SSH, nothing sensible: each connection is ended."""
    ends_after(t, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    ends_after(
        t, b"POST /temporal HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n"
    )
    ends_after(t, b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + bytes(100))
    ends_after(t, bytes.fromhex("16030100c8010000c40303") + bytes(190))
    ends_after(t, b"SSH-2.0-OpenSSH_9.2\r\n")
    ends_after(t, bytes(1000))
    ends_after(t, b"\xff" * 100_000)
    chance = random.Random(t.seed)
    for _ in range(100):
        ends_after(t, chance.randbytes(chance.randint(24, 400)))


@case
def preface_then_garbage(t: Context):
    chance = random.Random(t.seed)
    for _ in range(300):
        with Wire(t.server.port) as wire:
            wire.send(chance.randbytes(chance.randint(9, 300)))
            wire.socket.shutdown(socket.SHUT_WR)
            assert wire.ends()


@case
def half_a_preface(t: Context):
    """Waiting for the rest of a preface, a frame or a message costs nothing, and closing in the
    middle is fine."""
    peers = []
    for size in range(0, len(PREFACE)):
        peer = socket.create_connection(("127.0.0.1", t.server.port), 30)
        peer.sendall(PREFACE[:size])
        peers.append(peer)
    for cut in (1, 5, 9, 12):
        wire = Wire(t.server.port)
        wire.send(raw_frame(HEADERS, 4, 1, bytes(40))[:cut])
        peers.append(wire)
    t.prober.rounds(2)
    for peer in peers:
        peer.close()


@case
def frames_against_the_rules(t: Context):
    """Each of these is a connection error: GOAWAY, and the end."""
    header = Wire(t.server.port)
    block = header.encoder.encode(header.headers(SYSTEM_INFO))
    header.close()
    wrong = {
        "DATA on stream 0": raw_frame(DATA, 0, 0, b"x"),
        "DATA on an idle stream": raw_frame(DATA, 0, 5, b"x"),
        "HEADERS on stream 0": raw_frame(HEADERS, 4, 0, block),
        "HEADERS on an even stream": raw_frame(HEADERS, 5, 2, block),
        "padding longer than the frame": raw_frame(HEADERS, 4 | 8, 1, b"\xff" + block),
        "HEADERS that are no HPACK": raw_frame(HEADERS, 4, 1, b"\xff" * 50),
        "SETTINGS of 5 bytes": raw_frame(SETTINGS, 0, 0, bytes(5)),
        "SETTINGS on a stream": raw_frame(SETTINGS, 0, 1, bytes(6)),
        "SETTINGS ACK with a body": raw_frame(SETTINGS, 1, 0, bytes(6)),
        "INITIAL_WINDOW_SIZE of 2^31": raw_frame(SETTINGS, 0, 0, b"\0\4\x80\0\0\0"),
        "MAX_FRAME_SIZE of 1": raw_frame(SETTINGS, 0, 0, b"\0\5\0\0\0\1"),
        "ENABLE_PUSH of 2": raw_frame(SETTINGS, 0, 0, b"\0\2\0\0\0\2"),
        "PING of 7 bytes": raw_frame(PING, 0, 0, bytes(7)),
        "PING on a stream": raw_frame(PING, 0, 1, bytes(8)),
        "RST_STREAM of an idle stream": raw_frame(RST_STREAM, 0, 9, bytes(4)),
        "RST_STREAM of 3 bytes": raw_frame(RST_STREAM, 0, 1, bytes(3)),
        "WINDOW_UPDATE of 0": raw_frame(WINDOW_UPDATE, 0, 0, bytes(4)),
        "WINDOW_UPDATE of 3 bytes": raw_frame(WINDOW_UPDATE, 0, 0, bytes(3)),
        "WINDOW_UPDATE over 2^31": raw_frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff") * 2,
        "GOAWAY of 4 bytes": raw_frame(GOAWAY, 0, 0, bytes(4)),
        "PUSH_PROMISE": raw_frame(PUSH_PROMISE, 4, 1, bytes(4) + block),
        "CONTINUATION out of nowhere": raw_frame(CONTINUATION, 4, 1, block),
        "DATA between HEADERS and CONTINUATION": raw_frame(HEADERS, 0, 1, block)
        + raw_frame(DATA, 0, 1, b"x"),
        "a frame of 16 MiB": raw_frame(DATA, 0, 1, b"x" * 20000, size=(1 << 24) - 1),
    }
    for name, frame in wrong.items():
        with Wire(t.server.port) as wire:
            wire.send(frame)
            assert wire.ends(), f"{name}: the connection goes on"


@case
def frames_that_are_odd_but_fine(t: Context):
    """Unknown frame types, flags, settings and priorities are ignored."""
    with Wire(t.server.port, settings={0x99: 7, 3: 0}) as wire:
        wire.send(raw_frame(0x42, 0xff, 0, b"hello") + raw_frame(0x42, 0, 77, b""))
        wire.send(raw_frame(PRIORITY, 0, 1, bytes(3) + b"\x07\x10"))
        wire.send(raw_frame(SETTINGS, 0, 0, b"") + raw_frame(SETTINGS, 0, 0, b"\0\1\0\0\0\0"))
        assert wire.works()
        wire.send(raw_frame(PING, 0, 0, b"12345678"))
        assert wire.until(lambda: wire.acknowledged_pings == 1)
        assert wire.works()


@case
def messages_cut_in_the_middle(t: Context):
    """The stream is answered, and the connection serves on."""
    body = message(b"\x0a\x07default" * 100)
    with Wire(t.server.port) as wire:
        path = "/temporal.api.workflowservice.v1.WorkflowService/DescribeNamespace"
        expected = {0: 13, 1: 2, 4: 2, 5: 2, 6: 2, len(body) - 1: 2}
        for size, status in expected.items():
            stream = wire.call(path, body[:size])
            assert stream.status == status, f"{size} bytes: {stream.headers}"
        for size in (0, 3, 5, 20):  # and then the client gives up
            number = wire.open(path, body[:size], end=False)
            wire.send(raw_frame(RST_STREAM, 0, number, b"\0\0\0\x08"))
        assert wire.call(path, None).status == 13
        assert wire.call(path, body + message(b"again")).status >= 0
        lies = wire.call(path, b"\0\0\0\0\x05abc")
        assert (lies.status, lies.text) == (2, "unexpected EOF"), lies.headers
        assert wire.works()
    wire = Wire(t.server.port)
    wire.open(path, body[:50], end=False)
    wire.close()


@case
def trailers_and_late_data(t: Context):
    with Wire(t.server.port) as wire:
        stream = wire.open(SYSTEM_INFO, EMPTY, end=False)
        wire.send(raw_frame(HEADERS, 5, stream, wire.encoder.encode([("x-trailer", "1")])))
        assert wire.result(stream).status == 0
        wire.send(raw_frame(DATA, 1, stream, b"late"))
        again = Wire(t.server.port)
        assert again.works()
        again.close()


@case
def header_bombs(t: Context):
    """A long list is refused; one that cannot even be taken in ends its connection."""
    with Wire(t.server.port) as wire:
        many = wire.call(SYSTEM_INFO, EMPTY, [(f"x-{i}", "v" * 100) for i in range(400)])
        assert many.status == 8, many.headers
        # One entry of HPACK's table, named again and again: 3 KiB become 12 MiB.
        bomb = [("x-bomb", "b" * 3900)] * 3000
        found = (
            wire.call(SYSTEM_INFO, EMPTY, bomb) if len(wire.encoder.encode(bomb)) < 16384 else None
        )
        assert found is None or found.status == 8 or found.reset is not None, found.headers
    with Wire(t.server.port) as wire:
        wire.open(SYSTEM_INFO, EMPTY, [("x-small", "1")])
        block = Wire.headers(wire, SYSTEM_INFO)
        encoded = wire.encoder.encode(block + [("x-long", "v" * 200_000)], huffman=False)
        wire.send(raw_frame(HEADERS, 0, 99, encoded[:16000]))
        for at in range(16000, len(encoded), 16000):
            if not wire.send(continuation(99, encoded[at:at + 16000], at + 16000 >= len(encoded))):
                break
        wire.until(lambda: wire.closed or 99 in wire.streams and wire.streams[99].ended)
    t.prober.rounds(1)


@case
def continuation_flood(t: Context):
    """A header block that never ends: the connection does, or at least takes nothing."""
    before = t.server.resident_mib()
    for part in (b"", b"\0\x01a\x01b" * 2000):
        with Wire(t.server.port) as wire:
            wire.send(raw_frame(HEADERS, 0, 1, wire.encoder.encode(wire.headers(SYSTEM_INFO))))
            for _ in range(200):
                if not wire.send(continuation(1, part, False) * 50):
                    break
            wire.receive(0.01)
    grown = t.server.resident_mib() - before
    assert grown < 64, f"grew by {grown:.0f} MiB"


@case
def requests_that_are_no_grpc(t: Context):
    path = SYSTEM_INFO
    unknown = "/temporal.api.workflowservice.v1.WorkflowService/NoSuchMethod"
    with Wire(t.server.port) as wire:
        cases = [
            (
                wire.call(path, EMPTY, content_type="text/html"),
                "415",
                3,
                'invalid gRPC request content-type "text/html"',
            ),
            (
                wire.call(path, EMPTY, content_type=None),
                "415",
                3,
                'invalid gRPC request content-type ""',
            ),
            (wire.call(path, EMPTY, content_type="application/json"), "415", 3, None),
            (wire.call(path, None, method="GET"), "405", 13, None),
            (wire.call("/", EMPTY), "200", 12, 'malformed method name: "/"'),
            (wire.call("/x", EMPTY), "200", 12, 'malformed method name: "/x"'),
            (
                wire.call("/no.such.Service/Method", EMPTY),
                "200",
                12,
                "unknown service no.such.Service",
            ),
            (
                wire.call(unknown, EMPTY),
                "200",
                12,
                "unknown method NoSuchMethod for service "
                "temporal.api.workflowservice.v1.WorkflowService",
            ),
            (wire.call("/" + "s" * 5000 + "/M", EMPTY), "200", 12, None),
            (
                wire.call(path, EMPTY, [("grpc-encoding", "br")]),
                "200",
                12,
                'grpc: Decompressor is not installed for grpc-encoding "br"',
            ),
            (wire.call(path, EMPTY, [("x-bin", "!!!")]), "400", 13, None),
            (
                wire.call(path, b"\x02\0\0\0\0"),
                "200",
                13,
                "grpc: received unexpected payload format 2",
            ),
            (
                wire.call(path, message(b"", True)),
                "200",
                13,
                "grpc: compressed flag set with identity or empty encoding",
            ),
        ]
        for number, (stream, http, status, text) in enumerate(cases):
            assert (
                stream.headers.get(":status") == http and stream.status == status
            ), f"{number}: {stream.headers}"
            assert text is None or stream.text == text, f"{number}: {stream.headers}"
        assert wire.works()


@case
def deadlines(t: Context):
    """grpc-timeout: zero is over at once, nonsense is refused, a huge one is none."""
    refused = [
        "",
        "S",
        "1",
        "-1S",
        "1x",
        "123456789S",
        "1.5S",
        "9" * 1000 + "S",
        "\u0661S".encode().decode("latin-1"),
    ]
    with Wire(t.server.port) as wire:
        for value in refused:
            stream = wire.call(SYSTEM_INFO, EMPTY, [("grpc-timeout", value)])
            assert (
                stream.status == 13 and "malformed grpc-timeout" in stream.text
            ), f"{value}: {stream.headers}"
        for value in ("0n", "0S", "00000000H"):
            stream = wire.call(SYSTEM_INFO, EMPTY, [("grpc-timeout", value)])
            assert (stream.status, stream.text) == (4, "context deadline exceeded"), stream.headers
        assert wire.call(SYSTEM_INFO, EMPTY, [("grpc-timeout", "99999999H")]).status == 0
        assert wire.call(SYSTEM_INFO, EMPTY, [("grpc-timeout", "1n")]).status in (0, 4)
        poll = "/temporal.api.workflowservice.v1.WorkflowService/PollWorkflowTaskQueue"
        body = message(b"\x0a\x07default\x12\x03\x0a\x01q")
        none = wire.call(poll, body)
        assert (none.status, none.text) == (3, "Context timeout is not set."), none.headers
        short = wire.call(poll, body, [("grpc-timeout", "1S")])
        assert (short.status, short.text) == (9, "Context timeout is too short."), short.headers
        assert wire.works()
