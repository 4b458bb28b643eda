"""Calls about the server rather than a workflow: namespaces, capabilities, task queues."""

import asyncio

from ..harness.commands import activity, seconds
from ..harness.registry import program
from ..harness.session import Session

# Which of many features a server announces is no matter of parity: it announces what it has.
OWN = ("namespace_info.id", "namespace_info.capabilities", "config.custom_search_attribute_aliases",
       "replication_config", "failover_version")


@program
async def system_info(t: Session):
    info = await t.rpc.GetSystemInfo()
    t.value("has a version", bool(info.server_version))
    basic = (
        "signal_and_query_header",
        "internal_error_differentiation",
        "activity_failure_include_heartbeat",
        "encoded_failure_attributes",
        "build_id_based_versioning",
        "upsert_memo",
        "eager_workflow_start",
        "sdk_metadata",
    )
    t.value("capabilities", {name: getattr(info.capabilities, name) for name in basic})


@program
async def cluster_info(t: Session):
    info = await t.rpc.GetClusterInfo()
    t.value(
        "set", sorted(field.name for field, _ in info.ListFields() if field.name != "version_info")
    )
    t.value("clients", sorted(info.supported_clients))


@program
async def describe_default_namespace(t: Session):
    described = await t.rpc.DescribeNamespace(namespace="default")
    t.value("described", described, mask=OWN)
    t.value("eager start", described.namespace_info.capabilities.eager_workflow_start)
    by_id = await t.rpc.DescribeNamespace(namespace="", id=described.namespace_info.id)
    t.value("by id is the same", by_id == described)


@program
async def describe_namespace_wrong(t: Session):
    await t.error("unknown", t.rpc.DescribeNamespace(namespace="nowhere"))
    await t.error("nothing", t.rpc.DescribeNamespace(namespace=""))
    await t.error(
        "unknown id",
        t.rpc.DescribeNamespace(namespace="", id="01234567-89ab-4def-8123-456789abcdef"),
    )
    await t.error("both", t.rpc.DescribeNamespace(namespace="default", id="x"))


@program
async def register_namespace(t: Session):
    name = t.id("ns")
    registered = await t.rpc.RegisterNamespace(
        namespace=name,
        workflow_execution_retention_period=seconds(86400 * 2),
        description="described",
        owner_email="owner@example.com",
        data={"k": "v"},
    )
    t.value("registered", registered)
    again = t.rpc.RegisterNamespace(
        namespace=name, workflow_execution_retention_period=seconds(86400)
    )
    await t.error("again", again)
    t.value("described", await t.rpc.DescribeNamespace(namespace=name), mask=OWN)

    async def usable():
        try:
            return await t.rpc.StartWorkflowExecution(
                namespace=name,
                workflow_id="w",
                workflow_type={"name": "W"},
                task_queue={"name": "q"},
                request_id="r",
            )
        except Exception as failed:
            if "not found" not in str(failed):
                raise
            return None

    await t.until(usable, "the namespace")
    task = await t.rpc.PollWorkflowTaskQueue(namespace=name, task_queue={"name": "q"})
    t.value("task", task)
    await t.error("token used with another namespace", t.complete(task))
    await t.rpc.RespondWorkflowTaskCompleted(namespace=name, task_token=task.task_token)
    page = await t.rpc.GetWorkflowExecutionHistory(namespace=name, execution={"workflow_id": "w"})
    t.value("history", page)
    await t.error("not in default", t.describe("default", "w"))


@program
async def register_namespace_wrong(t: Session):
    day = seconds(86400)

    def register(name, **fields):
        fields.setdefault("workflow_execution_retention_period", day)
        return t.rpc.RegisterNamespace(namespace=name, **fields)

    await t.error("no name", register(""))
    await t.error("long name", register("x" * 1001))
    await t.error("bad name", register("white space"))
    await t.error("exists", register("default"))
    await t.error("system", register("temporal-system"))
    await t.error("no retention", register(t.id("n1"), workflow_execution_retention_period=None))
    await t.error(
        "short retention", register(t.id("n2"), workflow_execution_retention_period=seconds(60))
    )
    await t.error(
        "negative retention", register(t.id("n3"), workflow_execution_retention_period=seconds(-1))
    )
    await t.error(
        "one hour", register(t.id("n4"), workflow_execution_retention_period=seconds(3600))
    )
    await t.error("global", register(t.id("n5"), is_global_namespace=True))


@program
async def list_namespaces(t: Session):
    names = [t.id(f"ns{number}") for number in range(3)]
    for name in names:
        await t.rpc.RegisterNamespace(
            namespace=name, workflow_execution_retention_period=seconds(86400)
        )

    async def listed():
        token, found = b"", []
        while True:
            page = await t.rpc.ListNamespaces(page_size=2, next_page_token=token)
            found += page.namespaces
            token = page.next_page_token
            if not token:
                break
        ours = [item for item in found if item.namespace_info.name in names]
        return [found, ours] if len(ours) == 3 else None

    found, ours = await t.until(listed, "all namespaces")
    t.value("ours", sorted(ours, key=lambda item: item.namespace_info.name),
            mask=tuple(f"*.{path}" for path in OWN))
    t.value("default is there", any(item.namespace_info.name == "default" for item in found))


@program
async def describe_task_queue(t: Session):
    t.value("nobody", await t.rpc.DescribeTaskQueue(task_queue={"name": t.tq}, task_queue_type=1))
    poll = asyncio.create_task(t.poll())

    async def described():
        answer = await t.rpc.DescribeTaskQueue(task_queue={"name": t.tq}, task_queue_type=1)
        return answer if answer.pollers else None

    t.value("polled", await t.until(described, "a poller"))
    t.value(
        "activities not",
        await t.rpc.DescribeTaskQueue(task_queue={"name": t.tq}, task_queue_type=2),
    )
    await t.start()
    task = await poll
    await t.complete(task, activity("a", t.tq))
    t.value(
        "poller remembered",
        await t.rpc.DescribeTaskQueue(task_queue={"name": t.tq}, task_queue_type=1),
    )
    await t.poll_activity()

    async def activities():
        answer = await t.rpc.DescribeTaskQueue(task_queue={"name": t.tq}, task_queue_type=2)
        return answer if answer.pollers else None

    t.value("activity poller", await t.until(activities, "an activity poller"))


@program
async def describe_task_queue_wrong(t: Session):
    await t.error("no queue", t.rpc.DescribeTaskQueue())
    await t.error("empty name", t.rpc.DescribeTaskQueue(task_queue={"name": ""}, task_queue_type=1))
    await t.error(
        "long name", t.rpc.DescribeTaskQueue(task_queue={"name": "x" * 1001}, task_queue_type=1)
    )
    await t.error("no type", t.rpc.DescribeTaskQueue(task_queue={"name": t.tq}))
    unknown = t.rpc.DescribeTaskQueue(
        namespace="nowhere", task_queue={"name": t.tq}, task_queue_type=1
    )
    await t.error("unknown namespace", unknown)


@program
async def health_and_unknown_methods(t: Session):
    """The standard health service, and methods and services that do not exist."""
    import grpc

    def unary(path, request=b""):
        call = t.channel.unary_unary(path)
        return t.wait(call(request, timeout=5))

    await t.error("health", unary("/grpc.health.v1.Health/Check"))
    name = b"temporal.api.workflowservice.v1.WorkflowService"
    await t.error(
        "health by name", unary("/grpc.health.v1.Health/Check", b"\x0a" + bytes([len(name)]) + name)
    )
    await t.error("health unknown", unary("/grpc.health.v1.Health/Check", b"\x0a\x04nope"))
    await t.error(
        "unknown method", unary("/temporal.api.workflowservice.v1.WorkflowService/Nonsense")
    )
    await t.error("unknown service", unary("/temporal.api.nonsense.v1.Nonsense/Nonsense"))
    await t.error("garbage message", unary(
        "/temporal.api.workflowservice.v1.WorkflowService/StartWorkflowExecution", b"\xff\xff\xff"))
    t.value("code exists", grpc.StatusCode.OK.name)
