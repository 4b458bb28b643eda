"""Short constructors for payloads, failures and commands, for programs that play the worker by
hand."""

from datetime import timedelta
from typing import Any

import json

from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.enums.v1 import CommandType
from temporalio.api.failure.v1 import Failure


def seconds(value: float) -> timedelta:
    return timedelta(seconds=value)


def payload(value: Any) -> Payload:
    return Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(value).encode())


def keyword(value: Any, type_name: str = "Keyword") -> Payload:
    """A search attribute's payload as SDKs send it, with its type in the metadata."""
    made = payload(value)
    made.metadata["type"] = type_name.encode()
    return made


def payloads(*values: Any) -> Payloads:
    return Payloads(payloads=[payload(value) for value in values])


def failure(
    text: str = "boom", type_name: str = "Boom", non_retryable: bool = False, **info: Any
) -> Failure:
    return Failure(
        message=text,
        source="parity",
        application_failure_info={"type": type_name, "non_retryable": non_retryable, **info},
    )


def command(kind: str, attributes: dict | None = None, **more: Any) -> Command:
    """A command by the name of its type, e.g. command("START_TIMER", {...}). None leaves the
    attributes out."""
    made = Command(command_type=CommandType.Value(f"COMMAND_TYPE_{kind}"), **more)
    if attributes is not None:
        field = getattr(made, f"{kind.lower()}_command_attributes")
        field.SetInParent()
        field.MergeFrom(type(field)(**attributes))
    return made


def complete(*results: Any, **more: Any) -> Command:
    return command(
        "COMPLETE_WORKFLOW_EXECUTION", {"result": payloads(*results)} if results else {}, **more
    )


def fail(text: str = "boom", **options: Any) -> Command:
    return command("FAIL_WORKFLOW_EXECUTION", {"failure": failure(text, **options)})


def cancel(*details: Any) -> Command:
    return command("CANCEL_WORKFLOW_EXECUTION", {"details": payloads(*details)} if details else {})


def timer(timer_id: str, after_s: float, **more: Any) -> Command:
    attributes = {"timer_id": timer_id, "start_to_fire_timeout": seconds(after_s)}
    return command("START_TIMER", attributes, **more)


def cancel_timer(timer_id: str) -> Command:
    return command("CANCEL_TIMER", {"timer_id": timer_id})


def marker(name: str, **attributes: Any) -> Command:
    return command("RECORD_MARKER", {"marker_name": name, **attributes})


def activity(activity_id: str, queue: str, type_name: str = "A", **attributes: Any) -> Command:
    """ScheduleActivityTask; start_to_close 30 s unless given (None: leave it out)."""
    attributes.setdefault("start_to_close_timeout", seconds(30))
    attributes = {name: value for name, value in attributes.items() if value is not None}
    return command(
        "SCHEDULE_ACTIVITY_TASK",
        {
            "activity_id": activity_id,
            "activity_type": {"name": type_name},
            "task_queue": {"name": queue},
            **attributes,
        },
    )


def cancel_activity(scheduled_event_id: int) -> Command:
    return command("REQUEST_CANCEL_ACTIVITY_TASK", {"scheduled_event_id": scheduled_event_id})


def continue_as_new(queue: str, type_name: str = "W", **attributes: Any) -> Command:
    return command(
        "CONTINUE_AS_NEW_WORKFLOW_EXECUTION",
        {"workflow_type": {"name": type_name}, "task_queue": {"name": queue}, **attributes},
    )


def child(wid: str, type_name: str = "C", **attributes: Any) -> Command:
    """StartChildWorkflowExecution, on the parent's queue unless one is given."""
    return command(
        "START_CHILD_WORKFLOW_EXECUTION",
        {"workflow_id": wid, "workflow_type": {"name": type_name}, **attributes},
    )


def signal_external(wid: str, name: str = "s", run: str = "", **attributes: Any) -> Command:
    return command(
        "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION",
        {"execution": {"workflow_id": wid, "run_id": run}, "signal_name": name, **attributes},
    )


def cancel_external(wid: str, run: str = "", **attributes: Any) -> Command:
    return command(
        "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION",
        {"workflow_id": wid, "run_id": run, **attributes},
    )


def upsert(**attributes: Payload) -> Command:
    return command(
        "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES", {"search_attributes": {"indexed_fields": attributes}}
    )


def modify_memo(**fields: Payload) -> Command:
    return command("MODIFY_WORKFLOW_PROPERTIES", {"upserted_memo": {"fields": fields}})
