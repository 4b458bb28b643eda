"""(rule, path): why the rule does not hold there. Nearly empty, and to stay so: an exception needs
a reason that will still be true in a year."""

EXCEPTIONS: dict[tuple[str, str], str] = {}
