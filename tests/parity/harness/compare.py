"""Compares two programs' normalised observations and applies the list of justified differences."""

import fnmatch
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ABSENT = "(absent)"
LONGEST_SHOWN = 1000


@dataclass
class Difference:
    path: str
    reference: Any
    perdure: Any

    def __str__(self) -> str:
        return (
            f"{self.path}\n    reference: {show(self.reference)}\n"
            f"    perdure:   {show(self.perdure)}"
        )


def show(value: Any) -> str:
    if value == ABSENT:
        return value
    shown = json.dumps(value, ensure_ascii=False)
    return (
        shown
        if len(shown) <= LONGEST_SHOWN
        else f"{shown[:LONGEST_SHOWN]}... ({len(shown)} characters)"
    )


def compare(reference: Any, perdure: Any, path: str = "") -> list[Difference]:
    """Every leaf that differs, by path. Histories whose shapes differ are reported by their event
    types first."""
    if reference == perdure and type(reference) is type(perdure):
        return []
    if isinstance(reference, dict) and isinstance(perdure, dict):
        found: list[Difference] = []
        keys = list(reference) + [key for key in perdure if key not in reference]
        for key in keys:
            inner = f"{path}.{key}" if path else key
            found += compare(reference.get(key, ABSENT), perdure.get(key, ABSENT), inner)
        return found
    if isinstance(reference, list) and isinstance(perdure, list):
        if event_types(reference) != event_types(perdure):
            return [
                Difference(f"{path}[event types]", event_types(reference), event_types(perdure))
            ]
        found = []
        for index in range(max(len(reference), len(perdure))):
            left = reference[index] if index < len(reference) else ABSENT
            right = perdure[index] if index < len(perdure) else ABSENT
            found += compare(left, right, f"{path}[{index}]")
        return found
    return [Difference(path, reference, perdure)]


def event_types(value: list) -> list[str]:
    return [
        f"{item.get('event_id', '?')} {item['event_type'].removeprefix('EVENT_TYPE_')}"
        for item in value
        if isinstance(item, dict) and "event_type" in item
    ]


class Justified:
    """The entries of differences.toml: what may differ, where, and why."""

    def __init__(self, file: Path):
        self.entries = (
            tomllib.loads(file.read_text()).get("difference", []) if file.exists() else []
        )
        for entry in self.entries:
            missing = {"program", "path", "reason"} - entry.keys()
            if missing:
                raise ValueError(f"{file}: an entry lacks {', '.join(sorted(missing))}")
        self.used: set[int] = set()

    def covers(self, program: str, difference: Difference) -> bool:
        for number, entry in enumerate(self.entries):
            if not fnmatch.fnmatchcase(program, entry["program"]):
                continue
            if fnmatch.fnmatchcase(difference.path.replace("[", "(").replace("]", ")"),
                                   entry["path"].replace("[", "(").replace("]", ")")):
                self.used.add(number)
                return True
        return False

    def stale(self, programs: set[str]) -> list[str]:
        """Entries for programs that ran, but which covered nothing: they should be deleted."""
        return [
            f"{entry['program']}: {entry['path']}"
            for number, entry in enumerate(self.entries)
            if number not in self.used and fnmatch.filter(programs, entry["program"])
        ]
