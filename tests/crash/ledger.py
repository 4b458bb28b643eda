"""What clients and workers were told: every acknowledgement and every event that somebody has
read."""

from dataclasses import dataclass, field

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent


def kind(event: HistoryEvent) -> str:
    """The event's type without its prefix."""
    return EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")


def digest(event: HistoryEvent) -> bytes:
    return event.SerializeToString(deterministic=True)


def settled(events: list[HistoryEvent]) -> list[bytes]:
    """The events that are here to stay: a repeated workflow task at the end is only shown, not
    recorded."""
    count = len(events)
    if count and kind(events[count - 1]) == "WORKFLOW_TASK_STARTED":
        count -= 1
    if count and kind(events[count - 1]) == "WORKFLOW_TASK_SCHEDULED":
        count -= 1
    return [digest(event) for event in events[:count]]


@dataclass
class Ledger:
    """Ids of things are theirs alone: a signal, a completion or a workflow task occurs in one
    history, once."""

    starts: dict[str, str] = field(default_factory=dict)  # workflow id: run id
    signals: dict[str, str] = field(default_factory=dict)  # signal id: workflow id
    activities: dict[str, str] = field(default_factory=dict)  # id of the result: workflow id
    tasks: dict[str, str] = field(
        default_factory=dict
    )  # identity that completed a workflow task: workflow id
    reads: dict[str, list[bytes]] = field(
        default_factory=dict
    )  # workflow id: longest history that was read
    wrong: list[str] = field(default_factory=list)  # what was wrong at once
    unknown: int = 0  # calls without an answer
    refused: int = 0  # completions that came too late

    def started(self, wid: str, run_id: str) -> None:
        """A start, or a repeated one, which must name the same run."""
        if self.starts.setdefault(wid, run_id) != run_id:
            self.wrong.append(
                f"{wid}: a repeated start answers run {run_id}, before {self.starts[wid]}"
            )

    def read(self, wid: str, events: list[HistoryEvent]) -> None:
        """A history as somebody saw it: what was seen once never changes."""
        seen, known = settled(events), self.reads.get(wid, [])
        common = min(len(seen), len(known))
        if seen[:common] != known[:common]:
            self.wrong.append(f"{wid}: events that were read have changed")
        if len(seen) >= len(known):
            self.reads[wid] = seen

    @property
    def acknowledged(self) -> int:
        return len(self.starts) + len(self.signals) + len(self.activities) + len(self.tasks)
