"""Workflows that need each other: trees, a thousand children, signals and cancel requests."""

import asyncio
import random

from tests.stress.rabbit import SCENARIOS, Tree, ended

from ..case import PATIENCE_S, Case, case


def tree(t: Case, fan_out: int, depth: int) -> Tree:
    return Tree([t.client], t.id("rabbit"), t.queue, fan_out, depth, PATIENCE_S)


@case(language="python")
@case(language="go")
async def rabbit_completes(t: Case, language: str) -> None:
    """A tree of children; the root's result counts them all."""
    async with t.worker(language):
        await SCENARIOS["complete"](tree(t, 3, 2))


@case(language="python")
@case(language="go")
async def rabbit_terminated(t: Case, language: str) -> None:
    """The root is terminated while the leaves sleep a thousand years."""
    async with t.worker(language):
        await SCENARIOS["terminate"](tree(t, 3, 2))


@case(language="python")
@case(language="go")
async def rabbit_canceled(t: Case, language: str) -> None:
    """The root is canceled: all others first."""
    async with t.worker(language):
        await SCENARIOS["cancel"](tree(t, 3, 2))


@case(language="go")
async def thousand_children(t: Case, language: str) -> None:
    """One parent waits for a thousand; the history is as long as it has to be."""
    async with t.worker(language):
        await SCENARIOS["complete"](tree(t, 1000, 1))
    kinds = await t.kinds(t.client.get_workflow_handle(t.id("rabbit")))
    for kind in ("START_CHILD_WORKFLOW_EXECUTION_INITIATED", "CHILD_WORKFLOW_EXECUTION_STARTED",
                 "CHILD_WORKFLOW_EXECUTION_COMPLETED"):
        assert kinds.count(kind) == 1000, f"{kinds.count(kind)} of {kind}"


@case(language="go")
async def thousand_children_terminated(t: Case, language: str) -> None:
    """Their parent is terminated, and so are they."""
    async with t.worker(language):
        await SCENARIOS["terminate"](tree(t, 1000, 1))


async def killed_meanwhile(t: Case, scenario: str) -> None:
    """The server is killed twice while the tree grows or falls; nothing is lost or doubled."""
    chance = random.Random(scenario)

    async def kill() -> None:
        for _ in range(2):
            await asyncio.sleep(chance.uniform(0.1, 0.6))
            await t.server.kill()
            await t.server.start()

    async with t.worker("go"):
        async with asyncio.TaskGroup() as group:
            group.create_task(SCENARIOS[scenario](tree(t, 4, 3)))
            group.create_task(kill())


@case(alone=True)
async def rabbit_completes_through_kills_go(t: Case) -> None:
    """SIGKILL in the middle of a tree that completes."""
    await killed_meanwhile(t, "complete")


@case(alone=True)
async def rabbit_terminated_through_kills_go(t: Case) -> None:
    """SIGKILL in the middle of a tree that is terminated."""
    await killed_meanwhile(t, "terminate")


@case(alone=True)
async def rabbit_canceled_through_kills_go(t: Case) -> None:
    """SIGKILL in the middle of a tree that is canceled."""
    await killed_meanwhile(t, "cancel")


@case(language="python")
@case(language="go")
async def tells_another(t: Case, language: str) -> None:
    """Signals from one workflow to another, then a request to cancel."""
    async with t.worker(language):
        waiting = await t.start("Waiting", suffix="waiting")
        teller = await t.start("Teller", waiting.id, 5, suffix="teller")
        await t.result(teller)
        kinds = await t.kinds(waiting)
        assert kinds.count("WORKFLOW_EXECUTION_SIGNALED") == 5
        assert kinds.count("WORKFLOW_EXECUTION_CANCEL_REQUESTED") == 1
        await ended(waiting.terminate())  # Python's wait has ended by the cancellation


@case(alone=True)
async def tree_survives_without_state(t: Case) -> None:
    """The state directory is gone: the log alone knows who is whose child."""
    grown = tree(t, 3, 2)
    async with t.worker():
        await grown.start("sleep", "TERMINATE")
        await grown.until(grown.sleeping, grown.leaves())
    await t.server.kill()
    t.server.forget_state()
    await t.server.start()
    await t.client.get_workflow_handle(grown.root).terminate("enough")
    await grown.until(lambda wid: grown.has(wid, "TERMINATED"), grown.all())
    await grown.scan("TERMINATED")
