"""Reads records with fastavro and the .avsc alone, as a consumer of the audit trail would.

    read_with_fastavro.py SCHEMA.avsc RECORDS

RECORDS comes from record_sample: pairs of (record, JSON line), each with its size before it. For
each pair: the header holds the schema's fingerprint as fastavro computes it, the values are those
of the JSON line, and fastavro writes the same bytes again. Exit 77: fastavro is not installed. """

import io
import json
import math
import sys

try:
    import fastavro
    import fastavro.schema
except ImportError:
    print("SKIPPED: the Python package fastavro is not installed (tests/requirements.txt)")
    sys.exit(77)

PRIMITIVES = {"null", "boolean", "int", "long", "float", "double", "string", "bytes"}


class Printer:
    """Values as `perdure log dump` prints them, by the schema: see docs/log-format.md."""

    def __init__(self, schema):
        self.named = {}
        self.learn(schema, "")

    def learn(self, schema, space):
        if isinstance(schema, list):
            for branch in schema:
                self.learn(branch, space)
        elif isinstance(schema, dict):
            if schema["type"] == "record":
                space = schema.get("namespace", space)
                self.named[f"{space}.{schema['name']}"] = schema
                for field in schema["fields"]:
                    self.learn(field["type"], space)
            elif schema["type"] in ("array", "map"):
                self.learn(schema.get("items", schema.get("values")), space)

    def value(self, value, schema, unsigned=False):
        if isinstance(schema, list):
            if isinstance(value, tuple):  # (name of the record, its fields)
                return self.value(value[1], self.named[value[0]])
            (other,) = [branch for branch in schema if branch != "null"] or [None]
            return self.value(value, other, unsigned)
        if isinstance(schema, str) and schema not in PRIMITIVES:
            schema = self.named[schema]
        kind = schema["type"] if isinstance(schema, dict) else schema
        if kind == "record":
            return self.record(value, schema)
        if kind == "array":
            return [self.value(item, schema["items"], unsigned) for item in value]
        if kind == "map":
            return {k: self.value(v, schema["values"], unsigned) for k, v in value.items()}
        if kind == "bytes":
            printable = all(0x20 <= byte < 0x7F for byte in value)
            return value.decode("ascii") if printable else {"hex": value.hex()}
        if kind == "int" and isinstance(schema, dict):
            return schema["perdure.values"].get(str(value), value)
        if kind == "long" and unsigned:
            return value % 2**64
        if kind in ("float", "double") and not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        return value

    def record(self, value, schema):
        out = {}
        for field in schema["fields"]:
            item = value[field["name"]]
            if item is None:
                continue
            plain = not isinstance(field["type"], list)
            if plain and len(schema["fields"]) > 1 and not item and not isinstance(item, tuple):
                if not (isinstance(item, float) and math.copysign(1, item) < 0):
                    continue
            out[field["name"]] = self.value(
                item, field["type"], field.get("perdure.unsigned", False)
            )
        return out


def pieces(path):
    with open(path, "rb") as file:
        data = file.read()
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        yield data[at + 4 : at + 4 + size]
        at += 4 + size


def close(a, b):
    """Equal, with floats compared as printed (9 digits suffice for a float)."""
    if isinstance(a, float) or isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-8)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(close(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(close(x, y) for x, y in zip(a, b))
    return a == b


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        text = json.load(file)
    printer = Printer(text)
    canonical = fastavro.schema.to_parsing_canonical_form(text)
    fingerprint = fastavro.schema.fingerprint(canonical, "CRC-64-AVRO")
    schema = fastavro.parse_schema(text)
    header = b"\xc3\x01" + bytes.fromhex(fingerprint)
    if len(bytes.fromhex(fingerprint)) != 8:
        sys.exit("fastavro gave a fingerprint of another size")

    both = list(pieces(sys.argv[2]))
    for number, (record, line) in enumerate(zip(both[::2], both[1::2])):
        if record[:10] != header:
            sys.exit(f"record {number}: header {record[:10].hex()}, expected {header.hex()}")
        body = io.BytesIO(record[10:])
        value = fastavro.schemaless_reader(body, schema, return_record_name=True)
        if body.read():
            sys.exit(f"record {number}: bytes are left")
        printed = printer.value(value, text)
        expected = json.loads(line)
        if not close(printed, expected):
            sys.exit(f"record {number}:\n read {json.dumps(printed)}\n JSON {json.dumps(expected)}")
        again = io.BytesIO()
        fastavro.schemaless_writer(again, schema, value)
        if again.getvalue() != record[10:]:
            sys.exit(f"record {number}: fastavro writes other bytes")
    print(
        f"fastavro {fastavro.__version__} read {len(both) // 2} records, fingerprint {fingerprint}"
    )


main()
