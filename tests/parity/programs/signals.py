"""Signals and signal-with-start: deduplication, order, headers, targets that do not exist."""

import asyncio

from ..harness.commands import complete, marker, payload, payloads, seconds, timer
from ..harness.registry import program
from ..harness.session import Session
from .start import close_as, conflict, reuse, start_when_allowed

OTHER_RUN = "01234567-89ab-4def-8123-456789abcdef"


async def signal_with_start(t: Session, wid: str = "", **fields):
    fields.setdefault("workflow_type", {"name": "W"})
    fields.setdefault("task_queue", {"name": t.tq})
    fields.setdefault("signal_name", "s")
    response = await t.rpc.SignalWithStartWorkflowExecution(workflow_id=wid or t.wid, **fields)
    t.started.append((wid or t.wid, response.run_id))
    return response


@program
async def signal_with_header_and_input(t: Session):
    await t.start()
    link = {"workflow_event": {"namespace": "default", "workflow_id": "w", "run_id": "r",
                               "event_ref": {"event_id": 1, "event_type": 1}}}
    response = await t.signal(
        "named",
        "in",
        2,
        header={"fields": {"h": payload("x")}},
        identity="sender",
        request_id="one",
        links=[link],
    )
    t.value("response", response)
    t.value("task", await t.poll())
    await t.history()
    await t.describe()


@program
async def signals_before_the_first_task(t: Session):
    run = await t.start()
    await t.signal("one")
    await t.signal("two", run=run)
    t.value("task", task := await t.poll())
    await t.complete(task, complete())
    await t.history()


@program
async def signal_same_request_id(t: Session):
    await t.start()
    for _ in range(2):
        await t.signal("once", request_id="same")
    await t.signal("other", request_id="other")
    task = await t.poll()
    await t.signal("buffered", request_id="buffered")
    await t.signal("buffered", request_id="buffered")
    await t.complete(task, marker("m"))
    await t.history()
    await t.step(complete())
    await t.error("same after close", t.signal("once", request_id="same"))
    await t.error("new after close", t.signal("once", request_id="new"))


@program
async def signal_without_request_id(t: Session):
    await t.start()
    for _ in range(2):
        await t.signal("each", request_id="")
    await t.history()


@program
async def signal_targets(t: Session):
    run = await t.start()
    await t.error("unknown workflow", t.signal(wid=t.id("nobody")))
    await t.error("unknown run", t.signal(run=OTHER_RUN))
    await t.error("bad run id", t.signal(run="no-uuid"))
    await t.error("no workflow id", t.rpc.SignalWorkflowExecution(signal_name="s"))
    await t.error(
        "empty workflow id", t.rpc.SignalWorkflowExecution(workflow_execution={}, signal_name="s")
    )
    await t.error("long workflow id", t.signal(wid="x" * 1001))
    await t.error("no name", t.signal(""))
    await t.error("long name", t.signal("x" * 1001))
    await t.error("long request id", t.signal(request_id="x" * 1001))
    await t.error("unknown namespace", t.signal(namespace="nowhere"))
    await t.error("no namespace", t.signal(namespace=""))
    await t.error("too large", t.signal("big", "x" * (2 * (1 << 20) + 10)))
    await t.terminate()
    await t.error("closed", t.signal())
    await t.error("closed, by run", t.signal(run=run))
    await t.history()


@program
async def signal_and_timer_wake_one_task(t: Session):
    await t.start()
    await t.step(timer("t", 3))
    await t.signal()
    await t.event("TIMER_FIRED")
    t.value("task", await t.poll())


@program
async def signal_with_start_new(t: Session):
    response = await signal_with_start(
        t,
        request_id="one",
        input=payloads("start"),
        signal_input=payloads("signal"),
        header={"fields": {"h": payload("x")}},
        memo={"fields": {"m": payload("memo")}},
        workflow_run_timeout=seconds(100),
        retry_policy={"maximum_attempts": 2},
        identity="sender",
        user_metadata={"summary": payload("summary")},
    )
    t.value("response", response)
    t.value("same request", await signal_with_start(t, request_id="one"))
    t.value("task", await t.poll())
    await t.history()
    await t.describe()


@program
async def signal_with_start_running(t: Session):
    await t.start()
    await t.step()
    t.value("response", await signal_with_start(t, request_id="two", input=payloads("ignored"),
                                                signal_input=payloads("kept")))
    t.value("again", await signal_with_start(t, request_id="two"))
    for policy in ("USE_EXISTING", "FAIL"):
        call = signal_with_start(t, request_id=policy, workflow_id_conflict_policy=conflict(policy))
        await t.error(policy, call)
    await t.history()


@program
async def signal_with_start_terminates(t: Session):
    first = await t.start()

    async def allowed():
        try:
            return await signal_with_start(
                t, workflow_id_conflict_policy=conflict("TERMINATE_EXISTING")
            )
        except Exception as failed:
            if "Too many" not in str(failed):
                raise
            return None

    second = await t.until(allowed, "permission to start again")
    t.value("response", second)
    await t.history("first history", run=first)
    await t.history("second history", run=second.run_id)


@program
async def signal_with_start_after_close(t: Session):
    for status in ("COMPLETED", "FAILED"):
        for policy in ("ALLOW_DUPLICATE", "ALLOW_DUPLICATE_FAILED_ONLY", "REJECT_DUPLICATE"):
            wid = t.id(f"{status}-{policy}")
            await close_as(t, status, wid)

            async def attempt(wid=wid, policy=policy):
                try:
                    return await signal_with_start(t, wid, workflow_id_reuse_policy=reuse(policy))
                except Exception as failed:
                    return failed if "Too many" not in str(failed) else None

            t.value(f"{status} {policy}", await t.until(attempt, "permission to start again"))
            await t.history(f"{status} {policy}: history", wid)


@program
async def signal_with_start_bad(t: Session):
    await t.error("no name", signal_with_start(t, signal_name=""))
    await t.error("long name", signal_with_start(t, signal_name="x" * 1001))
    await t.error("no type", signal_with_start(t, workflow_type={}))
    await t.error("no queue", signal_with_start(t, task_queue={}))
    await t.error("long id", signal_with_start(t, "x" * 1001))
    await t.error("no id", t.rpc.SignalWithStartWorkflowExecution(
        workflow_type={"name": "W"}, task_queue={"name": t.tq}, signal_name="s"))
    await t.error("cron and delay", signal_with_start(
        t, cron_schedule="* * * * *", workflow_start_delay=seconds(5)))
    await t.error("bad cron", signal_with_start(t, cron_schedule="never"))
    await t.error("terminate and reject", signal_with_start(
        t, workflow_id_reuse_policy=reuse("REJECT_DUPLICATE"),
        workflow_id_conflict_policy=conflict("TERMINATE_EXISTING")))
    await t.error("big input", signal_with_start(t, input=payloads("x" * (2 * (1 << 20) + 10))))
    await t.error(
        "big signal", signal_with_start(t, signal_input=payloads("x" * (2 * (1 << 20) + 10)))
    )
    await t.error("nothing was started", t.events())


@program
async def signal_to_the_next_run(t: Session):
    """Without a run id the signal goes to the current run."""
    await close_as(t, "COMPLETED", t.wid)
    run = (await start_when_allowed(t)).run_id
    await t.signal("current")
    await t.history(run=run)


@program(timeout_s=120, slow=True)
async def too_many_signals(t: Session):
    """10,000 per run."""
    await t.start()
    for _ in range(200):
        await asyncio.gather(*(t.signal(request_id="") for _ in range(50)))
    await t.error("one too many", t.signal())
