"""Turns messages, errors and values into plain JSON in which only what two servers must agree on is
left.

Nothing but LEFT_OUT is dropped: a value that legitimately differs (a time, a token, an id that a
server made up) is replaced by a symbol that says it was there, so absence and presence are still
compared. Run ids become $run1, $run2, ... in order of first appearance within a program, so links
between runs are compared too. """

import hashlib
import re
from typing import Any

import grpc
import temporalio.client
import temporalio.exceptions
import temporalio.service
from google.protobuf import any_pb2, duration_pb2, timestamp_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet
from temporalio.api.common.v1 import GrpcStatus
from temporalio.api.errordetails.v1 import message_pb2 as errordetails

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

# The Python SDK names a worker's sticky queue by its identity and 32 hexadecimal digits.
STICKY_NAME = re.compile(r"(?<=-)[0-9a-f]{32}\b")

# Fields that each server fills from its own clock, counters or internals: only "set or not set" is
# compared.
OPAQUE = {
    "task_id": "$task-id",
    "task_token": "$token",
    "next_page_token": "$page",
    "newest_page_token": "$page",
    "history_size_bytes": "$size",
    "state_size_bytes": "$size",
    "stack_trace": "$stack",
    "state_transition_count": "$count",
    "server_version": "$version",
    "cluster_id": "$cluster",
    "cluster_name": "$cluster",
    "history_shard_count": "$count",
    "persistence_store": "$store",
    "visibility_store": "$store",
    "poller_group_id": "$poller-group",
}
# Advice whose very presence depends on the load of the moment.
LEFT_OUT = {"backlog_count_hint", "poller_scaling_decision"}
# Lists that a server keeps in no order, and what to sort them by.
UNORDERED = {
    "pending_activities": lambda item: item.activity_id,
    "pending_children": lambda item: item.initiated_id,
    "pollers": lambda item: item.identity,
    "core_used_flags": lambda item: item,
    "lang_used_flags": lambda item: item,
}
# Durations that a server measures instead of copying them.
MEASURED = {"execution_duration", "approximate_backlog_age"}
# Computed from the clock, but steady enough to be compared to a tenth of a second.
ROUNDED = {"current_retry_interval"}
LONGEST_STRING = 4000


def message(value: Message) -> dict[str, Any]:
    """Every set field of a message by name; messages in Any and fields unknown to our descriptors
    included."""
    if isinstance(value, any_pb2.Any):
        return any_message(value)
    result: dict[str, Any] = {}
    for field, content in value.ListFields():
        if field.name not in LEFT_OUT:
            result[field.name] = field_value(field, content)
    for unknown in UnknownFieldSet(value):
        result[f"unknown#{unknown.field_number}"] = text(repr(unknown.data))
    return result


def field_value(field: FieldDescriptor, content: Any) -> Any:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        item = field.message_type.fields_by_name["value"]
        return {request_id(str(key)): scalar(item, content[key]) for key in sorted(content)}
    if field.is_repeated and field.name in UNORDERED:
        content = sorted(content, key=UNORDERED[field.name])
    if field.is_repeated:
        return [scalar(field, item) for item in content]
    return scalar(field, content)


def scalar(field: FieldDescriptor, content: Any) -> Any:
    if field.name in OPAQUE:
        return OPAQUE[field.name]
    if isinstance(content, timestamp_pb2.Timestamp):
        return "$time" if content.seconds or content.nanos else "$zero-time"
    if isinstance(content, duration_pb2.Duration):
        return duration(field.name, content.ToNanoseconds() / 1e9)
    if isinstance(content, Message):
        return message(content)
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(content)
        return known.name if known else content
    if isinstance(content, bytes):
        return binary(content)
    if isinstance(content, str):
        return request_id(content) if field.name.endswith("request_id") else text(content)
    return content


def duration(name: str, value_s: float) -> str:
    if name in MEASURED:
        return "$measured"
    return f"about {value_s:.1f}s" if name in ROUNDED else f"{value_s:.9g}s"


def request_id(content: str) -> str:
    """Request ids given by a program are compared, made-up ones are not."""
    return "$request-id" if UUID.fullmatch(content) else text(content)


def binary(content: bytes) -> str:
    try:
        return text(content.decode())
    except UnicodeDecodeError:
        return text("hex:" + content.hex())


def text(content: str) -> str:
    if len(content) <= LONGEST_STRING:
        return content
    return (
        f"<{len(content)} characters, sha256 {hashlib.sha256(content.encode()).hexdigest()[:16]}>"
    )


def any_message(value: any_pb2.Any) -> dict[str, Any]:
    name = value.type_url.rsplit("/", 1)[-1]
    kind = getattr(errordetails, name.rsplit(".", 1)[-1], None)
    if kind is None or kind.DESCRIPTOR.full_name != name:
        return {"@type": value.type_url, "value": binary(value.value)}
    inner = kind()
    inner.ParseFromString(value.value)
    return {"@type": value.type_url, **message(inner)}


def error(failure: BaseException) -> dict[str, Any]:
    """Code, text and details of a failed call; the whole cause chain of an SDK's exception."""
    if isinstance(failure, grpc.aio.AioRpcError):
        details = b""
        for key, content in failure.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                details = content
        if failure.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
            return {
                "code": "DEADLINE_EXCEEDED"
            }  # Client and server race for who says so, in their own words.
        return {
            "code": failure.code().name,
            "text": text(failure.details() or ""),
            **status(details),
        }
    if isinstance(failure, temporalio.service.RPCError):
        return {
            "code": failure.status.name,
            "text": text(failure.message),
            **status(failure.raw_grpc_status),
        }
    result: dict[str, Any] = {"exception": type(failure).__name__, "text": text(str(failure))}
    for name in (
        "type",
        "non_retryable",
        "activity_id",
        "activity_type",
        "scheduled_event_id",
        "started_event_id",
    ):
        if hasattr(failure, name):
            result[name] = plain(getattr(failure, name))
    for name in (
        "retry_state",
        "identity",
        "details",
        "last_heartbeat_details",
        "new_execution_run_id",
    ):
        if hasattr(failure, name):
            result[name] = plain(getattr(failure, name))
    cause = failure.__cause__
    if isinstance(cause, Exception):
        result["cause"] = error(cause)
    return result


def status(details: bytes) -> dict[str, Any]:
    if not details:
        return {}
    parsed = GrpcStatus()
    parsed.ParseFromString(details)
    result: dict[str, Any] = {"status_code": parsed.code, "status_text": text(parsed.message)}
    result["details"] = [any_message(item) for item in parsed.details]
    return result


def plain(value: Any) -> Any:
    """Any observed value as JSON."""
    if isinstance(value, Message):
        return message(value)
    if isinstance(value, BaseException):
        return error(value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return binary(value)
    if isinstance(value, str):
        return text(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return text(str(value))


def symbolise(observations: dict[str, Any], nonce: str) -> dict[str, Any]:
    """Second pass, over all observations of a program: run ids by order of appearance, the nonce
    removed."""
    runs: dict[str, str] = {}

    def collect(value: Any, key: str) -> None:
        if isinstance(value, dict):
            for name, item in value.items():
                collect(item, name)
        elif isinstance(value, list):
            for item in value:
                collect(item, key)
        elif isinstance(value, str) and key.endswith("run_id") and UUID.fullmatch(value):
            runs.setdefault(value, f"$run{len(runs) + 1}")

    def replace(value: Any) -> Any:
        if isinstance(value, dict):
            return {replace(name): replace(item) for name, item in value.items()}
        if isinstance(value, list):
            return [replace(item) for item in value]
        if isinstance(value, str):
            value = UUID.sub(lambda found: runs.get(found.group(), "$uuid"), value)
            return STICKY_NAME.sub("$hex", value).replace(f".{nonce}", "")
        return value

    collect(observations, "")
    return replace(observations)


def mask(value: Any, paths: tuple[str, ...]) -> Any:
    """Replaces what the dotted paths name ("events.*.attributes.x"; * is any key or index) by
    $masked.

    Whether it was there at all is hidden too, when the last part is a name: what is masked depends
    on chance. """
    for path in paths:
        mask_one(value, path.split("."))
    return value


def mask_one(value: Any, path: list[str]) -> None:
    if isinstance(value, list):
        items = [(index, item) for index, item in enumerate(value) if path[0] in ("*", str(index))]
    elif isinstance(value, dict):
        if len(path) == 1 and path[0] != "*":
            value[path[0]] = "$masked"
        items = [(key, item) for key, item in value.items() if path[0] in ("*", key)]
    else:
        return
    for key, item in items:
        if len(path) == 1:
            value[key] = "$masked"
        else:
            mask_one(item, path[1:])
