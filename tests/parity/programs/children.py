"""Child workflows: how they begin, how they end, and what their parent learns of it."""

import grpc
from temporalio.api.enums.v1 import ParentClosePolicy, WorkflowIdReusePolicy

from ..harness.commands import (
    cancel,
    cancel_external,
    child,
    command,
    complete,
    continue_as_new,
    fail,
    marker,
    payload,
    payloads,
    seconds,
    signal_external,
    timer,
)
from ..harness.registry import program
from ..harness.session import Session

# A run starts at least a second after the previous one began: how long that is from now is the
# clock's business.
RANDOM_BACKOFF = ("0.*.first_workflow_task_backoff",)


def queue(t: Session) -> dict:
    """Children have a queue of their own, so that a poll says whose task it wants."""
    return {"name": t.id("children")}


def new_child(t: Session, name: str = "c", **attributes):
    attributes.setdefault("task_queue", queue(t))
    t.started.append((t.id(name), ""))
    return child(t.id(name), **attributes)


async def child_step(t: Session, *commands, **fields):
    task = await t.poll(t.id("children"))
    await t.complete(task, *commands, **fields)
    return task


async def parent_and_child(t: Session, start: dict | None = None, **attributes) -> str:
    """Both are running, and the parent has seen that the child is."""
    await t.start(**(start or {}))
    await t.step(new_child(t, **attributes))
    await t.event("CHILD_WORKFLOW_EXECUTION_STARTED")
    await t.step()
    return t.id("c")


def policy(name: str) -> int:
    return ParentClosePolicy.Value(f"PARENT_CLOSE_POLICY_{name}")


def reuse(name: str) -> int:
    return WorkflowIdReusePolicy.Value(f"WORKFLOW_ID_REUSE_POLICY_{name}")


# ---- one child, from beginning to end ----


@program
async def child_completes(t: Session):
    wid = await parent_and_child(t)
    await t.describe("parent")
    t.value("first task", await t.poll(t.id("children")), mask=("history.events.*.request_id",))
    await t.describe("child", wid)
    await t.terminate(wid)
    await t.event("CHILD_WORKFLOW_EXECUTION_TERMINATED")
    await t.step(complete("seen"))
    await t.history()
    await t.history("child history", wid)


@program
async def child_with_every_attribute(t: Session):
    await t.start(priority={"priority_key": 2, "fairness_key": "parent", "fairness_weight": 3})
    await t.step(
        new_child(
            t,
            input=payloads("in", 1),
            header={"fields": {"h": payload("header")}},
            memo={"fields": {"m": payload("memo"), "nothing": payload(None)}},
            control="control",
            workflow_execution_timeout=seconds(100),
            workflow_run_timeout=seconds(200),
            workflow_task_timeout=seconds(130),
            retry_policy={"maximum_attempts": 3},
            priority={"priority_key": 1},
            workflow_id_reuse_policy=reuse("REJECT_DUPLICATE"),
            parent_close_policy=policy("REQUEST_CANCEL"),
        ),
        force_create_new_workflow_task=False,
    )
    await t.event("CHILD_WORKFLOW_EXECUTION_STARTED")
    await t.step()
    await child_step(t, complete("out", 2))
    await t.event("CHILD_WORKFLOW_EXECUTION_COMPLETED")
    await t.history()
    await t.history("child history", t.id("c"))
    await t.describe("parent")
    await t.describe("child", t.id("c"))


@program
async def child_with_metadata(t: Session):
    await t.start()
    made = new_child(t)
    made.user_metadata.summary.CopyFrom(payload("summary"))
    made.user_metadata.details.CopyFrom(payload("details"))
    await t.step(made)
    await t.event("CHILD_WORKFLOW_EXECUTION_STARTED")
    await t.history()
    await t.history("child history", t.id("c"))
    await t.describe("child", t.id("c"))


@program
async def child_on_the_parents_queue(t: Session):
    await t.start(workflow_run_timeout=seconds(300), workflow_task_timeout=seconds(20))
    await t.step(new_child(t, task_queue=None))
    await t.event("CHILD_WORKFLOW_EXECUTION_STARTED")
    await t.event("WORKFLOW_TASK_SCHEDULED", t.id("c"))
    await t.history()
    await t.history("child history", t.id("c"))


@program
async def child_fails(t: Session):
    wid = await parent_and_child(t)
    await child_step(t, fail("child failed", type_name="T"))
    await t.event("CHILD_WORKFLOW_EXECUTION_FAILED")
    await t.step(complete())
    await t.history()
    await t.history("child history", wid)


@program
async def child_canceled_by_a_client(t: Session):
    wid = await parent_and_child(t)
    await child_step(t, timer("t", 3600))
    await t.request_cancel(wid, reason="client")
    await child_step(t, cancel("details"))
    await t.event("CHILD_WORKFLOW_EXECUTION_CANCELED")
    await t.history()


@program
async def child_times_out(t: Session):
    wid = await parent_and_child(t, workflow_run_timeout=seconds(1))
    await t.event("CHILD_WORKFLOW_EXECUTION_TIMED_OUT")
    await t.history()
    await t.history("child history", wid)


@program
async def child_execution_times_out(t: Session):
    await parent_and_child(t, workflow_execution_timeout=seconds(1))
    await t.event("CHILD_WORKFLOW_EXECUTION_TIMED_OUT")
    await t.history()


@program
async def child_retried(t: Session):
    wid = await parent_and_child(
        t, retry_policy={"maximum_attempts": 2, "initial_interval": seconds(1)}
    )
    await child_step(t, fail("first", type_name="T"))
    await t.describe("between", wid)
    await child_step(t, fail("second", type_name="T"))
    await t.event("CHILD_WORKFLOW_EXECUTION_FAILED")
    await t.history()
    await t.history("last run", wid, mask=RANDOM_BACKOFF)
    await t.describe("child", wid)


@program
async def child_continues_as_new(t: Session):
    wid = await parent_and_child(t, memo={"fields": {"m": payload(1)}})
    await child_step(t, continue_as_new(t.id("children"), "C", input=payloads("next")))
    t.value("next task", await t.poll(t.id("children")), mask=(
        "history.events.0.*.first_workflow_task_backoff", "history.events.*.request_id"))
    await t.describe("second run", wid)
    await t.describe("parent")
    await t.terminate(wid, reason="enough")
    await t.event("CHILD_WORKFLOW_EXECUTION_TERMINATED")
    await t.history()
    await t.history("last run", wid, mask=RANDOM_BACKOFF)


@program
async def child_with_cron(t: Session):
    wid = await parent_and_child(t, cron_schedule="@every 1s")
    await child_step(t, complete("first"))
    await child_step(t, complete("second"))
    await t.terminate(wid)
    await t.event("CHILD_WORKFLOW_EXECUTION_TERMINATED")
    await t.history()


@program
async def child_waits_for_its_cron(t: Session):
    wid = await parent_and_child(t, cron_schedule="0 0 1 1 *")
    await t.describe("child", wid, mask=("*.execution_time",))
    await t.signal("s", wid=wid)
    await t.request_cancel(wid)
    await t.event("WORKFLOW_TASK_SCHEDULED", wid)
    await t.history("child history", wid, mask=RANDOM_BACKOFF)


@program
async def grandchild(t: Session):
    await parent_and_child(t)
    await child_step(t, new_child(t, "g", task_queue={"name": t.id("grand")}))
    await t.event("CHILD_WORKFLOW_EXECUTION_STARTED", t.id("c"))
    await child_step(t)
    await t.describe("parent")
    await t.describe("child", t.id("c"))
    await t.describe("grandchild", t.id("g"))
    task = await t.poll(t.id("grand"))
    await t.complete(task, continue_as_new(t.id("grand"), "G"))
    task = await t.poll(t.id("grand"))
    await t.describe("second run", t.id("g"))
    await t.complete(task, complete("deep"))
    await child_step(t, complete("deeper"))
    await t.event("CHILD_WORKFLOW_EXECUTION_COMPLETED")
    await t.history()
    await t.history("child history", t.id("c"))
    await t.history("grandchild history", t.id("g"), mask=RANDOM_BACKOFF)


@program
async def terminating_goes_down_the_tree(t: Session):
    await parent_and_child(t)
    await child_step(t, new_child(t, "g", task_queue={"name": t.id("grand")}))
    await t.event("CHILD_WORKFLOW_EXECUTION_STARTED", t.id("c"))
    await t.terminate(reason="root")
    await t.closed(t.id("g"))
    await t.history()
    await t.history("child history", t.id("c"))
    await t.history("grandchild history", t.id("g"))


@program
async def same_child_again(t: Session):
    await parent_and_child(t)
    await child_step(t, complete(1))
    await t.event("CHILD_WORKFLOW_EXECUTION_COMPLETED")
    await t.step(timer("second", 1.5))  # a workflow ID is not used twice within a second
    await t.event("TIMER_FIRED")
    await t.step(new_child(t))
    await t.event("CHILD_WORKFLOW_EXECUTION_STARTED", count=2)
    await t.step()
    await child_step(t, complete(2))
    await t.event("CHILD_WORKFLOW_EXECUTION_COMPLETED", count=2)
    await t.history()


# ---- it cannot be started ----


@program
async def child_exists_already(t: Session):
    await t.start(t.id("c"), task_queue=queue(t))
    await t.start()
    await t.step(new_child(t, control="control"))
    await t.event("START_CHILD_WORKFLOW_EXECUTION_FAILED")
    await t.describe("parent")
    await t.step(complete())
    await t.history()
    await t.describe("the other", t.id("c"))


@program
async def child_twice_in_one_task(t: Session):
    await t.start()
    await t.step(new_child(t), new_child(t))
    await t.event("START_CHILD_WORKFLOW_EXECUTION_FAILED")
    await t.event("CHILD_WORKFLOW_EXECUTION_STARTED")
    types = sorted(event.event_type for event in await t.events())
    t.value("types", [type for type in types if type not in (5, 6, 7)])


@program
async def child_with_the_parents_id(t: Session):
    await t.start()
    await t.step(child(t.wid, task_queue=queue(t)))
    await t.event("START_CHILD_WORKFLOW_EXECUTION_FAILED")
    await t.history()


@program
async def child_reuse_policies(t: Session):
    await t.start(t.id("c"), task_queue=queue(t))
    await child_step(t, complete())
    await t.start()
    await t.step(new_child(t, workflow_id_reuse_policy=reuse("REJECT_DUPLICATE")))
    await t.event("START_CHILD_WORKFLOW_EXECUTION_FAILED")
    await t.step(new_child(t, workflow_id_reuse_policy=reuse("ALLOW_DUPLICATE_FAILED_ONLY")))
    await t.event("START_CHILD_WORKFLOW_EXECUTION_FAILED", count=2)
    await t.step(new_child(t, workflow_id_reuse_policy=reuse("ALLOW_DUPLICATE")))
    await t.event("CHILD_WORKFLOW_EXECUTION_STARTED")
    await t.history()


@program
async def child_terminates_another(t: Session):
    run = await t.start(t.id("c"), task_queue=queue(t))
    await t.start()
    await t.step(timer("second", 1.5))  # a workflow ID is not used twice within a second
    await t.event("TIMER_FIRED")
    await t.step(new_child(t, workflow_id_reuse_policy=reuse("TERMINATE_IF_RUNNING")))
    await t.event("CHILD_WORKFLOW_EXECUTION_STARTED")
    await t.history()
    await t.history("the other", t.id("c"), run)


async def failing(t: Session, name: str, *commands) -> None:
    """A workflow of its own whose first task fails by these commands."""
    await t.start(t.id(name), task_queue={"name": t.id(name)})
    task = await t.poll(t.id(name))
    await t.error(name, t.complete(task, *commands))
    await t.history(f"{name} history", t.id(name))


@program
async def bad_child_attributes(t: Session):
    await failing(t, "no-id", child(""))
    await failing(t, "no-type", child("x", ""))
    await failing(t, "long-id", child("x" * 1001))
    await failing(t, "long-type", child("x", "y" * 1001))
    await failing(t, "execution", child("x", workflow_execution_timeout=seconds(-1)))
    await failing(t, "run", child("x", workflow_run_timeout=seconds(-1)))
    await failing(t, "task", child("x", workflow_task_timeout=seconds(-1)))
    await failing(t, "retry", child("x", retry_policy={"maximum_attempts": -1}))
    await failing(t, "coefficient", child("x", retry_policy={"backoff_coefficient": 0.5}))


@program
async def bad_child_attributes_of_other_kinds(t: Session):
    await failing(t, "cron", child("x", cron_schedule="never"))
    await failing(t, "priority", child("x", priority={"priority_key": -1}))
    await failing(t, "long-queue", child("x", task_queue={"name": "q" * 1001}))
    await failing(t, "reserved-queue", child("x", task_queue={"name": "/_sys/q/1"}))
    await failing(t, "queue-of-the-server", child("x", task_queue={
        "name": "temporal-sys-per-ns-tq"}))
    await failing(t, "attribute", child("x", search_attributes={
        "indexed_fields": {"Unknown": payload("x")}}))


async def another_namespace(t: Session) -> str:
    """Registered, and known to all parts of the server."""
    name = t.id("ns")
    await t.rpc.RegisterNamespace(
        namespace=name, workflow_execution_retention_period=seconds(86400)
    )

    async def known():
        try:
            return await t.rpc.StartWorkflowExecution(
                namespace=name,
                workflow_id="w",
                workflow_type={"name": "W"},
                task_queue={"name": t.tq},
                request_id="r",
            )
        except grpc.aio.AioRpcError as failed:
            if failed.code() != grpc.StatusCode.NOT_FOUND:
                raise
            return None

    await t.until(known, "namespace", 30)
    return name


@program
async def commands_across_namespaces(t: Session):
    name = await another_namespace(t)
    await failing(t, "child", child("x", namespace=name))
    await failing(t, "signal", signal_external("x", namespace=name))
    await failing(t, "cancel", cancel_external("x", namespace=name))


@program
async def child_of_an_unknown_namespace(t: Session):
    await t.start()
    task = await t.poll()
    await t.error("child", t.complete(task, marker("m"), child("x", namespace="nowhere")))
    await t.error("signal", t.complete(task, signal_external("x", namespace="nowhere")))
    await t.error("cancel", t.complete(task, cancel_external("x", namespace="nowhere")))
    await t.complete(task, complete())
    await t.history()


@program
async def child_with_too_much_input(t: Session):
    await failing(t, "input", child("x", input=payloads("x" * (2 << 20))))
    await failing(t, "memo", child("x", memo={"fields": {"m": payload("x" * (2 << 20))}}))


@program
async def children_after_a_bad_one(t: Session):
    await t.start()
    task = await t.poll()
    await t.error("refused", t.complete(task, new_child(t), timer("", 1)))
    await t.error("none", t.rpc.DescribeWorkflowExecution(execution=t.execution(t.id("c"))))
    await t.step(new_child(t))
    await t.event("CHILD_WORKFLOW_EXECUTION_STARTED")
    await t.history()


# ---- while a workflow task runs ----


@program
async def child_starts_and_ends_unseen(t: Session):
    await t.start()
    task = await t.poll()
    answer = await t.complete(
        task, new_child(t), force_create_new_workflow_task=True, return_new_workflow_task=True
    )
    await child_step(t, complete("quick"))
    await t.signal("s")
    await t.until(lambda: no_child_pending(t), "the child's end is buffered")
    await t.describe("buffered")
    await t.complete(answer.workflow_task, timer("t", 3600))
    await t.event("CHILD_WORKFLOW_EXECUTION_COMPLETED")
    await t.history()


async def no_child_pending(t: Session) -> bool:
    described = await t.rpc.DescribeWorkflowExecution(execution=t.execution())
    return not described.pending_children


@program
async def child_start_fails_unseen(t: Session):
    await t.start(t.id("c"), task_queue=queue(t))
    await t.start()
    task = await t.poll()
    answer = await t.complete(
        task, new_child(t), force_create_new_workflow_task=True, return_new_workflow_task=True
    )
    await t.until(lambda: no_child_pending(t), "the failure is buffered")
    await t.error("close", t.complete(answer.workflow_task, complete()))
    await t.step(complete())
    await t.history()


@program
async def results_of_children_come_last(t: Session):
    await parent_and_child(t)
    await t.signal("wakes")
    task = await t.poll()
    await child_step(t, complete("r"))
    await t.until(lambda: no_child_pending(t), "the child's end is buffered")
    await t.signal("after")
    await t.error("close", t.complete(task, complete()))
    await t.history()


@program
async def commands_without_attributes(t: Session):
    await failing(t, "signal", command("SIGNAL_EXTERNAL_WORKFLOW_EXECUTION"))
    await failing(t, "cancel", command("REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION"))
