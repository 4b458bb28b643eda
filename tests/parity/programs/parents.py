"""What becomes of children when their parent closes."""

from ..harness.commands import (
    cancel,
    cancel_external,
    complete,
    continue_as_new,
    fail,
    seconds,
    signal_external,
    timer,
)
from ..harness.registry import program
from ..harness.session import Session
from .children import RANDOM_BACKOFF, child_step, new_child, parent_and_child, policy, queue

POLICIES = ("TERMINATE", "REQUEST_CANCEL", "ABANDON")


async def parent_of_three(t: Session, **start) -> None:
    await t.start(**start)
    await t.step(*(new_child(t, name, parent_close_policy=policy(name)) for name in POLICIES))
    await t.event("CHILD_WORKFLOW_EXECUTION_STARTED", count=3)
    for name in POLICIES:
        await t.event("WORKFLOW_TASK_SCHEDULED", t.id(name))

    async def all_seen() -> bool:
        task = await t.poll()
        started = [event for event in task.history.events if event.event_type == 31]
        if len(started) < 3:
            await t.complete(task)
            return False
        t.observing = task
        return True

    while not await all_seen():
        pass


async def after_the_parent(t: Session) -> None:
    """What the policies made of the children. The order of their events in the parent is chance."""
    await t.closed(t.id("TERMINATE"))
    await t.event("WORKFLOW_EXECUTION_CANCEL_REQUESTED", t.id("REQUEST_CANCEL"))
    for name in POLICIES:
        await t.history(name, t.id(name))


@program
async def parent_completes(t: Session):
    await parent_of_three(t)
    await t.complete(t.observing, complete())
    await after_the_parent(t)


@program
async def parent_fails(t: Session):
    await parent_of_three(t)
    await t.complete(t.observing, fail())
    await after_the_parent(t)


@program
async def parent_canceled(t: Session):
    await parent_of_three(t)
    await t.complete(t.observing)
    await t.request_cancel()
    await t.step(cancel())
    await after_the_parent(t)


@program
async def parent_terminated(t: Session):
    await parent_of_three(t)
    await t.complete(t.observing)
    await t.terminate(reason="parent")
    await after_the_parent(t)


@program
async def parent_times_out(t: Session):
    await parent_of_three(t, workflow_run_timeout=seconds(4))
    await t.complete(t.observing)
    await after_the_parent(t)


@program
async def parent_continues_as_new(t: Session):
    await parent_of_three(t)
    await t.complete(t.observing, continue_as_new(t.tq))
    await after_the_parent(t)
    await t.poll()
    await t.terminate(t.id("ABANDON"))
    await t.closed(t.id("ABANDON"))
    await t.history("next run", mask=RANDOM_BACKOFF)
    await t.describe("next run described")


@program
async def parent_retried(t: Session):
    await parent_of_three(
        t, retry_policy={"maximum_attempts": 2, "initial_interval": seconds(1)}
    )
    await t.complete(t.observing, fail())
    await after_the_parent(t)
    await t.poll()
    await t.describe("second attempt")


@program
async def parent_and_a_chain(t: Session):
    """The policy means whichever run of the child is the current one."""
    wid = await parent_and_child(t)
    await child_step(t, continue_as_new(t.id("children"), "C"))
    await t.poll(t.id("children"))
    await t.terminate(reason="parent")
    await t.closed(wid)
    await t.history("second run", wid, mask=RANDOM_BACKOFF)


@program
async def parent_and_a_successor(t: Session):
    """A run of the same ID that is no child of the parent is left alone."""
    wid = await parent_and_child(t)
    await child_step(t, complete())
    await t.event("CHILD_WORKFLOW_EXECUTION_COMPLETED")
    await t.step(timer("second", 1.5))  # a workflow ID is not used twice within a second
    await t.event("TIMER_FIRED")
    await t.start(wid, task_queue=queue(t))
    await t.terminate()
    await t.describe("parent")
    await t.describe("successor", wid)


@program
async def parent_of_many(t: Session):
    await t.start()
    names = [f"c{number}" for number in range(12)]
    await t.step(*(new_child(t, name, parent_close_policy=policy(
        "REQUEST_CANCEL" if name == "c0" else "TERMINATE")) for name in names))
    await t.event("CHILD_WORKFLOW_EXECUTION_STARTED", count=12)
    for name in names:
        await t.event("WORKFLOW_TASK_SCHEDULED", t.id(name))
    await t.terminate()
    for name in names[1:]:
        await t.closed(t.id(name))
    await t.event("WORKFLOW_EXECUTION_CANCEL_REQUESTED", t.id("c0"))
    await t.history("canceled", t.id("c0"))
    await t.history("terminated", t.id("c1"))


async def closes_at_once(t: Session, name: str, *closing) -> None:
    await t.start()
    await t.step(
        new_child(t, parent_close_policy=policy(name)),
        signal_external(t.id("other")),
        cancel_external(t.id("other")),
        *closing,
    )
    await t.closed()
    await t.history()
    await t.describe()
    await t.error("child", t.rpc.DescribeWorkflowExecution(execution=t.execution(t.id("c"))))


@program
async def parent_closes_at_once(t: Session):
    await closes_at_once(t, "TERMINATE", complete())


@program
async def parent_abandons_at_once(t: Session):
    """Not even a child that is to be abandoned is started by a parent that is closed."""
    await t.start(t.id("other"), task_queue=queue(t))
    await closes_at_once(t, "ABANDON", complete())
    await t.history("other", t.id("other"))


@program
async def parent_continues_at_once(t: Session):
    run = await t.start()
    await t.step(new_child(t), continue_as_new(t.tq))
    await t.poll()
    await t.history("first run", run=run)
    await t.error("child", t.rpc.DescribeWorkflowExecution(execution=t.execution(t.id("c"))))


@program
async def abandoned_child_reports_to_nobody(t: Session):
    wid = await parent_and_child(t, parent_close_policy=policy("ABANDON"))
    await t.signal("wake")
    await t.step(complete("parent"))
    await child_step(t, complete("child"))
    await t.closed(wid)
    await t.history()
    await t.history("child history", wid)
    await t.describe("parent")
    await t.describe("child", wid)
