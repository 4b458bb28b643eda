"""How workflows end: complete, fail, cancel, terminate, continue-as-new, retry, timeouts, cron."""

from ..harness.commands import (
    activity,
    cancel,
    command,
    complete,
    continue_as_new,
    fail,
    failure,
    keyword,
    marker,
    modify_memo,
    payload,
    payloads,
    seconds,
    timer,
    upsert,
)
from ..harness.registry import program
from ..harness.session import Session

OTHER_RUN = "01234567-89ab-4def-8123-456789abcdef"
# A run starts at least a second after the previous one began: how long that is from now is the
# clock's business.
RANDOM_BACKOFF = ("0.*.first_workflow_task_backoff",)
RANDOM_BACKOFF_IN_TASK = ("history.events.0.*.first_workflow_task_backoff",)


@program
async def workflow_fails(t: Session):
    await t.start()
    cause = failure("the cause", "C", non_retryable=True, details=payloads("d"))
    failed = failure("failed", "T", details=payloads(1), next_retry_delay=seconds(5), category=1)
    failed.cause.CopyFrom(cause)
    failed.stack_trace = "line 1"
    await t.step(command("FAIL_WORKFLOW_EXECUTION", {"failure": failed}))
    await t.history()
    await t.describe()


@program
async def workflow_canceled(t: Session):
    await t.start()
    await t.step(timer("t", 3600))
    response = await t.request_cancel(reason="the reason", identity="canceller", request_id="one")
    t.value("response", response)
    await t.describe("cancel requested")
    await t.request_cancel(reason="again", request_id="two")
    await t.request_cancel(reason="same", request_id="one")
    await t.step(cancel("canceled", 1))
    await t.history()
    await t.describe()
    t.value("request when closed", await t.request_cancel())


@program
async def cancel_ignored(t: Session):
    await t.start()
    await t.request_cancel()
    await t.step(complete("anyway"))
    await t.history()


@program
async def request_cancel_during_a_task(t: Session):
    await t.start()
    task = await t.poll()
    await t.request_cancel(reason="buffered", request_id="one")
    await t.error("twice while buffered", t.request_cancel(reason="again", request_id="two"))
    await t.complete(task, marker("m"))
    await t.step(cancel())
    await t.history()


@program
async def request_cancel_targets(t: Session):
    run = await t.start()
    await t.error("unknown workflow", t.request_cancel(t.id("nobody")))
    await t.error("unknown run", t.request_cancel(run=OTHER_RUN))
    await t.error("bad run id", t.request_cancel(run="no-uuid"))
    await t.error("no workflow id", t.rpc.RequestCancelWorkflowExecution(workflow_execution={}))
    await t.error("no execution", t.rpc.RequestCancelWorkflowExecution())
    await t.error("other chain", t.request_cancel(first_execution_run_id=OTHER_RUN))
    await t.error("bad chain", t.request_cancel(first_execution_run_id="no-uuid"))
    await t.error("this chain", t.request_cancel(first_execution_run_id=run))
    await t.error("long request id", t.request_cancel(request_id="x" * 1001))
    await t.error("unknown namespace", t.request_cancel(namespace="nowhere"))
    await t.terminate()
    await t.error("closed, unknown run", t.request_cancel(run=OTHER_RUN))
    await t.error("closed, by run", t.request_cancel(run=run))
    await t.history()


@program
async def workflow_terminated(t: Session):
    await t.start()
    await t.step(timer("t", 3600), activity("a", t.id("nobody")))
    await t.signal()
    response = await t.terminate(
        reason="the reason", details=payloads("d", 2), identity="terminator"
    )
    t.value("response", response)
    await t.history()
    await t.describe()
    await t.error("again", t.terminate())


@program
async def terminate_during_a_task(t: Session):
    await t.start()
    task = await t.poll()
    await t.signal("buffered")
    await t.terminate()
    await t.error("completion", t.complete(task, complete()))
    await t.history()


@program
async def terminate_during_a_transient_task(t: Session):
    await t.start()
    await t.fail_task(await t.poll())
    await t.poll()
    await t.terminate()
    await t.history()


@program
async def terminate_targets(t: Session):
    run = await t.start()
    await t.error("unknown workflow", t.terminate(t.id("nobody")))
    await t.error("unknown run", t.terminate(run=OTHER_RUN))
    await t.error("bad run id", t.terminate(run="no-uuid"))
    await t.error("no execution", t.rpc.TerminateWorkflowExecution())
    await t.error("no workflow id", t.rpc.TerminateWorkflowExecution(workflow_execution={}))
    await t.error("other chain", t.terminate(first_execution_run_id=OTHER_RUN))
    await t.error("long reason", t.terminate(reason="x" * 1001))
    await t.error("unknown namespace", t.terminate(namespace="nowhere"))
    await t.error("this chain", t.terminate(first_execution_run_id=run))
    await t.history()


@program
async def continued_as_new(t: Session):
    first = await t.start(
        input=payloads("in"),
        workflow_execution_timeout=seconds(600),
        workflow_run_timeout=seconds(300),
        workflow_task_timeout=seconds(9),
        memo={"fields": {"m": payload("first")}},
        header={"fields": {"h": payload("first")}},
        search_attributes={"indexed_fields": {"BatcherUser": keyword("first")}},
        retry_policy={"maximum_attempts": 3},
        priority={"priority_key": 3},
        user_metadata={"summary": payload("summary")},
    )
    await t.step(continue_as_new(t.tq, "Second", input=payloads("next")))
    second = t.value("task of the second run", await t.poll(), mask=RANDOM_BACKOFF_IN_TASK)
    await t.history("first history", run=first)
    await t.history("second history", mask=RANDOM_BACKOFF)
    await t.describe("first describe", run=first)
    await t.describe("second describe")
    await t.complete(second, complete())
    t.value("following", await t.closed(run=first))


@program
async def continued_as_new_with_everything(t: Session):
    other = t.id("other")
    first = await t.start(
        memo={"fields": {"m": payload("first")}}, workflow_run_timeout=seconds(300)
    )
    await t.step(continue_as_new(
        other, "Second",
        workflow_run_timeout=seconds(50),
        workflow_task_timeout=seconds(5),
        backoff_start_interval=seconds(2),
        retry_policy={"maximum_attempts": 4},
        memo={"fields": {"n": payload("second")}},
        header={"fields": {"h": payload("second")}},
        search_attributes={"indexed_fields": {"BatcherUser": keyword("second")}},
        last_completion_result=payloads("last"),
        failure=failure("last failure"),
        initiator=1,
    ))
    await t.history("second history before its task")
    t.value("task", await t.poll(other))
    await t.history("first history", run=first)
    await t.describe("second describe")


@program
async def continued_as_new_keeps_changes(t: Session):
    """Upserted search attributes and memo travel on; the type and queue default to the old ones."""
    first = await t.start(memo={"fields": {"m": payload("first"), "gone": payload("x")}})
    await t.step(
        upsert(BatcherUser=keyword("changed")),
        modify_memo(m=payload("changed"), gone=payload(None)),
        force_create_new_workflow_task=True,
    )
    await t.step(continue_as_new("", ""))
    t.value("task", await t.poll(), mask=RANDOM_BACKOFF_IN_TASK)
    await t.history("first history", run=first)
    await t.history("second history", mask=RANDOM_BACKOFF)
    await t.describe("second describe")


@program
async def continued_as_new_chain(t: Session):
    """Three runs; by the first run's id in first_execution_run_id the whole chain is meant."""
    first = await t.start()
    await t.step(continue_as_new(t.tq))
    await t.step(continue_as_new(t.tq))
    task = await t.poll()
    await t.signal("to the last")
    await t.complete(task)
    await t.history("last", mask=RANDOM_BACKOFF)
    await t.error("cancel the chain", t.request_cancel(first_execution_run_id=first))
    await t.error("signal the first run", t.signal(run=first))
    await t.error("terminate the chain", t.terminate(first_execution_run_id=first))


@program
async def continued_as_new_with_pending_things(t: Session):
    first = await t.start()
    await t.step(activity("a", t.id("nobody")), timer("t", 60), force_create_new_workflow_task=True)
    await t.step(continue_as_new(t.tq))
    t.value("task", await t.poll(), mask=RANDOM_BACKOFF_IN_TASK)
    await t.history("first history", run=first)


@program
async def memo_and_search_attributes_change(t: Session):
    await t.start(
        memo={"fields": {"keep": payload(1), "change": payload(1), "drop": payload(1)}},
        search_attributes={"indexed_fields": {"BatcherUser": keyword("first")}},
    )
    await t.step(
        modify_memo(change=payload(2), drop=payload(None), new=payload(2)),
        upsert(
            BatcherUser=keyword("second"), TemporalChangeVersion=keyword(["a-1"], "KeywordList")
        ),
        force_create_new_workflow_task=True,
    )
    await t.describe("changed")
    await t.step(
        upsert(BatcherUser=payload(None)),
        modify_memo(new={"metadata": {"encoding": b"binary/null"}}),
        force_create_new_workflow_task=True,
    )
    await t.step(
        upsert(
            BatcherUser={"metadata": {"encoding": b"binary/null"}},
            TemporalChangeVersion=payload([]),
        )
    )
    await t.history()
    await t.describe("at the end")


@program
async def workflow_retried(t: Session):
    first = await t.start(
        input=payloads("in"),
        retry_policy={"initial_interval": seconds(4), "maximum_attempts": 2},
        workflow_execution_timeout=seconds(100),
        memo={"fields": {"m": payload(1)}},
        header={"fields": {"h": payload(1)}},
    )
    await t.step(fail("first", details=payloads("d")))
    t.value("in backoff", await t.events(), mask=RANDOM_BACKOFF)
    await t.describe("described in backoff")
    t.value("second task", task := await t.poll())
    await t.complete(task, fail("second"))
    await t.history("first history", run=first)
    await t.history("second history")
    t.value("close event of the first, following", await t.closed(run=first))


@program
async def workflow_retried_then_completes(t: Session):
    first = await t.start(retry_policy={"initial_interval": seconds(1)})
    await t.step(fail("first"))
    await t.step(complete("at last"))
    await t.history("first history", run=first)
    await t.history("second history")


@program
async def workflow_not_retried(t: Session):
    """By flag, by type, without time left; cancel and terminate end the chain."""
    policy = {"initial_interval": seconds(1), "non_retryable_error_types": ["Fatal"]}
    cases = {
        "flag": (fail("x", non_retryable=True), {}),
        "type": (fail("x", type_name="Fatal"), {}),
        "no time": (fail("x"), {"retry_policy": {"initial_interval": seconds(50)},
                                "workflow_execution_timeout": seconds(20)}),
        "one attempt": (fail("x"), {"retry_policy": {"maximum_attempts": 1}}),
        "cancel": (cancel(), {}),
        "complete": (complete(), {}),
    }
    for name, (close, options) in cases.items():
        wid, queue = t.id(name.replace(" ", "-")), t.id(f"tq-{name}")
        await t.start(wid, task_queue={"name": queue}, **{"retry_policy": policy, **options})
        if name == "cancel":
            await t.request_cancel(wid)
        await t.complete(await t.poll(queue), close)
        await t.history(name, wid)


@program
async def workflow_chooses_its_next_delay(t: Session):
    first = await t.start(retry_policy={"initial_interval": seconds(100)})
    await t.step(fail("soon", next_retry_delay=seconds(1)))
    t.value("second task", await t.poll())
    await t.history("first history", run=first)
    await t.history("second history")


@program
async def signal_in_retry_backoff(t: Session):
    """A signal during the backoff does not shorten it."""
    await t.start(retry_policy={"initial_interval": seconds(2)})
    await t.step(fail("x"))
    await t.signal("early")
    await t.history("in backoff")
    t.value("task", await t.poll())


@program
async def terminate_in_retry_backoff(t: Session):
    await t.start(retry_policy={"initial_interval": seconds(200)})
    await t.step(fail("x"))
    await t.request_cancel()
    await t.terminate()
    await t.history()
    await t.describe()


@program
async def run_timeout(t: Session):
    await t.start(workflow_run_timeout=seconds(4))
    await t.step(timer("t", 100), activity("a", t.id("nobody")))
    t.value("close", await t.closed())
    await t.history()
    await t.describe()


@program
async def run_timeout_during_a_task(t: Session):
    await t.start(workflow_run_timeout=seconds(4))
    task = await t.poll()
    await t.signal("buffered")
    await t.closed()
    await t.error("completion", t.complete(task))
    await t.history()


@program
async def run_timeout_with_retry(t: Session):
    first = await t.start(workflow_run_timeout=seconds(1), retry_policy={"maximum_attempts": 2})
    await t.event("WORKFLOW_EXECUTION_TIMED_OUT", run=first)
    await t.history("first history", run=first)
    second = (await t.events(run=first))[
        -1
    ].workflow_execution_timed_out_event_attributes.new_execution_run_id
    await t.event("WORKFLOW_EXECUTION_TIMED_OUT", run=second)
    await t.history("second history", run=second)
    await t.describe()


@program
async def execution_timeout_ends_the_chain(t: Session):
    """Not retried, though there is a retry policy."""
    await t.start(workflow_execution_timeout=seconds(4), retry_policy={"maximum_attempts": 5})
    await t.step()
    await t.closed()
    await t.history()
    await t.describe()


@program
async def execution_timeout_over_continue_as_new(t: Session):
    first = await t.start(workflow_execution_timeout=seconds(4))
    await t.step(continue_as_new(t.tq))
    await t.step()
    await t.event("WORKFLOW_EXECUTION_TIMED_OUT")
    await t.history(mask=RANDOM_BACKOFF + ("0.*.workflow_run_timeout",))
    t.value(
        "first",
        (await t.events(run=first))[-1],
        mask=("*.backoff_start_interval", "*.workflow_run_timeout"),
    )


@program
async def cron_runs(t: Session):
    """Every three seconds: completed, failed, and completed again; results and failures are
    carried."""
    first = await t.start(
        cron_schedule="@every 3s", input=payloads("in"), memo={"fields": {"m": payload(1)}}
    )
    await t.history("before the first", mask=RANDOM_BACKOFF)
    await t.step(complete("one"))
    await t.step(fail("two"))
    t.value("third task", task := await t.poll(), mask=RANDOM_BACKOFF_IN_TASK)
    await t.complete(task, complete("three"))
    run = first
    for number in ("first", "second", "third"):
        events = await t.events(run=run)
        t.value(number, events, mask=RANDOM_BACKOFF)
        attributes = events[-1].workflow_execution_completed_event_attributes
        run = attributes.new_execution_run_id or (
            events[-1].workflow_execution_failed_event_attributes.new_execution_run_id
        )
    await t.terminate()
    await t.history("fourth, terminated", run=run, mask=RANDOM_BACKOFF)


@program
async def cron_with_retry(t: Session):
    """A failing run is retried by its policy first; then the schedule goes on."""
    first = await t.start(
        cron_schedule="@every 2s",
        retry_policy={"initial_interval": seconds(1), "maximum_attempts": 2},
    )
    await t.step(fail("one"))
    await t.step(fail("two"))
    task = await t.poll()
    t.value("third task", task, mask=RANDOM_BACKOFF_IN_TASK)
    await t.complete(task, complete())
    run = first
    for number in ("first", "second", "third"):
        events = await t.events(run=run)
        t.value(number, events, mask=RANDOM_BACKOFF)
        run = events[-1].workflow_execution_failed_event_attributes.new_execution_run_id


@program
async def cron_run_times_out(t: Session):
    first = await t.start(cron_schedule="@every 1s", workflow_run_timeout=seconds(1))
    await t.event("WORKFLOW_EXECUTION_TIMED_OUT", run=first)
    await t.history("first", run=first, mask=RANDOM_BACKOFF)
    second = (await t.events(run=first))[
        -1
    ].workflow_execution_timed_out_event_attributes.new_execution_run_id
    t.value(
        "second begins", (await t.events(run=second))[0], mask=("*.first_workflow_task_backoff",)
    )


@program
async def cron_cancelled(t: Session):
    """A cancelled run ends the schedule; so does continue-as-new without it."""
    await t.start(cron_schedule="@every 1s")
    task = await t.poll()
    await t.request_cancel()
    await t.complete(task)
    await t.step(cancel())
    await t.history(mask=RANDOM_BACKOFF)


@program
async def cron_continues_as_new(t: Session):
    first = await t.start(cron_schedule="@every 2s")
    await t.step(continue_as_new(t.tq, cron_schedule="@every 2s"))
    await t.event("WORKFLOW_TASK_SCHEDULED")
    await t.history("first", run=first, mask=RANDOM_BACKOFF)
    await t.history("second", mask=RANDOM_BACKOFF)


@program
async def cron_schedules(t: Session):
    """What is accepted, what is refused; how far the first run is away (in whole units that do not
    depend on now)."""
    accepted = (
        "* * * * *",
        "0 0 1 1 *",
        "@hourly",
        "@daily",
        "@every 3h",
        "CRON_TZ=Europe/Berlin 0 12 * * *",
        "*/5 1-3,7 * * MON-FRI",
        "TZ=UTC 1 2 3 4 *",
    )
    refused = (
        "never",
        "* * * *",
        "* * * * * *",
        "61 * * * *",
        "@every",
        "@every -1s",
        "@every 0s",
        "@fortnightly",
        "CRON_TZ=Nowhere/Land * * * * *",
        "0 0 31 2 *",
        "* * * * 8",
    )
    for number, schedule in enumerate(accepted + refused):
        await t.error(schedule, t.start(t.id(f"c{number}"), cron_schedule=schedule))


@program
async def signal_with_cron_backoff(t: Session):
    """A signal-with-start during cron backoff schedules a task at once, a plain signal does not."""
    await t.start(cron_schedule="0 0 1 1 *")
    await t.signal("plain")
    await t.history("after the plain signal", mask=RANDOM_BACKOFF)
    await t.rpc.SignalWithStartWorkflowExecution(
        workflow_id=t.wid,
        workflow_type={"name": "W"},
        task_queue={"name": t.tq},
        signal_name="with",
        request_id="r",
    )
    await t.history("after signal with start", mask=RANDOM_BACKOFF)
    await t.describe()
