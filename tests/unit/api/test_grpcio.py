#!/usr/bin/env python3
"""An independent client (grpcio) against grpc_echo: test_grpcio.py PATH_OF_GRPC_ECHO"""
import os
import signal
import subprocess
import sys

import grpc

LIMITS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def same(data):
    return data


def check_sizes(echo):
    for size in (0, 1, 5, 100, 16384, 70000, 1 << 20, 4 << 20):
        for data in (os.urandom(size), b"a" * size):
            assert echo(data) == data, size
            if len(data) < 4 << 20 or data[:1] == b"a":
                assert echo(data, compression=grpc.Compression.Gzip) == data, size


def failure(call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call did not fail")


def check_errors(channel, echo):
    fail = channel.unary_unary("/echo.Echo/Fail", same, same)
    error = failure(fail, b"\x08\x05abc")
    assert error.code() == grpc.StatusCode.NOT_FOUND
    assert error.details() == "no such thing: 100% \u00e4\n"
    assert dict(error.trailing_metadata())["grpc-status-details-bin"] == b"\x08\x05abc"
    error = failure(channel.unary_unary("/echo.Echo/Nope", same, same), b"")
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED
    error = failure(echo, b"x" * ((4 << 20) + 1))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error.details() == "grpc: received message larger than max (4194305 vs. 4194304)"
    error = failure(echo, b"x" * (5 << 20), compression=grpc.Compression.Gzip)
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error.details() == "grpc: received message after decompression larger than max 4194304"


def check_waiting(channel):
    wait = channel.unary_unary("/echo.Echo/Wait", same, same)
    assert failure(wait, b"", timeout=0.05).code() == grpc.StatusCode.DEADLINE_EXCEEDED
    calls = [wait.future(b"") for _ in range(200)]
    for call in calls:
        call.cancel()
    assert all(call.cancelled() for call in calls)


def check_streams(channel):
    chat = channel.stream_stream("/echo.Echo/Chat", same, same)
    messages = [b"1", b"", b"x" * 300000]
    assert list(chat(iter(messages))) == messages


def main(echo_path):
    server = subprocess.Popen([echo_path, "0", "1000"], stdout=subprocess.PIPE, text=True)
    try:
        port = server.stdout.readline().strip()
        with grpc.insecure_channel("127.0.0.1:" + port, options=LIMITS) as channel:
            echo = channel.unary_unary("/echo.Echo/Echo", same, same)
            check_sizes(echo)
            check_errors(channel, echo)
            check_waiting(channel)
            check_streams(channel)
            calls = [echo.future(b"%d" % i) for i in range(2000)]
            assert all(call.result() == b"%d" % i for i, call in enumerate(calls))
            server.send_signal(signal.SIGTERM)
            assert server.wait(30) == 0
    finally:
        server.kill()


if __name__ == "__main__":
    main(sys.argv[1])
