"""Messages made from descriptors: hostile values for every field, and where in a request a type may
stand."""

import random
from typing import Any, Iterator

from google.protobuf.descriptor import Descriptor, FieldDescriptor

F = FieldDescriptor
STRINGS = [
    "",
    "x",
    "x" * 1000,
    "x" * 1001,
    "ä" * 600,
    "\x01\x7f\t\n",
    "💥",
    "../../etc/passwd",
    "%s%n%x",
    "null",
    "-1",
    "0",
    "* * * * *",
    "@every 1s",
    "CRON_TZ=Nowhere/None * * * * *",
    "60 * * * *",
    "TemporalTimeout:StartToClose",
    "00000000-0000-0000-0000-000000000000",
    "/_sys/queue/1",
    "temporal-sys-per-ns-tq",
    "json/plain",
    "a\u202eb",
    "WorkflowType='x' AND (",
    "application/json",
    '{"a": [1, 2, {}]}',
    "9" * 400,
]
INT64 = [
    0,
    1,
    -1,
    2,
    5,
    1000,
    2**31 - 1,
    2**31,
    -(2**31),
    2**62,
    2**63 - 1,
    -(2**63),
    253402300799,
    253402300800,
    -62135596800,
    315576000000,
    315576000001,
    9223372036,
    9223372037,
    -9223372036,
    -9223372037,
]
INT32 = [0, 1, -1, 2, 100, 999_999_999, 1_000_000_000, -999_999_999, 2**31 - 1, -2**31]
FLOATS = [
    0.0,
    1.0,
    -1.0,
    2.0,
    0.5,
    1e300,
    -1e300,
    1e-300,
    float("inf"),
    float("-inf"),
    float("nan"),
]
DATA = [
    b"",
    b"x",
    b'"text"',
    b"{}",
    b"[" * 500,
    b"\xff\xfe\x00",
    b"null",
    b"1e400",
    b'"2026-13-45T99:00:00Z"',
    bytes(5000),
]
DEPTH_MAX = 7


class Maker:
    """Random messages, reproducibly. `known` gives values that exist, by a field's name: most of
    the time fields of that name get one of them, so that calls come further than the first
    check."""

    def __init__(self, chance: random.Random, known: dict[str, list]):
        self.chance, self.known = chance, known

    def fill(self, message: Any, density: float = 0.5, depth: int = 0) -> Any:
        chosen: set = set()
        for field in message.DESCRIPTOR.fields:
            oneof = field.containing_oneof
            if oneof and len(oneof.fields) > 1:
                if oneof.full_name in chosen or self.chance.random() > 1.5 / len(oneof.fields):
                    continue
                chosen.add(oneof.full_name)
            elif field.name not in self.known and self.chance.random() > density:
                continue
            self._set(message, field, density, depth)
        return message

    def _set(self, message: Any, field: FieldDescriptor, density: float, depth: int) -> None:
        if field.message_type and field.message_type.GetOptions().map_entry:
            self._set_map(getattr(message, field.name), field, density, depth)
        elif field.message_type:
            self._set_message(message, field, density, depth)
        elif field.is_repeated:
            getattr(message, field.name).extend(self._value(field) for _ in range(self._count()))
        else:
            setattr(message, field.name, self._value(field))

    def _count(self) -> int:
        return self.chance.choice((0, 1, 1, 1, 2, 3, 12))

    def _set_message(
        self, message: Any, field: FieldDescriptor, density: float, depth: int
    ) -> None:
        if depth >= DEPTH_MAX:
            return
        if field.is_repeated:
            for _ in range(self._count()):
                self.fill(getattr(message, field.name).add(), density * 0.9, depth + 1)
            return
        inner = getattr(message, field.name)
        inner.SetInParent()
        self.fill(inner, density * 0.9, depth + 1)

    def _set_map(self, target: Any, field: FieldDescriptor, density: float, depth: int) -> None:
        key, value = (
            field.message_type.fields_by_name["key"],
            field.message_type.fields_by_name["value"],
        )
        for _ in range(self._count()):
            name = self._value(key)
            if not value.message_type:
                target[name] = self._value(value)
            elif depth < DEPTH_MAX:
                self.fill(target[name], density * 0.9, depth + 1)

    def _value(self, field: FieldDescriptor) -> Any:
        chance = self.chance
        if field.name in self.known and chance.random() < 0.85:
            return chance.choice(self.known[field.name])
        if field.type == F.TYPE_STRING:
            return chance.choice(STRINGS)
        if field.type == F.TYPE_BYTES:
            return (
                chance.choice(DATA)
                if chance.random() < 0.8
                else chance.randbytes(chance.randint(0, 200))
            )
        if field.type == F.TYPE_BOOL:
            return chance.random() < 0.5
        if field.type in (F.TYPE_DOUBLE, F.TYPE_FLOAT):
            return chance.choice(FLOATS)
        if field.type == F.TYPE_ENUM:
            return chance.choice(
                [value.number for value in field.enum_type.values] * 3
                + [99, -1, 2**31 - 1, -(2**31)]
            )
        if field.type in (F.TYPE_INT32, F.TYPE_SINT32, F.TYPE_SFIXED32):
            return chance.choice(INT32)
        if field.type in (F.TYPE_UINT32, F.TYPE_FIXED32):
            return abs(chance.choice(INT32))
        return (
            chance.choice(INT64)
            if field.type in (F.TYPE_INT64, F.TYPE_SINT64)
            else abs(chance.choice(INT64[:10]))
        )


def mutate(chance: random.Random, data: bytes) -> bytes:
    """A few bits flipped, bytes cut out, doubled, or cut off."""
    found = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        at = chance.randrange(len(found)) if found else 0
        kind = chance.randrange(6)
        if not found or kind == 0:
            found[at:at] = chance.randbytes(chance.randint(1, 8))
        elif kind == 1:
            del found[at:]
        elif kind == 2:
            del found[at:at + chance.randint(1, 8)]
        elif kind == 3:
            found[at:at] = found[at:at + 20]
        else:
            found[at] ^= 1 << chance.randrange(8)
    return bytes(found)


def places(
    message: Descriptor, type_name: str, depth: int = 4
) -> Iterator[tuple[FieldDescriptor, ...]]:
    """The ways from a message to fields of a type, without going round in circles."""
    if depth == 0:
        return
    for field in message.fields:
        if not field.message_type:
            continue
        if field.message_type.full_name == type_name:
            yield (field,)
        else:
            for rest in places(field.message_type, type_name, depth - 1):
                yield (field, *rest)


def delimited(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value: int) -> bytes:
    value &= 2**64 - 1
    out = b""
    while value > 0x7f:
        out += bytes((value & 0x7f | 0x80,))
        value >>= 7
    return out + bytes((value,))


def at_place(place: tuple[FieldDescriptor, ...], data: bytes) -> bytes:
    """The bytes of a message as part of the outermost one. A map's entry gets its key."""
    for field in reversed(place):
        data = delimited(field.number, data)
        if field.name == "value" and field.containing_type.GetOptions().map_entry:
            data = delimited(1, b"k") + data
    return data


def merged(*parts: Any) -> bytes:
    """Messages and bytes, one after the other, which protobuf reads as one message."""
    return b"".join(part if isinstance(part, bytes) else part.SerializeToString() for part in parts)
