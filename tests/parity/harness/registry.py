"""The registry of parity programs: a decorated async function is one program."""

import importlib
import pkgutil
from dataclasses import dataclass
from typing import Awaitable, Callable


@dataclass
class Program:
    name: str
    group: str
    run: Callable[..., Awaitable[None]]
    timeout_s: float
    slow: bool


PROGRAMS: dict[str, Program] = {}


def program(function=None, *, timeout_s: float = 60, slow: bool = False):
    """Registers `async def name(t: Session)` as the program `name` of the group (file) it stands
    in.

    Slow programs, which would spoil the others' timing by their load, run only when asked for by
    name or --slow. """

    def register(body):
        name = body.__name__
        assert name not in PROGRAMS, f"two programs are called {name}"
        group = body.__module__.rsplit(".", 1)[-1]
        PROGRAMS[name] = Program(name, group, body, timeout_s, slow)
        return body

    return register(function) if function else register


def load() -> dict[str, Program]:
    """Imports every file under programs/ and returns all programs in order of definition."""
    from .. import programs

    for module in sorted(m.name for m in pkgutil.iter_modules(programs.__path__)):
        importlib.import_module(f"{programs.__name__}.{module}")
    return PROGRAMS
