"""`python -m tests.faults`: breaks a cluster under load, part by part, and counts what it had
promised."""

import argparse
import asyncio
import random
import re
import secrets
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.cluster.cluster import BINARY, Cluster, partition_of
from tests.cluster.network import Network, enter, is_private
from tests.crash import checker
from tests.crash.__main__ import Report
from tests.crash.load import Load
from tests.kafka.config import libs
from tests.parity.harness.server import ROOT

from .faults import FAULTS, NEED_LINKS, PAUSE_S
from .ingestion import Feed
from .report import table, write
from .rounds import Round

DRAIN_TIMEOUT_S = 90
DENIED = r'workflow (?:execution )?not found for (?:workflow )?ID:? "?([\w-]+)'
BENCH = ROOT / "build/release/pd-bench"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.faults", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, help="repeats the choices of an earlier run")
    parser.add_argument("--only", action="append", choices=sorted(FAULTS), metavar="FAULT")
    parser.add_argument("--list", action="store_true", help="list the faults and stop")
    parser.add_argument("--pause", type=float, default=PAUSE_S, help="seconds a zombie sleeps")
    parser.add_argument("--open", type=int, default=0, metavar="N",
                        help="workflows that are open all the time, beside the load's")
    parser.add_argument("--clients", type=int, default=24, help="of the load, at once")
    parser.add_argument("--binary", type=Path, default=BINARY)
    parser.add_argument("--report", type=Path, help="write what was seen as a page")
    parser.add_argument("--keep", action="store_true", help="keep the data if something fails")
    options = parser.parse_args()
    if options.clients < 1:
        parser.error("--clients: what they are told is what is checked; at least one")
    return options


async def play_round(number: int, name: str, now: Round) -> None:
    before = now.load.ledger.acknowledged
    await FAULTS[name].play(now)
    now.load.failed()
    felt = ", ".join(f"{felt_s:.2f} s" for felt_s in now.felt_s) or "-"
    if now.calm_s:
        slowest = (", ".join(f"{one_s:.2f} s" for one_s in some)
                   for some in (now.slowest_s, now.calm_s))
        felt += " (slowest calls {}; before {})".format(*slowest)
    back = f"; owner again after {now.back_s:.1f} s" if now.back_s is not None else ""
    print(f"round {number:3}: {name:14} partition {now.partition}: acknowledged again after {felt}"
          f"{back}; {now.load.ledger.acknowledged - before} acknowledged meanwhile", flush=True)


async def examine(cluster: Cluster, load: Load, feed: Feed, report: Report) -> None:
    """Afterwards everything is whole, and what was promised is there."""
    report("every partition has an owner again", await complaints_of(cluster.settled()))
    report("all workflows finish", await load.drain(DRAIN_TIMEOUT_S))
    report("every record of a mapped topic is one signal, in order", await feed.check(load))
    runs = await load.runs()
    ledger = load.ledger
    print(f"       {len(ledger.starts)} starts, {len(ledger.signals)} signals, "
          f"{len(ledger.activities)} activities, {len(ledger.tasks)} workflow tasks acknowledged; "
          f"{ledger.unknown} calls without answer, {ledger.refused} answers too late")
    report("what was acknowledged is in one history, once", checker.check(ledger, runs))
    report("the checker notices every kind of loss", checker.unnoticed(ledger, runs))
    for node in cluster.nodes:
        code = await node.terminate()
        report(f"SIGTERM ends {node.name}", [] if code == 0 else [f"exit code {code}",
                                                                 node.output()])
    done = await asyncio.to_thread(cluster.perdure, "log", "verify")
    report("the topics' hash chains and histories hold",
           [] if done.returncode == 0 else [done.stdout[-2000:], done.stderr[-2000:]])


def explain(cluster: Cluster, text: str) -> None:
    """Of a workflow that a server denies: what the log has of it, and what the nodes did with its
    partition."""
    if not (denied := re.search(DENIED, text)):
        return
    wid = denied.group(1)
    partition = partition_of(wid, cluster.partitions)
    dumped = cluster.perdure("log", "dump", "--workflow-id", wid)
    print(f"--- {wid} in the log:")
    for line in (dumped.stdout or dumped.stderr).splitlines()[:20]:
        print(line[:240])
    for node in cluster.nodes:
        print(f"--- {node.name} and partition {partition}:")
        lines = (Path(node.directory) / "output").read_text(errors="replace").splitlines()
        print("\n".join([line[:240] for line in lines
                         if f"partition={partition} " in f"{line} "][-30:]))
    sys.stdout.flush()


async def open_workflows(cluster: Cluster, count: int) -> None:
    """Workflows that wait for ever: what an owner has to take over."""
    opening = await asyncio.create_subprocess_exec(
        BENCH, "idle", "--workflows", str(count), "--address", cluster.nodes[0].address,
        stdout=asyncio.subprocess.PIPE)
    told, _ = await opening.communicate()
    if opening.returncode != 0:
        raise RuntimeError(f"{BENCH} ended with {opening.returncode}: {told.decode()}")


async def complaints_of(waiting) -> list[str]:
    try:
        await waiting
    except RuntimeError as failed:
        return [str(failed)]
    return []


async def play(options: argparse.Namespace, seed: int, report: Report,
               network: Network | None) -> list:
    chance = random.Random(seed)
    names = options.only or [name for name in FAULTS if network or name not in NEED_LINKS]
    order = [names[number % len(names)] for number in range(options.rounds)]
    chance.shuffle(order)
    with tempfile.TemporaryDirectory(prefix="perdure-feed-") as directory:
        feed = Feed(Path(directory))
        async with Cluster(binary=options.binary, options=feed.options,
                           network=network) as cluster:
            load = Load(cluster.address, seed, options.clients)
            return await play_on(cluster, load, feed, options, chance, order, report)


async def play_on(cluster: Cluster, load: Load, feed: Feed, options: argparse.Namespace,
                  chance: random.Random, order: list[str], report: Report) -> list:
    told, now = [], None
    try:
        if options.open:
            await open_workflows(cluster, options.open)
        load.start()
        await feed.start(cluster)
        for number, name in enumerate(order, 1):
            now = Round(cluster, load, chance, options.pause)
            await play_round(number, name, now)
            told += [(name, felt_s) for felt_s in now.felt_s]
            told += [(f"{name}, slowest call", slowest_s) for slowest_s in now.slowest_s]
            told += [(f"{name}, … before", calm_s) for calm_s in now.calm_s]
            report(f"round {number}: {name}", now.complaints)
        await examine(cluster, load, feed, report)
    except Exception as failed:
        traceback.print_exception(failed)
        await asyncio.to_thread(explain, cluster, str(failed))
        lines = now.complaints if now else []
        lines += [f"{node.name}: {line}" for node in cluster.nodes
                  for line in node.output().splitlines()[-8:]]
        report(f"the test came to its end: {failed!r}", lines)
    finally:
        cluster.keep = options.keep and report.failed > 0
        feed.close()
        await load.close()
    return told


def private_network(options: argparse.Namespace) -> Network | None:
    """Begins the whole test anew in a network of its own, where that is possible."""
    if is_private():
        return Network()
    libs()  # from inside nothing can be fetched
    reason = enter("tests.faults", sys.argv[1:])
    if wanted := sorted(NEED_LINKS.intersection(options.only or [])):
        sys.exit(f"{', '.join(wanted)}: needs a private network, and there can be none: {reason}")
    print(f"on loopback, without {', '.join(NEED_LINKS)}: no private network: {reason}", flush=True)
    return None


def main() -> int:
    """Returns the exit code."""
    options = arguments()
    if options.list:
        print("\n".join(f"{one.name:16} {one.about}" for one in FAULTS.values()))
        return 0
    network = private_network(options)
    seed = secrets.randbelow(1 << 32) if options.seed is None else options.seed
    print(f"seed {seed}, {options.rounds} rounds", flush=True)
    report, begin = Report(), time.monotonic()
    told = asyncio.run(play(options, seed, report, network))
    print("\n".join(table(told)))
    if options.report:
        write(options.report, options, seed, told, report, network, time.monotonic() - begin)
    print(f"{time.monotonic() - begin:.0f} s; --seed {seed}")
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
