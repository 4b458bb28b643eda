"""Requests that are wrong: ids, lengths, sizes, namespaces, deadlines, policies."""

from ..harness.commands import keyword, payload, payloads, seconds
from ..harness.registry import program
from ..harness.session import Session

LONG = "x" * 1001
BIG = "x" * (2 * (1 << 20) + 10)


@program
async def start_wrong_ids(t: Session):
    def start(**fields):
        defaults = {
            "workflow_id": t.wid,
            "workflow_type": {"name": "W"},
            "task_queue": {"name": t.tq},
            "request_id": "r",
        }
        return t.rpc.StartWorkflowExecution(**{**defaults, **fields})

    await t.error("no id", start(workflow_id=""))
    await t.error("long id", start(workflow_id=LONG))
    await t.error("no type", start(workflow_type=None))
    await t.error("empty type", start(workflow_type={"name": ""}))
    await t.error("long type", start(workflow_type={"name": LONG}))
    await t.error("no queue", start(task_queue=None))
    await t.error("empty queue", start(task_queue={"name": ""}))
    await t.error("long queue", start(task_queue={"name": LONG}))
    await t.error("reserved queue", start(task_queue={"name": "/_sys/q"}))
    await t.error("sticky queue", start(task_queue={"name": "q", "kind": 2}))
    await t.error("long request id", start(request_id=LONG))
    await t.error("long identity", start(identity=LONG))
    await t.error("no namespace", start(namespace=""))
    await t.error("long namespace", start(namespace=LONG))
    await t.error("unknown namespace", start(namespace="nowhere"))
    await t.error("nothing at all", t.rpc.StartWorkflowExecution(namespace="", identity=""))
    strange = "\u00e4\u4e2d\U0001f600 \t\n" + t.wid
    await t.error("strange but fine", start(workflow_id=strange))
    t.value("history of the strange id", (await t.events(strange))[0])
    await t.terminate(strange)
    await t.error("ok after all that", start())


@program
async def start_longest_ids(t: Session):
    """Exactly at the limit."""
    longest = (t.wid + "y" * 1000)[:1000]
    call = t.start(
        longest,
        workflow_type={"name": "t" * 1000},
        task_queue={"name": ("q" + longest)[:1000]},
        request_id="r" * 1000,
        identity="i" * 1000,
    )
    await t.error("start", call)
    await t.error("bytes count, not characters", t.start("\u00e4" * 501))


@program
async def start_wrong_timeouts(t: Session):
    cases = {
        "negative execution": {"workflow_execution_timeout": seconds(-1)},
        "negative run": {"workflow_run_timeout": seconds(-1)},
        "negative task": {"workflow_task_timeout": seconds(-1)},
        "negative delay": {"workflow_start_delay": seconds(-1)},
        "invalid duration": {"workflow_run_timeout": {"seconds": -1, "nanos": 5}},
        "delay with cron": {"workflow_start_delay": seconds(1), "cron_schedule": "* * * * *"},
        "bad cron": {"cron_schedule": "never"},
        "delay above execution timeout": {
            "workflow_start_delay": seconds(50),
            "workflow_execution_timeout": seconds(5),
        },
    }
    for number, (name, fields) in enumerate(cases.items()):
        await t.error(name, t.start(t.id(f"c{number}"), **fields))


@program
async def start_wrong_retry_policies(t: Session):
    cases = {
        "negative initial": {"initial_interval": seconds(-1)},
        "coefficient": {"backoff_coefficient": 0.9},
        "negative maximum": {"maximum_interval": seconds(-1)},
        "maximum below initial": {"initial_interval": seconds(2), "maximum_interval": seconds(1)},
        "negative attempts": {"maximum_attempts": -1},
        "bad timeout type": {"non_retryable_error_types": ["TemporalTimeout:Nonsense"]},
        "one attempt, rest wrong": {"maximum_attempts": 1, "backoff_coefficient": 0.1},
    }
    for number, (name, policy) in enumerate(cases.items()):
        await t.error(name, t.start(t.id(f"c{number}"), retry_policy=policy))
        await t.error(
            f"{name}: signal with start",
            t.rpc.SignalWithStartWorkflowExecution(
                workflow_id=t.id(f"s{number}"),
                workflow_type={"name": "W"},
                task_queue={"name": t.tq},
                signal_name="s",
                retry_policy=policy,
            ),
        )


@program
async def start_too_large(t: Session):
    cases = {
        "input": {"input": payloads(BIG)},
        "memo": {"memo": {"fields": {"m": payload(BIG)}}},
        "header": {"header": {"fields": {"h": payload(BIG)}}},
        "summary": {"user_metadata": {"summary": payload("s" * 401)}},
        "details": {"user_metadata": {"details": payload("d" * 20001)}},
        "many links": {"links": [
            {"workflow_event": {"namespace": "default", "workflow_id": "w", "run_id": "r",
                                "event_ref": {"event_id": 1, "event_type": 1}}}] * 11},
        "priority": {"priority": {"priority_key": -1}},
        "fairness key": {"priority": {"fairness_key": "k" * 65}},
        "fairness weight": {"priority": {"fairness_weight": -1}},
    }
    for number, (name, fields) in enumerate(cases.items()):
        await t.error(name, t.start(t.id(f"c{number}"), **fields))


@program
async def message_over_four_mebibytes(t: Session):
    """The limit of a gRPC message itself."""
    await t.error("start", t.start(input=payloads("x" * (5 << 20))))
    await t.start()
    await t.error("signal", t.signal("s", "x" * (5 << 20)))
    results = {"q": {"answer": payloads("x" * (5 << 20))}}
    await t.error(
        "completion", t.rpc.RespondWorkflowTaskCompleted(task_token=b"any", query_results=results)
    )
    await t.error("afterwards", t.signal())


@program
async def start_wrong_search_attributes(t: Session):
    def start(number, **fields):
        return t.start(t.id(f"c{number}"), search_attributes={"indexed_fields": fields})

    await t.error("unknown", start(1, NoSuchAttribute=keyword("x")))
    await t.error("system", start(2, WorkflowId=keyword("x")))
    await t.error("wrong type", start(3, BatcherUser=keyword(7, "Int")))
    await t.error(
        "not json", start(4, BatcherUser={"metadata": {"encoding": b"json/plain"}, "data": b"{"})
    )
    await t.error("long value", start(5, BatcherUser=keyword("v" * 2100)))
    await t.error("null", start(6, BatcherUser=payload(None)))
    await t.error("empty list", start(7, TemporalChangeVersion=payload([])))
    await t.error("list for a keyword", start(8, BatcherUser=keyword(["only one"])))
    await t.error("two for a keyword", start(9, BatcherUser=keyword(["one", "two"])))
    for number in (6, 7, 8):
        t.value(f"stored {number}", (await t.events(t.id(f"c{number}")))[0])


@program
async def polls_without_a_deadline(t: Session):
    queue = {"name": t.tq}
    for name, call in (
        ("workflow", t.rpc.PollWorkflowTaskQueue),
        ("activity", t.rpc.PollActivityTaskQueue),
    ):
        await t.error(f"{name}: none", call(task_queue=queue, _timeout=None))
        await t.error(f"{name}: half a second", call(task_queue=queue, _timeout=0.5))


@program
async def polls_wrong(t: Session):
    for name, call in (
        ("workflow", t.rpc.PollWorkflowTaskQueue),
        ("activity", t.rpc.PollActivityTaskQueue),
    ):
        await t.error(f"{name}: no queue", call())
        await t.error(f"{name}: empty queue", call(task_queue={"name": ""}))
        await t.error(f"{name}: long queue", call(task_queue={"name": LONG}))
        await t.error(
            f"{name}: unknown namespace", call(namespace="nowhere", task_queue={"name": t.tq})
        )
        await t.error(f"{name}: no namespace", call(namespace="", task_queue={"name": t.tq}))
        await t.error(f"{name}: long identity", call(task_queue={"name": t.tq}, identity=LONG))
    sticky = t.rpc.PollWorkflowTaskQueue(task_queue={"name": t.sticky, "kind": 2}, _timeout=4)
    await t.error("sticky without normal name", sticky)


@program
async def completions_wrong(t: Session):
    await t.start()
    task = await t.poll()
    await t.error("long identity", t.complete(task, identity=LONG))
    await t.error("unknown namespace", t.complete(task, namespace="nowhere"))
    await t.error("empty namespace", t.complete(task, namespace=""))
    await t.history()


@program
async def sticky_attributes_wrong(t: Session):
    cases = {
        "no queue": {"schedule_to_start_timeout": seconds(5)},
        "empty name": {"worker_task_queue": {"name": ""}, "schedule_to_start_timeout": seconds(5)},
        "no timeout": {"worker_task_queue": {"name": t.sticky, "kind": 2, "normal_name": t.tq}},
        "negative timeout": {
            "worker_task_queue": {"name": t.sticky, "kind": 2, "normal_name": t.tq},
            "schedule_to_start_timeout": seconds(-1),
        },
        "normal kind": {
            "worker_task_queue": {"name": t.sticky},
            "schedule_to_start_timeout": seconds(5),
        },
    }
    for number, (name, sticky) in enumerate(cases.items()):
        wid, queue = t.id(f"c{number}"), t.id(f"tq{number}")
        await t.start(wid, task_queue={"name": queue})
        await t.error(name, t.complete(await t.poll(queue), sticky_attributes=sticky))
        await t.history(f"{name}: history", wid)
