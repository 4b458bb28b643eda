"""Compares the histories at the end with what was acknowledged; and proves that it notices when
something is lost."""

import json
from collections import Counter
from copy import deepcopy
from dataclasses import dataclass
from typing import Callable

from temporalio.api.history.v1 import HistoryEvent

from .ledger import Ledger, digest, kind

SIGNAL_COUNT = 3


@dataclass
class Run:
    """The one run of a workflow, as the server shows it."""

    run_id: str
    events: list[HistoryEvent]


Runs = dict[str, Run]


def first_value(payloads) -> str:
    return json.loads(payloads.payloads[0].data)


def signal_ids(wid: str) -> list[str]:
    """The signals that every workflow gets."""
    return [f"{wid}/s{number}" for number in range(SIGNAL_COUNT)]


def values(runs: Runs, name: str, value: Callable[[HistoryEvent], str]) -> dict[str, list[str]]:
    """What events of one type say, and in which workflows."""
    found: dict[str, list[str]] = {}
    for wid, run in runs.items():
        for event in run.events:
            if kind(event) == name:
                found.setdefault(value(event), []).append(wid)
    return found


def misplaced(what: str, acknowledged: dict[str, str], found: dict[str, list[str]]) -> list[str]:
    """Everything acknowledged is in its history, and whatever is in a history is there once."""
    lost = [
        f"{what} {key} was acknowledged and is in no history"
        for key in acknowledged
        if key not in found
    ]
    elsewhere = [f"{what} {key} is in {found[key]} instead of {wid}"
                 for key, wid in acknowledged.items() if key in found and found[key][0] != wid]
    repeated = [
        f"{what} {key} occurs {len(wids)} times: {wids}"
        for key, wids in found.items()
        if len(wids) > 1
    ]
    return lost + elsewhere + repeated


def wrong_history(wid: str, events: list[HistoryEvent]) -> list[str]:
    """The shape that every history here has at the end."""
    wrong = []
    if [event.event_id for event in events] != list(range(1, len(events) + 1)):
        wrong.append(f"{wid}: its history has gaps")
    if not events or kind(events[-1]) != "WORKFLOW_EXECUTION_COMPLETED":
        return [
            *wrong,
            f"{wid}: is not completed but ends in {', '.join(map(kind, events[-3:])) or 'nothing'}",
        ]
    count = Counter(kind(event) for event in events)
    expected = {"WORKFLOW_EXECUTION_STARTED": 1, "WORKFLOW_EXECUTION_SIGNALED": SIGNAL_COUNT,
                "ACTIVITY_TASK_SCHEDULED": SIGNAL_COUNT, "ACTIVITY_TASK_STARTED": SIGNAL_COUNT,
                "ACTIVITY_TASK_COMPLETED": SIGNAL_COUNT, "TIMER_STARTED": 1, "TIMER_FIRED": 1,
                "WORKFLOW_EXECUTION_COMPLETED": 1}
    wrong += [f"{wid}: {count[name]} events {name} instead of {number}"
              for name, number in expected.items() if count[name] != number]
    return wrong


def wrong_start(ledger: Ledger, runs: Runs) -> list[str]:
    """Every acknowledged start is there, as the run that was named."""
    wrong = []
    for wid, run_id in ledger.starts.items():
        if wid not in runs:
            wrong.append(f"start {wid} was acknowledged and is not there")
        elif runs[wid].run_id != run_id:
            wrong.append(f"start {wid} was acknowledged as run {run_id} and is {runs[wid].run_id}")
    return wrong


def wrong_reads(ledger: Ledger, runs: Runs) -> list[str]:
    """What was read during the crashes is a beginning of what is there at the end."""
    return [
        f"{wid}: events that were read are not in the history"
        for wid, seen in ledger.reads.items()
        if wid in runs and [digest(event) for event in runs[wid].events[: len(seen)]] != seen
    ]


def check(ledger: Ledger, runs: Runs) -> list[str]:
    """All complaints; none if every promise was kept."""
    wrong = list(ledger.wrong) + wrong_start(ledger, runs) + wrong_reads(ledger, runs)
    signals = values(
        runs,
        "WORKFLOW_EXECUTION_SIGNALED",
        lambda event: first_value(event.workflow_execution_signaled_event_attributes.input),
    )
    results = values(
        runs,
        "ACTIVITY_TASK_COMPLETED",
        lambda event: first_value(event.activity_task_completed_event_attributes.result),
    )
    tasks = values(runs, "WORKFLOW_TASK_COMPLETED",
                   lambda event: event.workflow_task_completed_event_attributes.identity)
    wrong += misplaced("signal", ledger.signals, signals)
    wrong += misplaced("activity result", ledger.activities, results)
    wrong += misplaced("workflow task", ledger.tasks, tasks)
    for wid, run in runs.items():
        wrong += wrong_history(wid, run.events)
        wrong += [
            f"{wid}: never got signal {key}"
            for key in signal_ids(wid)
            if wid not in signals.get(key, [])
        ]
    return wrong


def differences(before: Runs, after: Runs) -> list[str]:
    """Two servers' answers about the same workflows, byte by byte."""
    wrong = [f"{wid}: is only on one side" for wid in before.keys() ^ after.keys()]
    for wid in before.keys() & after.keys():
        one, other = before[wid], after[wid]
        if one.run_id != other.run_id or list(map(digest, one.events)) != list(
            map(digest, other.events)
        ):
            wrong.append(f"{wid}: the history is another one")
    return wrong


# ---- the checker is checked ----


def drop(name: str) -> Callable[[Ledger, Runs, str], None]:
    """A server that lost an event of this type (and renumbered the rest, so that no gap tells)."""

    def sabotage(_: Ledger, runs: Runs, wid: str) -> None:
        events = runs[wid].events
        del events[next(index for index, event in enumerate(events) if kind(event) == name)]
        for number, event in enumerate(events, 1):
            event.event_id = number

    return sabotage


def repeat(name: str) -> Callable[[Ledger, Runs, str], None]:
    """A server that did something twice."""

    def sabotage(_: Ledger, runs: Runs, wid: str) -> None:
        events = runs[wid].events
        index = next(index for index, event in enumerate(events) if kind(event) == name)
        events.insert(index, deepcopy(events[index]))
        for number, event in enumerate(events, 1):
            event.event_id = number

    return sabotage


def acknowledge(kind_of: str) -> Callable[[Ledger, Runs, str], None]:
    """A server that acknowledged what it never kept."""
    return lambda ledger, _, wid: getattr(ledger, kind_of).update({"never kept": wid})


def change_run(_: Ledger, runs: Runs, wid: str) -> None:
    runs[wid].run_id = "another"


def lose_workflow(_: Ledger, runs: Runs, wid: str) -> None:
    del runs[wid]


def leave_gap(_: Ledger, runs: Runs, wid: str) -> None:
    del runs[wid].events[4]


def leave_open(_: Ledger, runs: Runs, wid: str) -> None:
    runs[wid].events.pop()


def move_signal(_: Ledger, runs: Runs, wid: str) -> None:
    """A signal in another workflow's history."""
    other = next(name for name in runs if name != wid)
    event = next(
        event for event in runs[wid].events if kind(event) == "WORKFLOW_EXECUTION_SIGNALED"
    )
    runs[other].events.insert(-1, deepcopy(event))


def change_read(ledger: Ledger, _: Runs, wid: str) -> None:
    ledger.reads[wid] = [b"what somebody saw"]


SABOTAGES = {
    "a lost start": lose_workflow,
    "another run": change_run,
    "a start that was never kept": acknowledge("starts"),
    "a signal that was never kept": acknowledge("signals"),
    "a result that was never kept": acknowledge("activities"),
    "a task that was never kept": acknowledge("tasks"),
    "a lost signal": drop("WORKFLOW_EXECUTION_SIGNALED"),
    "a lost result": drop("ACTIVITY_TASK_COMPLETED"),
    "a lost task": drop("WORKFLOW_TASK_COMPLETED"),
    "a repeated signal": repeat("WORKFLOW_EXECUTION_SIGNALED"),
    "a repeated result": repeat("ACTIVITY_TASK_COMPLETED"),
    "a repeated task": repeat("WORKFLOW_TASK_COMPLETED"),
    "a repeated timer": repeat("TIMER_FIRED"),
    "a signal gone astray": move_signal,
    "a gap": leave_gap,
    "an open workflow": leave_open,
    "a read that came to nothing": change_read,
}


def all_acknowledged(ledger: Ledger, wid: str, run: Run) -> bool:
    """The loss of any of its workflow tasks breaks a promise."""
    return wid in ledger.starts and all(
        event.workflow_task_completed_event_attributes.identity in ledger.tasks
        for event in run.events if kind(event) == "WORKFLOW_TASK_COMPLETED")


def unnoticed(ledger: Ledger, runs: Runs) -> list[str]:
    """Sabotages a few good histories in every way; returns what check() did not complain of."""
    wids = [wid for wid, run in runs.items() if all_acknowledged(ledger, wid, run)][:3]
    if len(wids) < 3:
        return ["nothing: too few workflows were acknowledged from beginning to end"]
    sample = {wid: runs[wid] for wid in wids}
    few = Ledger(
        *[
            {key: of for key, of in group.items() if (key if index in (0, 4) else of) in sample}
            for index, group in enumerate(
                (ledger.starts, ledger.signals, ledger.activities, ledger.tasks, ledger.reads)
            )
        ]
    )
    missed = [] if not check(few, sample) else ["nothing: complaints without sabotage"]
    for name, sabotage in SABOTAGES.items():
        spoilt_ledger, spoilt = deepcopy((few, sample))
        sabotage(spoilt_ledger, spoilt, wids[0])
        if not check(spoilt_ledger, spoilt):
            missed.append(name)
        if spoilt_ledger == few and not differences(sample, spoilt):
            missed.append(f"{name} (by comparison)")
    return missed
