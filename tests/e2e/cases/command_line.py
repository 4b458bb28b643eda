"""The `temporal` command line against Perdure."""

from ..case import Case, case


@case()
async def cli_execute_and_show(t: Case) -> None:
    """execute waits for the result; show, describe and result tell of it afterwards."""
    wid = t.id()
    async with t.worker():
        done = await t.temporal_json(
            "workflow",
            "execute",
            "--type",
            "Short",
            "--task-queue",
            t.queue,
            "--workflow-id",
            wid,
            "--input",
            "21",
        )
    assert done["result"] == 42 and done["status"] == "COMPLETED", done
    shown = await t.temporal_json("workflow", "show", "--workflow-id", wid)
    assert shown["events"][-1]["eventType"] == "EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED", shown
    described = await t.temporal_json("workflow", "describe", "--workflow-id", wid)
    assert (
        described["workflowExecutionInfo"]["status"] == "WORKFLOW_EXECUTION_STATUS_COMPLETED"
    ), described
    assert (await t.temporal_json("workflow", "result", "--workflow-id", wid))["result"] == 42
    assert "WorkflowExecutionCompleted" in await t.temporal(
        "workflow", "show", "--workflow-id", wid
    )
    assert "COMPLETED" in await t.temporal("workflow", "describe", "--workflow-id", wid)


@case()
async def cli_signal_and_query(t: Case) -> None:
    """start, signal, query, and the result after a last signal."""
    wid = t.id()
    async with t.worker():
        started = await t.temporal_json(
            "workflow", "start", "--type", "Waiting", "--task-queue", t.queue, "--workflow-id", wid
        )
        assert started["workflowId"] == wid and started["runId"], started
        await t.temporal(
            "workflow", "signal", "--workflow-id", wid, "--name", "say", "--input", '"one"'
        )
        answer = await t.temporal_json("workflow", "query", "--workflow-id", wid, "--type", "count")
        assert answer["queryResult"] == [1], answer
        await t.temporal(
            "workflow", "signal", "--workflow-id", wid, "--name", "say", "--input", '"finish"'
        )
        done = await t.temporal_json("workflow", "result", "--workflow-id", wid)
    assert done["result"] == 1, done


@case()
async def cli_cancel_and_terminate(t: Case) -> None:
    """cancel is the workflow's to obey, terminate is not; a workflow that is not there is told
    of."""
    async with t.worker():
        for suffix, workflow in (("cancel", "Cancelled"), ("terminate", "Waiting")):
            await t.temporal("workflow", "start", "--type", workflow, "--task-queue", t.queue,
                             "--workflow-id", t.id(suffix))
        await t.temporal("workflow", "cancel", "--workflow-id", t.id("cancel"))
        assert (
            "cancel"
            in (
                await t.temporal("workflow", "result", "--workflow-id", t.id("cancel"), code=1)
            ).lower()
        )
    await t.temporal(
        "workflow", "terminate", "--workflow-id", t.id("terminate"), "--reason", "enough"
    )
    described = await t.temporal_json("workflow", "describe", "--workflow-id", t.id("terminate"))
    assert (
        described["workflowExecutionInfo"]["status"] == "WORKFLOW_EXECUTION_STATUS_TERMINATED"
    ), described
    missing = await t.temporal("workflow", "describe", "--workflow-id", t.id("missing"), code=1)
    assert "not found" in missing, missing
