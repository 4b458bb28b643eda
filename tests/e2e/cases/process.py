"""The server as a process: how it stops, refuses, comes back, and what its log tells."""

import asyncio
import json
import time
from datetime import timedelta
from pathlib import Path

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryRequest
from temporalio.client import WorkflowHandle

from ..case import PATIENCE_S, Case, case

STOP_SECONDS = 15


@case(alone=True)
async def sigterm_under_load(t: Case) -> None:
    """SIGTERM while workflows and long polls are under way: exit code 0 within seconds; nothing is
    lost."""
    async with t.worker(), asyncio.TaskGroup() as group:
        handles = await asyncio.gather(
            *(t.start("Waiting", suffix=str(number)) for number in range(50))
        )
        busy = group.create_task(signal_for_ever(handles))
        results = [group.create_task(t.result_through_outage(handle)) for handle in handles]
        await t.until(lambda: worked(t, handles[0]), "workflow tasks of the first workflow")
        begin = time.monotonic()
        code = await t.server.terminate()
        took = time.monotonic() - begin
        await t.server.start()
        busy.cancel()
        assert code == 0 and took < STOP_SECONDS, f"exit code {code} after {took:.1f} s"
        await asyncio.gather(*(handle.signal("say", "finish") for handle in handles))
    counts = [result.result() for result in results]
    assert min(counts) >= 2, counts


async def worked(t: Case, handle: WorkflowHandle) -> bool:
    return (await t.kinds(handle)).count("WORKFLOW_TASK_COMPLETED") >= 3


async def signal_for_ever(handles: list) -> None:
    """The load; ends when it is cancelled. A server on its way out may refuse."""
    while True:
        await asyncio.gather(
            *(handle.signal("say", "again") for handle in handles), return_exceptions=True
        )


@case(alone=True, single=True)
async def sigterm_answers_long_polls(t: Case) -> None:
    """Who waits for events when the server goes gets an empty page to go on with, not an error."""
    handle = await t.start("Waiting")
    service = t.client.workflow_service
    request = GetWorkflowExecutionHistoryRequest(
        namespace="default", execution=WorkflowExecution(workflow_id=handle.id),
        wait_new_event=True)
    page = await service.get_workflow_execution_history(request)
    request.next_page_token = page.next_page_token
    waiting = asyncio.create_task(service.get_workflow_execution_history(
        request, retry=False, timeout=timedelta(seconds=PATIENCE_S)))
    await t.events(handle)  # calls of one connection arrive in order: the other one waits by now
    assert not waiting.done()
    assert await t.server.terminate() == 0
    page = await waiting
    assert not page.history.events and page.next_page_token, page


@case(alone=True, embedded=True)
async def second_server_is_refused(t: Case) -> None:
    """Two servers on one data directory would spoil it; the second says so and goes."""
    second = await asyncio.to_thread(
        t.server.run, "dev", "--data", str(t.server.data), "--port", "0"
    )
    assert second.returncode == 1, second
    told = second.stderr.lower()
    assert str(t.server.data) in told and (
        "in use" in told or "lock" in told or "another" in told
    ), second.stderr
    assert (await t.start("Short", 1)).id, "the first one goes on"


@case(alone=True)
async def port_in_use(t: Case) -> None:
    """A port that is taken: a clear message and exit code 1."""
    command = t.server.command(Path(t.server.directory) / "other")
    other = await asyncio.to_thread(t.server.run_command, command)
    assert other.returncode == 1, other
    assert "in use" in other.stderr.lower() and str(t.server.port) in other.stderr, other.stderr
    assert "ready" not in other.stdout, other.stdout


@case(alone=True, embedded=True)
async def log_can_be_read(t: Case) -> None:
    """`log dump` prints JSON, one record per line, beside the running server; `log verify` follows
    the chains."""
    async with t.worker():
        for number in range(5):
            assert await t.result(await t.start("Short", number, suffix=str(number))) == 2 * number
    dumped = await asyncio.to_thread(t.server.log, "dump")
    assert dumped.returncode == 0, dumped
    lines = [json.loads(line) for line in dumped.stdout.splitlines()]
    assert lines and all(line["record"] for line in lines), lines[:3]
    only = await asyncio.to_thread(t.server.log, "dump", "--workflow-id", t.id("3"))
    few = [json.loads(line) for line in only.stdout.splitlines()]
    assert 0 < len(few) < len(lines) and all(t.id("3") in json.dumps(line) for line in few), few
    verified = await asyncio.to_thread(t.server.log, "verify")
    assert verified.returncode == 0 and f"{len(lines)} records, 0 void" in verified.stdout, verified


@case(alone=True)
async def state_is_rebuilt(t: Case) -> None:
    """Without its state directory the server brings everything back from the log, open workflows
    too."""
    async with t.worker():
        done = await t.start("Short", 5, suffix="done")
        assert await t.result(done) == 10
        waiting = await t.start("Waiting", suffix="waiting")
        await waiting.signal("say", "one")
        await t.answers(waiting, "count", 1)
        before = [await t.events(done), await t.events(waiting)]
        assert await t.server.terminate() == 0
        t.server.forget_state()
        await t.server.start()
        after = [await t.events(done), await t.events(waiting)]
        assert before == after, "histories differ"
        await waiting.signal("say", "two")
        await waiting.signal("say", "finish")
        assert await t.result(waiting) == 2


@case(alone=True)
async def killed_in_the_middle(t: Case) -> None:
    """SIGKILL while a workflow waits, an activity retries and a timer runs; all go on."""
    async with t.worker():
        waiting = await t.start("Waiting", suffix="waiting")
        mixed = await t.start("Mixed", 2, suffix="mixed")
        await waiting.signal("say", "one")
        await t.answers(waiting, "count", 1)
        await t.server.kill()
        await t.server.start()
        await waiting.signal("say", "finish")
        assert await t.result(waiting) == 1
        await mixed.signal("say", "one")
        await mixed.signal("say", "two")
        assert (await t.result(mixed))["signals"] == ["one", "two"]
