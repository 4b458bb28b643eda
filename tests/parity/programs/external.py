"""Signals and cancel requests from one workflow to another."""

from ..harness.commands import (
    cancel,
    cancel_external,
    complete,
    payload,
    payloads,
    seconds,
    signal_external,
    timer,
)
from ..harness.registry import program
from ..harness.session import Session
from .children import child_step, failing, new_child, parent_and_child, queue

OTHER_RUN = "01234567-89ab-4def-8123-456789abcdef"


async def other(t: Session, name: str = "other") -> str:
    """A workflow that is nobody's child."""
    return await t.start(t.id(name), task_queue=queue(t))


# ---- signals ----


@program
async def signal_another(t: Session):
    await other(t)
    await t.start()
    made = signal_external(
        t.id("other"),
        "name",
        input=payloads("in"),
        header={"fields": {"h": payload("header")}},
        control="control",
    )
    made.user_metadata.summary.CopyFrom(payload("summary"))
    await t.step(made)
    await t.event("EXTERNAL_WORKFLOW_EXECUTION_SIGNALED")
    await t.step(complete())
    await t.history()
    await t.history("other", t.id("other"))
    await t.describe("described", t.id("other"))


@program
async def signal_a_run(t: Session):
    run = await other(t)
    await t.start()
    await t.step(signal_external(t.id("other"), run=run, namespace="default"))
    await t.event("EXTERNAL_WORKFLOW_EXECUTION_SIGNALED")
    await t.history()
    await t.history("other", t.id("other"))


@program
async def signal_nobody(t: Session):
    await t.start()
    await t.step(signal_external(t.id("nobody"), control="control"))
    await t.event("SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED")
    await t.history()


@program
async def signal_an_unknown_run(t: Session):
    await other(t)
    await t.start()
    await t.step(signal_external(t.id("other"), run=OTHER_RUN))
    await t.event("SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED")
    await t.history()


@program
async def signal_a_closed_one(t: Session):
    await other(t)
    await t.terminate(t.id("other"))
    await t.start()
    await t.step(signal_external(t.id("other")))
    await t.event("SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED")
    await t.history()


@program
async def signal_itself(t: Session):
    await t.start()
    await t.step(signal_external(t.wid))
    await t.event("SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED")
    await t.history()


@program
async def signal_a_child(t: Session):
    wid = await parent_and_child(t)
    await t.signal("wake")
    await t.step(signal_external(wid, child_workflow_only=True))
    await t.event("EXTERNAL_WORKFLOW_EXECUTION_SIGNALED")
    await t.history()
    await t.history("child history", wid)


@program
async def signal_no_child_of_its_own(t: Session):
    await other(t)
    await t.start()
    await t.step(signal_external(t.id("other"), child_workflow_only=True))
    await t.event("SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED")
    await t.history()
    await t.history("other", t.id("other"))


@program
async def signal_the_parent(t: Session):
    await parent_and_child(t)
    await child_step(t, signal_external(t.wid, "from the child"))
    await t.event("EXTERNAL_WORKFLOW_EXECUTION_SIGNALED", t.id("c"))
    await t.history()
    await t.history("child history", t.id("c"))


@program
async def signals_while_tasks_run(t: Session):
    """Both sides buffer: the signal there, the answer here."""
    await other(t)
    theirs = await t.poll(t.id("children"))
    await t.start()
    answer = await t.complete(
        await t.poll(),
        signal_external(t.id("other"), "one"),
        force_create_new_workflow_task=True,
        return_new_workflow_task=True,
    )
    await t.signal("outside")
    await t.complete(answer.workflow_task, timer("t", 3600))
    await t.event("EXTERNAL_WORKFLOW_EXECUTION_SIGNALED")
    await t.complete(theirs, timer("t", 3600))
    await t.event("WORKFLOW_EXECUTION_SIGNALED", t.id("other"))
    await t.history("other", t.id("other"))


@program
async def signal_to_one_that_waits(t: Session):
    await t.start(t.id("other"), task_queue=queue(t), workflow_start_delay=seconds(3600))
    await t.start()
    await t.step(signal_external(t.id("other")))
    await t.event("EXTERNAL_WORKFLOW_EXECUTION_SIGNALED")
    await t.history("other", t.id("other"))


@program
async def signals_in_order(t: Session):
    await other(t)
    await t.start()
    await t.step(*(signal_external(t.id("other"), f"s{number}") for number in range(20)))
    await t.event("WORKFLOW_EXECUTION_SIGNALED", t.id("other"), count=20)
    names = {
        event.workflow_execution_signaled_event_attributes.signal_name
        for event in await t.events(t.id("other"))
        if event.HasField("workflow_execution_signaled_event_attributes")
    }
    t.value("names", sorted(names))


@program
async def bad_external_signals(t: Session):
    await failing(t, "no-id", signal_external(""))
    await failing(t, "no-name", signal_external("x", ""))
    await failing(t, "long-id", signal_external("x" * 1001))
    await failing(t, "bad-run", signal_external("x", run="no-uuid"))
    await failing(t, "too-large", signal_external("x", input=payloads("x" * (2 << 20))))
    await failing(t, "no-execution", without_execution())


def without_execution():
    made = signal_external("x")
    made.signal_external_workflow_execution_command_attributes.ClearField("execution")
    return made


# ---- cancel requests ----


@program
async def cancel_another(t: Session):
    await other(t)
    await t.start()
    made = cancel_external(t.id("other"), reason="the reason", control="control")
    made.user_metadata.summary.CopyFrom(payload("summary"))
    await t.step(made)
    await t.event("EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED")
    await child_step(t, cancel())
    await t.history()
    await t.history("other", t.id("other"))


@program
async def cancel_a_run(t: Session):
    run = await other(t)
    await t.start()
    await t.step(cancel_external(t.id("other"), run, namespace="default"))
    await t.event("EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED")
    await t.history()


@program
async def cancel_nobody(t: Session):
    await t.start()
    await t.step(cancel_external(t.id("nobody"), control="control"))
    await t.event("REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED")
    await t.history()


@program
async def cancel_an_unknown_run(t: Session):
    await other(t)
    await t.start()
    await t.step(cancel_external(t.id("other"), OTHER_RUN))
    await t.event("REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED")
    await t.history()


@program
async def cancel_a_closed_one(t: Session):
    await other(t)
    await t.terminate(t.id("other"))
    await t.start()
    await t.step(cancel_external(t.id("other")))
    await t.event("EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED")
    await t.history()
    await t.history("other", t.id("other"))


@program
async def cancel_twice(t: Session):
    await other(t)
    await t.start()
    await t.step(cancel_external(t.id("other"), reason="one"))
    await t.event("EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED")
    await t.step(cancel_external(t.id("other"), reason="two"))
    await t.event("EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED", count=2)
    await t.history()
    await t.history("other", t.id("other"))


@program
async def cancel_itself(t: Session):
    await t.start()
    await t.step(cancel_external(t.wid))
    await t.event("REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED")
    await t.history()


@program
async def cancel_a_child(t: Session):
    wid = await parent_and_child(t)
    await t.signal("wake")
    await t.step(cancel_external(wid, child_workflow_only=True, reason="because"))
    await t.event("EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED")
    await t.step()
    await child_step(t, cancel("done"))
    await t.event("CHILD_WORKFLOW_EXECUTION_CANCELED")
    await t.history()
    await t.history("child history", wid)


@program
async def cancel_no_child_of_its_own(t: Session):
    await other(t)
    await t.start()
    await t.step(cancel_external(t.id("other"), child_workflow_only=True))
    await t.event("REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED")
    await t.history()
    await t.history("other", t.id("other"))


@program
async def cancel_one_that_waits(t: Session):
    await t.start(t.id("other"), task_queue=queue(t), workflow_start_delay=seconds(3600))
    await t.start()
    await t.step(cancel_external(t.id("other")))
    await t.event("WORKFLOW_TASK_SCHEDULED", t.id("other"))
    await t.history("other", t.id("other"))


@program
async def cancel_a_child_in_the_same_task(t: Session):
    await failing(t, "same", new_child(t), cancel_external(t.id("c")))


@program
async def bad_external_cancels(t: Session):
    await failing(t, "no-id", cancel_external(""))
    await failing(t, "long-id", cancel_external("x" * 1001))
    await failing(t, "bad-run", cancel_external("x", "no-uuid"))
