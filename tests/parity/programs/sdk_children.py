"""Children and other workflows, written with the unmodified Python SDK."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, ChildWorkflowError
from temporalio.workflow import ChildWorkflowCancellationType, ParentClosePolicy

from ..harness.normalise import error as plain_error
from ..harness.registry import program
from ..harness.session import Session

SECOND = timedelta(seconds=1)

WHEN_TOLD = " when told"


@workflow.defn
class Leaf:
    """Does what it is asked: "echo", "fail", "wait", "again", …; "… when told" after a signal;
    "clean-up" and "ignore-cancel" end when they were canceled and then told."""

    def __init__(self) -> None:
        self.signals: list[str] = []

    @workflow.run
    async def run(self, what: str) -> str:
        if what.endswith(WHEN_TOLD):
            await workflow.wait_condition(lambda: bool(self.signals))
            what = what.removesuffix(WHEN_TOLD)
        if what == "fail":
            raise ApplicationError("leaf failed", 1, type="LeafFailure")
        if what == "fail-once" and workflow.info().attempt == 1:
            raise ApplicationError("once", type="Once")
        if what == "again":
            workflow.continue_as_new("echo")
        if what == "signal":
            await workflow.wait_condition(lambda: bool(self.signals))
            return self.signals[0]
        if what == "wait":
            await workflow.wait_condition(lambda: False)
        if what == "clean-up":
            try:
                await workflow.wait_condition(lambda: False)
            except asyncio.CancelledError:
                await workflow.wait_condition(lambda: bool(self.signals))
                raise
        if what == "ignore-cancel":
            try:
                await workflow.wait_condition(lambda: False)
            except asyncio.CancelledError:
                await workflow.wait_condition(lambda: bool(self.signals))
                return "ignored"
        return f"{what} of {workflow.info().parent.workflow_id if workflow.info().parent else ''}"

    @workflow.signal
    def tell(self, text: str) -> None:
        self.signals.append(text)


def describe_failure(failed: BaseException) -> dict:
    """The whole chain, without IDs that servers make up."""
    found: list = []
    cause: BaseException | None = failed
    while cause is not None:
        found.append([type(cause).__name__, str(cause)])
        cause = cause.__cause__
    return {"chain": found}


@workflow.defn
class Parent:
    @workflow.run
    async def run(self, wid: str, what: str, options: dict) -> dict:
        if "retry" in options:
            options["retry_policy"] = RetryPolicy(
                initial_interval=SECOND, maximum_attempts=options.pop("retry")
            )
        if "timeout_s" in options:
            options["run_timeout"] = timedelta(seconds=options.pop("timeout_s"))
        if "reuse" in options:
            options["id_reuse_policy"] = WorkflowIDReusePolicy[options.pop("reuse")]
        try:
            return {"result": await workflow.execute_child_workflow(
                Leaf.run, what, id=wid, **options
            )}
        except (ChildWorkflowError, Exception) as failed:
            return describe_failure(failed)


@workflow.defn
class Canceling:
    """Cancels its child as soon as it runs, and tells what comes of it."""

    @workflow.run
    async def run(self, wid: str, what: str, how: str) -> dict:
        handle = await workflow.start_child_workflow(
            Leaf.run, what, id=wid, cancellation_type=ChildWorkflowCancellationType[how]
        )
        handle.cancel()
        try:
            return {"result": await handle}
        except (ChildWorkflowError, asyncio.CancelledError) as failed:
            return describe_failure(failed)


@workflow.defn
class Tree:
    @workflow.run
    async def run(self, fan_out: int, depth: int) -> int:
        if depth == 0:
            return 1
        own = workflow.info().workflow_id
        counts = await asyncio.gather(*(
            workflow.execute_child_workflow(
                Tree.run, args=[fan_out, depth - 1], id=f"{own}/{number}"
            )
            for number in range(fan_out)
        ))
        return 1 + sum(counts)


@workflow.defn
class Telling:
    @workflow.run
    async def run(self, wid: str, how: str) -> dict:
        other = workflow.get_external_workflow_handle(wid)
        try:
            if how == "signal":
                await other.signal(Leaf.tell, "from afar")
            else:
                await other.cancel()
            return {"result": "done"}
        except Exception as failed:
            return describe_failure(failed)


@workflow.defn
class SignalingItsChild:
    @workflow.run
    async def run(self, wid: str) -> str:
        handle = await workflow.start_child_workflow(Leaf.run, "signal", id=wid)
        await handle.signal(Leaf.tell, "from the parent")
        return await handle


@workflow.defn
class Leaving:
    @workflow.run
    async def run(self, wid: str, policy: str) -> None:
        await workflow.start_child_workflow(
            Leaf.run, "wait", id=wid, parent_close_policy=ParentClosePolicy[policy]
        )


WORKFLOWS = [Leaf, Parent, Canceling, Tree, Telling, SignalingItsChild, Leaving]


async def tell_leaf(t: Session, tasks: int) -> None:
    """Once the parent has completed so many workflow tasks, and the child one: where their
    histories are compared, nothing may come in the middle of a task."""
    await t.event("WORKFLOW_TASK_COMPLETED", count=tasks)
    await t.event("WORKFLOW_TASK_COMPLETED", t.id("leaf"))
    await t.client.get_workflow_handle(t.id("leaf")).signal(Leaf.tell, "go on")


async def parent(t: Session, what: str, **options) -> None:
    async with t.worker(WORKFLOWS):
        t.started.append((t.id("leaf"), ""))
        handle = await t.start_sdk(Parent.run, t.id("leaf"), what, options)
        if what.endswith(WHEN_TOLD):
            await tell_leaf(t, 2)
        t.value("told", await handle.result())


@program
async def sdk_child_result(t: Session):
    await parent(t, "echo" + WHEN_TOLD)
    await t.history()
    await t.history("leaf", t.id("leaf"))


@program
async def sdk_child_fails(t: Session):
    await parent(t, "fail" + WHEN_TOLD)
    await t.history()


@program
async def sdk_child_retried(t: Session):
    await parent(t, "fail-once", retry=2)
    await t.history("leaf", t.id("leaf"), mask=("0.*.first_workflow_task_backoff",))


@program
async def sdk_child_retries_exhausted(t: Session):
    await parent(t, "fail", retry=2)


@program
async def sdk_child_continues_as_new(t: Session):
    await parent(t, "again")


@program
async def sdk_child_times_out(t: Session):
    await parent(t, "wait", timeout_s=1.5)


@program
async def sdk_child_exists(t: Session):
    await t.start(t.id("leaf"), task_queue={"name": t.id("nobody")})
    await parent(t, "echo")
    await t.history()


@program
async def sdk_child_terminated(t: Session):
    async with t.worker(WORKFLOWS):
        handle = await t.start_sdk(Parent.run, t.id("leaf"), "wait", {})
        await t.event("CHILD_WORKFLOW_EXECUTION_STARTED")
        await t.terminate(t.id("leaf"), reason="by the test")
        t.value("told", await handle.result())


async def canceling(t: Session, how: str, what: str) -> None:
    async with t.worker(WORKFLOWS):
        t.started.append((t.id("leaf"), ""))
        handle = await t.start_sdk(Canceling.run, t.id("leaf"), what, how)
        if what != "wait":
            await tell_leaf(t, 3)
        t.value("told", await handle.result())
        await t.history()


@program
async def sdk_cancel_child_abandon(t: Session):
    await canceling(t, "ABANDON", "wait")


@program
async def sdk_cancel_child_try(t: Session):
    await canceling(t, "TRY_CANCEL", "wait")


@program
async def sdk_cancel_child_wait_completed(t: Session):
    await canceling(t, "WAIT_CANCELLATION_COMPLETED", "clean-up")


@program
async def sdk_cancel_child_wait_requested(t: Session):
    await canceling(t, "WAIT_CANCELLATION_REQUESTED", "clean-up")


@program
async def sdk_cancel_child_that_ignores_it(t: Session):
    await canceling(t, "WAIT_CANCELLATION_COMPLETED", "ignore-cancel")


@program
async def sdk_cancel_goes_to_the_child(t: Session):
    async with t.worker(WORKFLOWS):
        handle = await t.start_sdk(Parent.run, t.id("leaf"), "wait", {})
        await t.event("WORKFLOW_TASK_COMPLETED", count=2)  # the child's start is known
        await handle.cancel()
        try:
            t.value("told", await handle.result())
        except Exception as failed:
            t.value("failed", {"error": plain_error(failed)})
        last = await t.closed(t.id("leaf"))
        t.value("leaf", last.event_type)


@program
async def sdk_tree(t: Session):
    async with t.worker(WORKFLOWS):
        handle = await t.start_sdk(Tree.run, 3, 3)
        t.value("count", await handle.result())
        deep = await t.rpc.DescribeWorkflowExecution(execution=t.execution(f"{t.wid}/0/1/2"))
        t.value("root", deep.workflow_execution_info.root_execution)
        t.value("parent", deep.workflow_execution_info.parent_execution)


@program
async def sdk_signal_external(t: Session):
    async with t.worker(WORKFLOWS):
        await t.start_sdk(Leaf.run, "signal", wid=t.id("leaf"))
        handle = await t.start_sdk(Telling.run, t.id("leaf"), "signal")
        t.value("told", await handle.result())
        t.value("heard", await t.client.get_workflow_handle(t.id("leaf")).result())
        await t.history()


@program
async def sdk_cancel_external(t: Session):
    async with t.worker(WORKFLOWS):
        await t.start_sdk(Leaf.run, "ignore-cancel", wid=t.id("leaf"))
        handle = await t.start_sdk(Telling.run, t.id("leaf"), "cancel")
        t.value("told", await handle.result())
        await t.client.get_workflow_handle(t.id("leaf")).signal(Leaf.tell, "go on")
        t.value("heard", await t.client.get_workflow_handle(t.id("leaf")).result())


@program
async def sdk_external_is_nobody(t: Session):
    async with t.worker(WORKFLOWS):
        for how in ("signal", "cancel"):
            handle = await t.start_sdk(Telling.run, t.id("nobody"), how, wid=t.id(how))
            t.value(how, await handle.result())


@program
async def sdk_signal_child(t: Session):
    async with t.worker(WORKFLOWS):
        handle = await t.start_sdk(SignalingItsChild.run, t.id("leaf"))
        t.value("told", await handle.result())


@program
async def sdk_parent_close_policies(t: Session):
    async with t.worker(WORKFLOWS):
        for name in ("TERMINATE", "REQUEST_CANCEL", "ABANDON"):
            t.started.append((t.id(f"leaf-{name}"), ""))
            handle = await t.start_sdk(
                Leaving.run, t.id(f"leaf-{name}"), name, wid=t.id(f"parent-{name}")
            )
            await handle.result()
        for name in ("TERMINATE", "REQUEST_CANCEL"):
            last = await t.closed(t.id(f"leaf-{name}"))
            t.value(name, last.event_type)
        described = await t.rpc.DescribeWorkflowExecution(
            execution=t.execution(t.id("leaf-ABANDON"))
        )
        t.value("ABANDON", described.workflow_execution_info.status)
