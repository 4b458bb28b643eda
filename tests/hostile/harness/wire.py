"""HTTP/2 by hand: a connection that can say anything, and understands the answers."""

import socket
import struct
import time
from typing import Iterable

import hyperframe.exceptions
from hpack import Decoder, Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
TIMEOUT_S = 30
FRAME_SIZE = 16384


def message(data: bytes, compressed: bool = False) -> bytes:
    """gRPC's prefix and the message."""
    return struct.pack(">BI", compressed, len(data)) + data


def raw_frame(kind: int, flags: int, stream: int, payload: bytes, size: int | None = None) -> bytes:
    """A frame of any type; `size` may lie."""
    size = len(payload) if size is None else size
    return struct.pack(">I", size)[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


class Stream:
    """What came back on one stream."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.data = b""
        self.ended = False
        self.reset: int | None = None
        self.window = 0  # what was granted beyond the initial size, less what was sent

    @property
    def status(self) -> int:
        """grpc-status; -1 if there was none."""
        return int(self.headers.get("grpc-status", -1))

    @property
    def text(self) -> str:
        return self.headers.get("grpc-message", "")


class Wire:

    def __init__(
        self,
        port: int,
        preface: bytes = PREFACE,
        settings: dict[int, int] | None = None,
        greet: bool = True,
    ):
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self.socket.settimeout(TIMEOUT_S)
        self.encoder, self.decoder = Encoder(), Decoder()
        self.decoder.max_header_list_size = 1 << 20
        self.streams: dict[int, Stream] = {}
        self.goaway: int | None = None
        self.closed = False
        self.acknowledged_pings = 0
        self.initial_window, self.connection_window = 65535, 65535
        self._received = b""
        self._next_stream = 1
        if greet:
            self.send(preface + SettingsFrame(0, settings=settings or {}).serialize())

    # ---- out ----

    def send(self, data: bytes) -> bool:
        """False when the peer has gone, which many cases want."""
        try:
            self.socket.sendall(data)
            return True
        except (ConnectionError, BrokenPipeError):
            self.closed = True
            return False

    def send_frames(self, frames: Iterable[Frame]) -> bool:
        return self.send(b"".join(frame.serialize() for frame in frames))

    def stream_id(self) -> int:
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        return stream

    def headers(
        self,
        path: str,
        extra: Iterable[tuple] = (),
        content_type: str | None = "application/grpc",
        method: str = "POST",
    ) -> list[tuple]:
        fields = [
            (":method", method),
            (":scheme", "http"),
            (":path", path),
            (":authority", "localhost"),
        ]
        if content_type is not None:
            fields.append(("content-type", content_type))
        return fields + [("te", "trailers")] + list(extra)

    def open(
        self,
        path: str,
        body: bytes | None,
        extra: Iterable[tuple] = (),
        end: bool = True,
        **options,
    ) -> int:
        """HEADERS and, unless None, the body in DATA frames; returns the stream."""
        return self.open_fields(self.headers(path, extra, **options), body, end)

    def open_fields(self, fields: list[tuple], body: bytes | None, end: bool = True) -> int:
        stream = self.stream_id()
        self.streams[stream] = Stream()
        block = self.encoder.encode(fields)
        head = HeadersFrame(stream, block[:FRAME_SIZE])
        if body is None and end:
            head.flags.add("END_STREAM")
        if len(block) <= FRAME_SIZE:
            head.flags.add("END_HEADERS")
        rest = [continuation(stream, block[at:at + FRAME_SIZE], at + FRAME_SIZE >= len(block))
                for at in range(FRAME_SIZE, len(block), FRAME_SIZE)]
        self.send(
            head.serialize()
            + b"".join(rest)
            + (self._data(stream, b"", end) if body == b"" else b"")
        )
        if body:
            self._send_body(stream, body, end)
        return stream

    def _data(self, stream: int, part: bytes, end: bool) -> bytes:
        return DataFrame(stream, part, flags=["END_STREAM"] if end else []).serialize()

    def _send_body(self, stream: int, body: bytes, end: bool) -> None:
        """As the windows allow; stops when the stream is answered before."""
        at, found = 0, self.streams[stream]
        while at < len(body):
            def room() -> int:
                return min(
                    self.connection_window,
                    self.initial_window + found.window,
                    FRAME_SIZE,
                    len(body) - at,
                )

            if room() <= 0 and not self.until(lambda: room() > 0 or found.ended):
                return
            if found.ended:
                return
            part = body[at:at + room()]
            at += len(part)
            self.connection_window -= len(part)
            found.window -= len(part)
            if not self.send(self._data(stream, part, end and at == len(body))):
                return

    # ---- in ----

    def receive(self, timeout: float = TIMEOUT_S) -> bool:
        """Takes in what has come. False: nothing came, or the connection is closed."""
        if self.closed:
            return False
        self.socket.settimeout(max(timeout, 0.001))
        try:
            data = self.socket.recv(1 << 16)
        except TimeoutError:
            return False
        except ConnectionError:
            data = b""
        finally:
            self.socket.settimeout(TIMEOUT_S)
        if not data:
            self.closed = True
            return False
        self._received += data
        self._parse()
        return True

    def _parse(self) -> None:
        while len(self._received) >= 9:
            try:
                frame, size = Frame.parse_frame_header(memoryview(self._received[:9]))
            except hyperframe.exceptions.HyperframeError:
                raise AssertionError(f"the server sent no frame: {self._received[:9]!r}") from None
            if len(self._received) < 9 + size:
                return
            frame.parse_body(memoryview(self._received[9:9 + size]))
            self._received = self._received[9 + size:]
            self._take(frame)

    def _take(self, frame: Frame) -> None:
        stream = self.streams.setdefault(frame.stream_id, Stream()) if frame.stream_id else None
        if isinstance(frame, HeadersFrame):
            stream.headers.update((str(k), str(v)) for k, v in self._decode(frame.data))
        elif isinstance(frame, DataFrame):
            stream.data += frame.data
        elif isinstance(frame, RstStreamFrame):
            stream.reset, stream.ended = frame.error_code, True
        elif isinstance(frame, GoAwayFrame):
            self.goaway = frame.error_code
        elif isinstance(frame, WindowUpdateFrame):
            self._take_window(frame, stream)
        elif isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
            self.initial_window = frame.settings.get(
                SettingsFrame.INITIAL_WINDOW_SIZE, self.initial_window
            )
            self.send(SettingsFrame(0, flags=["ACK"]).serialize())
        elif isinstance(frame, PingFrame) and "ACK" in frame.flags:
            self.acknowledged_pings += 1
        elif isinstance(frame, PingFrame):
            self.send(PingFrame(0, frame.opaque_data, flags=["ACK"]).serialize())
        if stream and "END_STREAM" in frame.flags:
            stream.ended = True

    def _take_window(self, frame: WindowUpdateFrame, stream: Stream | None) -> None:
        if stream:
            stream.window += frame.window_increment
        else:
            self.connection_window += frame.window_increment

    def _decode(self, block: bytes) -> list[tuple]:
        return [(name, value) for name, value in self.decoder.decode(block)]

    def until(self, condition, timeout: float = TIMEOUT_S) -> bool:
        """Receives until the condition holds or the connection is closed; what it holds then."""
        end = time.monotonic() + timeout
        while not condition() and not self.closed and time.monotonic() < end:
            self.receive(end - time.monotonic())
        return bool(condition())

    def result(self, stream: int) -> Stream:
        found = self.streams.setdefault(stream, Stream())
        assert self.until(lambda: found.ended), \
            f"stream {stream} is not answered (goaway {self.goaway}, closed {self.closed})"
        return found

    def call(self, path: str, body: bytes | None, extra: Iterable[tuple] = (), **options) -> Stream:
        return self.result(self.open(path, body, extra, **options))

    def ends(self, timeout: float = TIMEOUT_S) -> bool:
        """Does the server end the connection?"""
        return self.until(lambda: self.closed, timeout)

    def works(self) -> bool:
        """Does this connection still serve a call?"""
        return (
            self.call(
                "/temporal.api.workflowservice.v1.WorkflowService/GetSystemInfo", message(b"")
            ).status
            == 0
        )

    def window(self, stream: int, size: int) -> bytes:
        return WindowUpdateFrame(stream, window_increment=size).serialize()

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def continuation(stream: int, block: bytes, last: bool) -> bytes:
    return ContinuationFrame(stream, block, flags=["END_HEADERS"] if last else []).serialize()
