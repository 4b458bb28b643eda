"""The list of cases: decorated functions of the modules in ../cases."""

import importlib
import pkgutil
from dataclasses import dataclass
from typing import Callable


@dataclass
class Case:
    group: str
    name: str
    function: Callable
    own_server: bool
    last: bool


class Skip(Exception):
    """This machine cannot run the case; says why."""


CASES: list[Case] = []


def case(
    function: Callable | None = None, *, own_server: bool = False, last: bool = False
) -> Callable:
    """A case on the shared server; own_server: it starts and breaks servers of its own; last: after
    all others."""
    def add(function: Callable) -> Callable:
        group = function.__module__.rsplit(".", 1)[1]
        CASES.append(Case(group, function.__name__, function, own_server, last))
        return function

    return add(function) if function else add


def load() -> list[Case]:
    from .. import cases

    for module in sorted(info.name for info in pkgutil.iter_modules(cases.__path__)):
        importlib.import_module(f"{cases.__name__}.{module}")
    return sorted(CASES, key=lambda found: (found.last, found.own_server))
