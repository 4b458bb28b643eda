"""A worker for the orders: `python worker.py [ADDRESS]`. Runs until it is interrupted."""

import asyncio
import logging
import signal
import sys

from temporalio.client import Client
from temporalio.worker import Worker

from workflow import TASK_QUEUE, OrderWorkflow, pack, reserve_stock, ship


async def main(address: str) -> None:
    """Works on the task queue until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    client = await Client.connect(address)
    worker = Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[OrderWorkflow],
        activities=[reserve_stock, pack, ship],
    )
    async with worker:
        print("worker: polling", TASK_QUEUE, flush=True)
        await stop.wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:7233"))
