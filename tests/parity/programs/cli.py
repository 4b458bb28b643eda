"""The `temporal` command line as a client. Its own formatting is not compared, only its exit code
and JSON."""

import asyncio
import json
import sys
from pathlib import Path

from ..harness.commands import complete, payloads, timer
from ..harness.registry import program
from ..harness.session import Session

# What the command line prints of times, durations, ids and sizes.
VOLATILE = {
    "eventTime",
    "taskId",
    "historySizeBytes",
    "requestId",
    "startTime",
    "closeTime",
    "executionTime",
    "runExpirationTime",
    "originalStartTime",
    "executionDuration",
    "stateTransitionCount",
    "createTime",
    "scheduledTime",
    "originalScheduledTime",
    "startedTime",
    "versioningInfo",
    "workflowTaskStartedTime",
}


def tidy(value):
    if isinstance(value, dict):
        return {
            "$request-id" if key.count("-") == 4 else key: (
                "$volatile" if key in VOLATILE else tidy(item)
            )
            for key, item in value.items()
        }
    return [tidy(item) for item in value] if isinstance(value, list) else value


async def temporal(t: Session, *arguments: str, json_output: bool = True):
    """Runs one command; returns exit code and output (parsed where it is JSON)."""
    output = ("--output", "json", "--time-format", "raw") if json_output else ()
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "temporal"), *arguments, *output,
        "--address", t.address, "--client-connect-timeout", "10s", "--disable-config-file",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    text = out.decode()
    try:
        # `identity` holds host and process.
        parsed = tidy(json.loads(text)) if text else None
    except json.JSONDecodeError:
        parsed = text
    return {"exit": process.returncode, "output": parsed, "error": err.decode()[:2000]}


def workflow_options(t: Session, wid: str = ""):
    return ("--workflow-id", wid or t.wid)


@program
async def cli_start_show_describe(t: Session):
    started = await temporal(
        t,
        "workflow",
        "start",
        "--type",
        "W",
        "--task-queue",
        t.tq,
        *workflow_options(t),
        "--input",
        '{"n": 1}',
        "--memo",
        'm="memo"',
        "--run-timeout",
        "100s",
        "--identity",
        "cli",
    )
    t.started.append((t.wid, ""))
    t.value("start", started["exit"])
    t.value(
        "started",
        {
            key: started["output"].get(key)
            for key in ("workflowId", "type", "namespace", "taskQueue")
        },
    )
    await t.step(timer("t", 3600))
    t.value("show", await temporal(t, "workflow", "show", *workflow_options(t)))
    described = await temporal(t, "workflow", "describe", *workflow_options(t))
    t.value("describe", described)
    again = await temporal(
        t, "workflow", "start", "--type", "W", "--task-queue", t.tq, *workflow_options(t)
    )
    t.value("start again", again["exit"])
    t.value("start again says", "already running" in again["error"])


@program
async def cli_signal_query_cancel_terminate(t: Session):
    await t.start()
    await t.step(timer("t", 3600))
    signalled = await temporal(
        t,
        "workflow",
        "signal",
        *workflow_options(t),
        "--name",
        "s",
        "--input",
        '"in"',
        "--identity",
        "cli",
    )
    t.value("signal", signalled["exit"])
    await t.step()
    asking = asyncio.create_task(
        temporal(t, "workflow", "query", *workflow_options(t), "--type", "q")
    )
    task = await t.poll()
    t.value("query task", task.query)
    await t.rpc.RespondQueryTaskCompleted(
        task_token=task.task_token, completed_type=1, query_result=payloads("state")
    )
    t.value("query", await asking)
    t.value(
        "cancel",
        (await temporal(t, "workflow", "cancel", *workflow_options(t), "--identity", "cli"))[
            "exit"
        ],
    )
    await t.step()
    terminated = await temporal(
        t, "workflow", "terminate", *workflow_options(t), "--reason", "enough", "--identity", "cli"
    )
    t.value("terminate", terminated["exit"])
    await t.history()


@program
async def cli_execute_and_result(t: Session):
    executing = asyncio.create_task(
        temporal(
            t,
            "workflow",
            "execute",
            "--type",
            "W",
            "--task-queue",
            t.tq,
            *workflow_options(t),
            "--input",
            "1",
            "--identity",
            "cli",
        )
    )
    await t.step(complete({"answer": 42}))
    executed = await executing
    t.value("execute", executed["exit"])
    t.value(
        "executed", {key: executed["output"].get(key) for key in ("workflowId", "status", "result")}
    )
    result = await temporal(t, "workflow", "result", *workflow_options(t))
    t.value(
        "result", [result["exit"], result["output"].get("result"), result["output"].get("status")]
    )
    wid = t.id("terminated")
    await t.start(wid)
    await t.terminate(wid, reason="r")
    failed = await temporal(t, "workflow", "result", *workflow_options(t, wid))
    t.value("result of a terminated one", failed["exit"])


@program
async def cli_namespace_and_cluster(t: Session):
    t.value("health", await temporal(t, "operator", "cluster", "health", json_output=False))
    described = await temporal(t, "operator", "namespace", "describe", "--namespace", "default")
    t.value("namespace", described["exit"])
    t.value("name", described["output"]["namespaceInfo"]["name"])
    created = await temporal(
        t, "operator", "namespace", "create", "--retention", "48h", "--namespace", t.id("ns")
    )
    t.value("create", created["exit"])
    described = await temporal(t, "task-queue", "describe", "--task-queue", t.tq)
    t.value("task queue", described["exit"])
