#!/usr/bin/env python3
"""Explicit-state check of how commands travel between partitions and in from mapped topics.

A source (the outbox of a partition, or a mapped topic that its owner reads) has MESSAGES messages
for one target partition, numbered 1, 2, 3 … The source's owner sends them down a pipeline to the
target's `commands` topic; whoever may write there also puts a command without a number (0) in. The
target's owner reads `commands`, and what it accepts becomes a record of its own log, with the
offset up to which it has read. Which records of a log count is not the matter here (the model of
ownership has that): records of a deposed owner are left out, and so are its Progress records.

What may happen, in every interleaving:
  - a send is lost, or lands and its outcome stays unknown; what was sent behind it in the same
    pipeline may land all the same, at any time later; the owner opens a new pipeline and sends
    again from the first number that was not acknowledged;
  - the source changes hands: the successor knows only a mark that was recorded, now and then, of
    what was acknowledged; its predecessor does not know of it and goes on sending;
  - the target changes hands: of the records it appended a first part counts, the rest never will.

Checked: in every state the target has applied 1, 2, 3 … in this order, each once, and nothing
twice that has no number; and when nothing need happen any more, it has applied everything.

Usage: numbers_model.py [all|more|NAME]: the rules; the rules and every variant; the rules with two
faults (minutes); one variant, and how it breaks. Each variant must break:
"""
import sys

VARIANTS = {
    "watermark": "accepting every number above the last one: what was lost on the way is swallowed",
    "unnumbered": "accepting whatever comes: repeats are applied again",
    "oneagain": "sending only the lost one again: what followed it was ignored, and is lost",
    "earlymark": "marking what was sent instead of what was acknowledged",
    "tornmark": "a mark whose number is that of what was sent: the same message gets two numbers",
    "readmark": "a target's successor reads on from where its predecessor had read, not recorded",
    "rescan": "a target's successor reads from the start: numbers guard messages, nothing the rest",
}
MESSAGES, FAULTS, SOURCES, TARGETS = 2, 1, 2, 2
OPTIONAL = ("lost", "unknown", "source changes hands", "target changes hands")
MODE = ""


def start():
    """commands; sources (mark it began with, acknowledged or None when it is gone, sent, shift of
    its numbers, pipelines: what is under way in each, and whether it is broken); plain commands
    left; target (read, accepted, length of the log when it began); its log; furthest read (of
    interest for readmark only); faults and takeovers left.
    """
    source = (0, 0, 0, 0, (((), False),))
    return ((), (source,), 1, (0, 0, 0), (), 0, FAULTS, TARGETS - 1)


def put(items, k, item):
    return items[:k] + (item,) + items[k + 1:]


def source_steps(state, i):
    commands, sources, plain, target, log, seen, faults, takeovers = state
    mark, acked, sent, shift, pipes = sources[i]

    def become(source, commands=commands, faults=faults):
        return (commands, put(sources, i, source), plain, target, log, seen, faults, takeovers)

    if sent < MESSAGES and acked is not None:
        queue, broken = pipes[-1]
        pipe = (queue + ((sent + 1, sent + 1 + shift),), broken)
        yield ("send", i, sent + 1), become((mark, acked, sent + 1, shift, pipes[:-1] + (pipe,)))
    for p, (queue, broken) in enumerate(pipes):
        if not queue:
            continue
        landed, rest = commands + (queue[0],), queue[1:]
        left = put(pipes, p, (rest, broken))
        if broken:  # it was reported as failed; it may land or not
            yield ("lands late", i, queue[0]), become((mark, acked, sent, shift, left), landed)
            yield ("lost late", i, queue[0]), become((mark, acked, sent, shift, left))
            continue
        yield ("lands", i, queue[0]), become((mark, acked + 1, sent, shift, left), landed)
        if faults:
            bad = (mark, acked, sent, shift, put(pipes, p, (rest, True)))
            yield ("lost", i, queue[0]), become(bad, faults=faults - 1)
            yield ("unknown", i, queue[0]), become(bad, landed, faults=faults - 1)
    if acked is None:
        return
    if pipes[-1][1] and MODE == "oneagain":
        again = pipes + ((((acked + 1, acked + 1 + shift),), False),)
        yield ("one again", i), become((mark, acked, sent, shift, again))
    elif pipes[-1][1]:
        yield ("new pipeline", i), become((mark, acked, acked, shift, pipes + (((), False),)))


def source_takeovers(state):
    commands, sources, plain, target, log, seen, faults, takeovers = state
    mark, acked, sent, shift, pipes = sources[-1]

    for through in range(mark, (sent if MODE == "earlymark" else acked) + 1):
        for number in range(through, (sent if MODE == "tornmark" else through) + 1):
            successor = (through, through, through, shift + number - through, (((), False),))
            gone = (mark, None, sent, shift, tuple((queue, True) for queue, _ in pipes))
            for before in (sources[-1], gone):
                yield ("source changes hands", through, number, before), \
                    (commands, sources[:-1] + (before, successor), plain, target, log, seen,
                     faults, takeovers)


def target_steps(state):
    commands, sources, plain, target, log, seen, faults, takeovers = state
    read, accepted, began = target

    if read < len(commands):
        message, number = commands[read]
        takes = (number == 0 or number == accepted + 1 or MODE == "unnumbered" or
                 (MODE == "watermark" and number > accepted))
        record = ((read + 1, message, number),) if takes else ()
        last = number if takes and number else accepted
        furthest = max(seen, read + 1) if MODE == "readmark" else 0
        yield ("read", message, number), (commands, sources, plain, (read + 1, last, began),
                                          log + record, furthest, faults, takeovers)
    for count in range(began, len(log) + 1) if takeovers else ():
        counts = log[:count]
        through = counts[-1][0] if counts else 0
        through = {"readmark": seen, "rescan": 0}.get(MODE, through)
        last = max([number for _, _, number in counts] or [0])
        yield ("target changes hands", counts), (commands, sources, plain, (through, last, count),
                                                 counts, seen, faults, takeovers - 1)


def successors(state):
    commands, sources, plain, target, log, seen, faults, takeovers = state
    if plain:
        yield ("plain",), (commands + ((0, 0),), sources, plain - 1, target, log, seen, faults,
                           takeovers)
    if len(sources) < SOURCES:
        yield from source_takeovers(state)
    for i in range(len(sources)):
        yield from source_steps(state, i)
    yield from target_steps(state)


def fault(state, is_end):
    log = state[4]
    messages = [message for _, message, number in log if number]
    plain = [offset for offset, _, number in log if not number]
    if messages != list(range(1, len(messages) + 1)):
        return f"applied {messages}"
    if len(plain) != len(set(plain)):
        return "a command without a number was applied twice"
    if is_end and (len(messages) < MESSAGES or not plain):
        return f"nothing need happen any more; applied are {messages} and {len(plain)} others"
    return None


def explore():
    """The number of states and None; or what broke, and how."""
    first = start()
    came_from, todo = {first: None}, [first]
    while todo:
        state = todo.pop()
        steps = list(successors(state))
        problem = fault(state, all(action[0] in OPTIONAL for action, _ in steps))
        if problem:
            path = []
            while came_from[state]:
                action, state = came_from[state]
                path.append(action)
            return problem, path[::-1]
        for action, new in steps:
            if new not in came_from:
                came_from[new] = (action, state)
                todo.append(new)
    return len(came_from), None


def run(mode):
    global MODE
    MODE = mode
    result, path = explore()
    if path is None:
        print(f"{mode or 'the rules'}: holds in all {result} states")
    else:
        print(f"{mode or 'the rules'}: breaks: {result}")
        if len(sys.argv) > 1 and sys.argv[1] == mode:
            print(*path, sep="\n")
    return (path is None) == (mode == "")


if __name__ == "__main__":
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    if wanted == "more":  # minutes
        wanted, FAULTS = "", 2
    modes = ["", *VARIANTS] if wanted == "all" else [wanted]
    if wanted in ("-h", "--help"):
        print(__doc__.strip(), *(f"  {name}: {text}" for name, text in VARIANTS.items()), sep="\n")
        sys.exit(0)
    results = [run(mode) for mode in modes]
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    sys.exit(0 if all(results) else 1)
