"""Commands for Perdure, as the bytes of Kafka records: the schema and fastavro are all it takes."""
import json
import pathlib
import struct

import fastavro
from fastavro.schema import fingerprint, parse_schema, to_parsing_canonical_form

SCHEMA_FILE = (pathlib.Path(__file__).resolve().parents[2] / "docs/schemas"
               / "perdure.v1.Command.avsc")
_RAW = json.loads(SCHEMA_FILE.read_text())
SCHEMA = parse_schema(_RAW)
# Avro's single-object header: C3 01 and the schema's fingerprint, little-endian.
_HEADER = b"\xc3\x01" + bytes.fromhex(
    fingerprint(to_parsing_canonical_form(_RAW), "CRC-64-AVRO"))


def encode(command):
    """The value of a record; fields that are left out have their defaults."""
    import io
    out = io.BytesIO(_HEADER)
    out.seek(0, io.SEEK_END)
    fastavro.schemaless_writer(out, SCHEMA, command)
    return out.getvalue()


def payloads(*values):
    """Arguments as Temporal's SDKs read them by default."""
    return {"payloads": [{"metadata": {"encoding": b"json/plain"},
                          "data": json.dumps(value).encode()} for value in values]}


def signal(workflow_id, name, *args, namespace="default", command_id=""):
    return encode({"namespace": namespace, "command_id": command_id, "body": {"signal_workflow": {
        "workflow_execution": {"workflow_id": workflow_id},
        "signal_name": name, "input": payloads(*args)}}})


def signal_with_start(workflow_id, workflow_type, task_queue, name, *args, namespace="default",
                      command_id=""):
    return encode({"namespace": namespace, "command_id": command_id, "body": {
        "signal_with_start": {
            "workflow_id": workflow_id, "workflow_type": {"name": workflow_type},
            "task_queue": {"name": task_queue},
            "signal_name": name, "signal_input": payloads(*args)}}})


def fingerprint_of(value):
    return struct.unpack("<Q", value[2:10])[0]
