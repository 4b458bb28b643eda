"""A history, one readable line per event: number, time, type, and what tells most about it."""

from typing import Any, Callable

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

TEXT_LENGTH = 100


def payload_text(payloads: Payloads) -> str:
    """JSON payloads as they are."""
    text = ", ".join(payload.data.decode(errors="replace") for payload in payloads.payloads)
    return text if len(text) <= TEXT_LENGTH else text[: TEXT_LENGTH - 3] + "..."


def seconds(duration: Any) -> str:
    return f"{duration.ToTimedelta().total_seconds():g} s"


def started_activity(attributes: Any) -> str:
    """Attempts before the last leave no events, only their count and the last failure."""
    text = f"of {attributes.scheduled_event_id}, attempt {attributes.attempt}"
    failure = attributes.last_failure.message
    return f"{text}, before it: {failure}" if failure else text


TELLING: dict[str, Callable[[Any], str]] = {
    "WORKFLOW_EXECUTION_STARTED": lambda a: f"{a.workflow_type.name}({payload_text(a.input)})",
    "WORKFLOW_EXECUTION_COMPLETED": lambda a: payload_text(a.result),
    "WORKFLOW_EXECUTION_FAILED": lambda a: a.failure.message,
    "WORKFLOW_EXECUTION_SIGNALED": lambda a: f"{a.signal_name}({payload_text(a.input)})",
    "WORKFLOW_TASK_SCHEDULED": lambda a: (
        f"on {a.task_queue.name.split('@')[-1]}, attempt {a.attempt}"
    ),
    "WORKFLOW_TASK_STARTED": lambda a: f"of {a.scheduled_event_id}, by {a.identity}",
    "WORKFLOW_TASK_COMPLETED": lambda a: f"of {a.scheduled_event_id}",
    "WORKFLOW_TASK_TIMED_OUT": lambda a: f"of {a.scheduled_event_id}",
    "WORKFLOW_TASK_FAILED": lambda a: a.failure.message,
    "ACTIVITY_TASK_SCHEDULED": lambda a: f"{a.activity_type.name}({payload_text(a.input)})",
    "ACTIVITY_TASK_STARTED": started_activity,
    "ACTIVITY_TASK_COMPLETED": lambda a: f"of {a.scheduled_event_id}: {payload_text(a.result)}",
    "ACTIVITY_TASK_FAILED": lambda a: f"of {a.scheduled_event_id}: {a.failure.message}",
    "ACTIVITY_TASK_TIMED_OUT": lambda a: f"of {a.scheduled_event_id}: {a.failure.message}",
    "TIMER_STARTED": lambda a: f"timer {a.timer_id}, {seconds(a.start_to_fire_timeout)}",
    "TIMER_FIRED": lambda a: f"timer {a.timer_id}",
}


def kind(event: HistoryEvent) -> str:
    """The event's type without its prefix."""
    return EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")


def attributes(event: HistoryEvent) -> Any:
    """The one group of attributes that an event has."""
    return getattr(event, event.WhichOneof("attributes"))


def clock(time: Timestamp) -> str:
    return time.ToDatetime().strftime("%H:%M:%S.%f")[:-3]


def line(event: HistoryEvent) -> str:
    """One event on one line."""
    name = kind(event)
    telling = TELLING.get(name, lambda _: "")(attributes(event))
    words = name.title().replace("_", "")
    return f"{event.event_id:4}  {clock(event.event_time)}  {words:28} {telling}".rstrip()
