"""Queries: direct ones, those attached to workflow tasks, and all the ways in which they fail."""

import asyncio

from ..harness.commands import complete, failure, payload, payloads, seconds, timer
from ..harness.registry import program
from ..harness.session import Session

ANSWERED, FAILED = 1, 2


def ask(t: Session, name: str = "q", wid: str = "", run: str = "", reject: int = 0, **options):
    """A running query, as a task."""
    query = {"query_type": name, **options.pop("query", {})}
    call = t.rpc.QueryWorkflow(
        execution=t.execution(wid, run), query=query, query_reject_condition=reject, **options
    )
    return asyncio.create_task(t.wait(call))


async def answer(t: Session, task, *results, **fields):
    fields.setdefault("completed_type", ANSWERED)
    if results:
        fields["query_result"] = payloads(*results)
    return await t.rpc.RespondQueryTaskCompleted(task_token=task.task_token, **fields)


async def reached() -> None:
    """Gives a query time to reach the server and wait there, which no call can observe."""
    await asyncio.sleep(0.7)


@program
async def query_direct(t: Session):
    await t.start()
    await t.step(timer("t", 3600))
    arguments = {"query_args": payloads("in", 1), "header": {"fields": {"h": payload("x")}}}
    asked = ask(t, "state", query=arguments)
    t.value("task", task := await t.poll())
    t.value("response", await answer(t, task, "out"))
    t.value("result", await asked)
    await t.history()


@program
async def query_direct_sticky(t: Session):
    """A sticky worker gets the query without history."""
    await t.start()
    await t.complete(await t.poll(), timer("t", 3600), stick=True)
    await t.introduce_sticky()
    asked = ask(t)
    t.value("task", task := await t.poll(sticky=True))
    await answer(t, task, "out")
    t.value("result", await asked)
    await t.history()


@program
async def query_falls_back_to_the_normal_queue(t: Session):
    """The sticky worker is gone: after its timeout the query goes to the normal queue with the
    whole history."""
    await t.start()
    await t.complete(await t.poll(), timer("t", 3600), stick=True, sticky_timeout=seconds(1))
    await t.introduce_sticky()
    asked = ask(t)
    t.value("task", task := await t.poll())
    await answer(t, task, "out")
    t.value("result", await asked)
    await t.signal()
    t.value("next task", await t.poll())


@program
async def query_fails(t: Session):
    await t.start()
    await t.step(timer("t", 3600))
    asked = ask(t)
    await answer(t, await t.poll(), completed_type=FAILED, error_message="unknown query")
    await t.error("message only", asked)
    asked = ask(t)
    full = failure("query failed", "QueryFailure", details=payloads("d"))
    await answer(
        t, await t.poll(), completed_type=FAILED, error_message="text", failure=full, cause=1
    )
    await t.error("with failure", asked)
    await t.history()


@program
async def query_closed_workflow(t: Session):
    run = await t.start()
    await t.step(complete("r"))
    asked = ask(t, run=run)
    t.value("task", task := await t.poll())
    await answer(t, task, "out")
    t.value("result", await asked)
    await t.history()


@program
async def query_rejected(t: Session):
    """Reject conditions answer with the status instead of asking a worker."""
    await t.start()
    await t.step(timer("t", 3600))
    asked = ask(t, reject=2)
    await answer(t, await t.poll(), "open is fine")
    t.value("open, not open", await asked)
    await t.signal()
    await t.step(complete())
    t.value("completed, not open", await ask(t, reject=2))
    asked = ask(t, reject=3)
    await answer(t, await t.poll(), "completed is clean")
    t.value("completed, not completed cleanly", await asked)
    for name, reject in (("not open", 2), ("not completed cleanly", 3)):
        wid = t.id(f"terminated-{reject}")
        await t.start(wid, task_queue={"name": t.id("other")})
        await t.complete(await t.poll(t.id("other")))
        await t.terminate(wid)
        t.value(f"terminated, {name}", await ask(t, wid=wid, reject=reject))
    await t.history()


@program
async def query_attached_to_the_running_task(t: Session):
    """A query that finds a workflow task pending travels with it."""
    await t.start()
    await t.step()
    await t.signal()
    asked = ask(t)
    await reached()
    task = await t.poll()
    t.value("queries", [query for query in task.queries.values()])
    query_id = next(iter(task.queries))
    result = {"result_type": ANSWERED, "answer": payloads("attached")}
    t.value(
        "completion", await t.complete(task, timer("t", 3600), query_results={query_id: result})
    )
    t.value("result", await asked)
    await t.history()


@program
async def query_before_the_first_task(t: Session):
    await t.start()
    asked = ask(t)
    await reached()
    task = await t.poll()
    t.value("attached", sorted(query.query_type for query in task.queries.values()))
    results = {key: {"result_type": ANSWERED, "answer": payloads("first")} for key in task.queries}
    await t.complete(task, query_results=results)
    t.value("result", await asked)
    await t.history()


@program
async def query_while_a_task_runs(t: Session):
    """It waits for the running task and is then attached to a task of its own or asked directly."""
    await t.start()
    task = await t.poll()
    asked = ask(t)
    await reached()
    await t.complete(task, timer("t", 3600))
    next_task = await t.poll()
    t.value("next task", next_task)
    await answer(t, next_task, "after")
    t.value("result", await asked)
    await t.history()


@program
async def query_attached_fails(t: Session):
    await t.start()
    await t.step()
    await t.signal()
    asked = ask(t)
    await reached()
    task = await t.poll()
    results = {
        key: {
            "result_type": FAILED,
            "error_message": "no such query",
            "failure": failure("no", "Q"),
        }
        for key in task.queries
    }
    await t.complete(task, query_results=results)
    await t.error("result", asked)
    await t.history()


@program
async def query_attached_but_not_answered(t: Session):
    """The worker completes the task without the query's result: it is asked again, directly."""
    await t.start()
    await t.step()
    await t.signal()
    asked = ask(t)
    await reached()
    task = await t.poll()
    await t.complete(task, timer("t", 3600))
    again = await t.poll()
    t.value("again", again)
    await answer(t, again, "directly")
    t.value("result", await asked)
    await t.history()


@program
async def query_attached_to_the_closing_task(t: Session):
    await t.start()
    await t.step()
    await t.signal()
    asked = ask(t)
    await reached()
    task = await t.poll()
    results = {
        key: {"result_type": ANSWERED, "answer": payloads("at the end")} for key in task.queries
    }
    await t.complete(task, complete(), query_results=results)
    t.value("result", await asked)
    await t.history()


@program
async def query_when_the_task_fails(t: Session):
    """The attached query comes with the next attempt."""
    await t.start()
    await t.step()
    await t.signal()
    asked = ask(t)
    await reached()
    await t.fail_task(await t.poll())
    task = await t.poll()
    t.value("queries", [query for query in task.queries.values()])
    results = {key: {"result_type": ANSWERED, "answer": payloads("second")} for key in task.queries}
    await t.complete(task, query_results=results)
    t.value("result", await asked)
    await t.history()


@program
async def query_two_attached(t: Session):
    """More than one attached query waits per workflow is refused."""
    await t.start()
    await t.step()
    await t.signal()
    first = ask(t, "first")
    await reached()
    await t.error("second", ask(t, "second", _timeout=3))
    task = await t.poll()
    results = {key: {"result_type": ANSWERED, "answer": payloads("x")} for key in task.queries}
    t.value("attached", len(results))
    await t.complete(task, query_results=results)
    t.value("first", await first)


@program
async def query_when_tasks_keep_failing(t: Session):
    await t.start()
    await t.step()
    await t.signal()
    for _ in range(3):
        await t.fail_task(await t.poll())
    await t.error("failing", ask(t))
    await t.history(mask=("8.workflow_task_scheduled_event_attributes.start_to_close_timeout",))


@program
async def query_not_ready(t: Session):
    await t.start(workflow_start_delay=seconds(3600))
    await t.error("in start delay", ask(t, _timeout=5))
    wid = t.id("closed")
    await t.start(wid)
    await t.terminate(wid)
    await t.error("closed before its first task", ask(t, wid=wid, _timeout=5))


@program
async def query_no_worker(t: Session):
    await t.start()
    await t.step()
    await t.error("nobody polls", ask(t, _timeout=2))
    await t.history()


@program
async def query_bad_input(t: Session):
    await t.start()
    await t.step()
    await t.error("no query", t.rpc.QueryWorkflow(execution=t.execution()))
    await t.error("no type", ask(t, ""))
    await t.error("no execution", t.rpc.QueryWorkflow(query={"query_type": "q"}))
    await t.error("unknown workflow", ask(t, wid=t.id("nobody")))
    await t.error("unknown run", ask(t, run="01234567-89ab-4def-8123-456789abcdef"))
    await t.error("bad run id", ask(t, run="no-uuid"))
    await t.error("unknown namespace", ask(t, namespace="nowhere"))
    await t.error("long type", ask(t, "x" * 1001, _timeout=3))


@program
async def query_answers_wrong(t: Session):
    """Tokens answered twice, forged, or of a query whose caller has gone."""
    await t.start()
    await t.step(timer("t", 3600))
    asked = ask(t)
    task = await t.poll()
    await answer(t, task, "once")
    await asked
    await t.error("twice", answer(t, task, "twice"))
    await t.error("empty token", t.rpc.RespondQueryTaskCompleted(task_token=b""))
    await t.error("garbage token", t.rpc.RespondQueryTaskCompleted(task_token=b"garbage"))
    asked = ask(t, _timeout=5)
    await t.error("unspecified type", answer(t, await t.poll(), "x", completed_type=0))
    await t.error("its caller", asked)


@program
async def query_answer_too_large(t: Session):
    await t.start()
    await t.step(timer("t", 3600))
    asked = ask(t)
    await t.error("answer", answer(t, await t.poll(), "x" * (2 * (1 << 20) + 10)))
    await t.error("result", asked)
