"""Server processes: the reference dev server and Perdure, each on a free loopback port."""

import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import grpc
import grpc.aio
from temporalio.api.workflowservice.v1 import request_response_pb2 as messages
from temporalio.api.workflowservice.v1 import service_pb2_grpc as service

from tests.launch import Launcher
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[3]
START_TIMEOUT_S = 60


class Server:
    """A server under comparison: one that runs already (given by address) or one started here."""

    def __init__(self, name: str, address: str):
        self.name, self.address = name, address
        self.process: subprocess.Popen | None = None
        self.directory: str | None = None

    @classmethod
    def start_reference(cls) -> "Server":
        port = free_port()
        server = cls("reference", f"127.0.0.1:{port}")
        temporal = Path(sys.executable).parent / "temporal"
        server._spawn([str(temporal), "server", "start-dev", "--headless", "--ip", "127.0.0.1",
                       "--port", str(port), "--log-level", "error"])
        return server

    @classmethod
    def start_perdure(cls, binary: Path, launcher: Launcher) -> "Server":
        port = free_port()
        server = cls("perdure", f"127.0.0.1:{port}")
        server.directory = tempfile.mkdtemp(prefix="parity-perdure-")
        server._spawn(launcher.command(binary, f"{server.directory}/data", port))
        return server

    def _spawn(self, command: list[str]) -> None:
        self.directory = self.directory or tempfile.mkdtemp(prefix=f"parity-{self.name}-")
        with open(f"{self.directory}/output", "wb") as output:
            self.process = subprocess.Popen(
                command, stdout=output, stderr=output, cwd=self.directory
            )

    async def ready(self) -> None:
        """Waits until the server answers and has its default namespace."""
        end = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                async with grpc.aio.insecure_channel(self.address) as channel:
                    stub = service.WorkflowServiceStub(channel)
                    await stub.DescribeNamespace(
                        messages.DescribeNamespaceRequest(namespace="default"), timeout=5
                    )
                    return
            except grpc.aio.AioRpcError as failed:
                if self.process is not None and self.process.poll() is not None:
                    raise RuntimeError(f"{self.name} ended at once:\n{self.output()}") from failed
                if time.monotonic() > end:
                    raise RuntimeError(
                        f"{self.name} at {self.address} does not answer: {failed.details()}"
                    ) from failed
                await asyncio.sleep(0.2)

    def output(self) -> str:
        return Path(f"{self.directory}/output").read_text(errors="replace")[-4000:]

    def alive(self) -> bool:
        return self.process is None or self.process.poll() is None

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.directory is not None:
            shutil.rmtree(self.directory, ignore_errors=True)
