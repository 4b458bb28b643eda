"""The faults. Each breaks one part of a cluster, waits until work goes on, and mends the part."""

import asyncio
import resource
from dataclasses import dataclass
from typing import Awaitable, Callable

from .rounds import Round

# Longer than it takes to be taken for dead, so that a successor has worked when the zombie wakes.
PAUSE_S = 20.0
CALM_S = 1.0  # about as long as a hand-over of all that a node owns
NEED_LINKS = {"cut_off", "brokers_lost"}  # nodes with links of their own: tests/cluster/network.py


@dataclass
class Fault:
    name: str
    play: Callable[[Round], Awaitable[None]]
    about: str


FAULTS: dict[str, Fault] = {}


def fault(play: Callable[[Round], Awaitable[None]]) -> Callable[[Round], Awaitable[None]]:
    FAULTS[play.__name__] = Fault(play.__name__, play, (play.__doc__ or "").splitlines()[0])
    return play


@fault
async def owner_killed(now: Round) -> None:
    """SIGKILL of a partition's owner."""
    owner = await now.owner()
    await owner.kill()
    now.interrupted()
    await now.goes_on()
    await owner.start()


@fault
async def owner_paused(now: Round) -> None:
    """SIGSTOP of a partition's owner; it wakes when others have worked in its place."""
    owner = await now.owner()
    owner.pause()
    now.interrupted()
    try:
        await now.goes_on()
        await now.load_goes_on()
        await now.load_for(now.pause_s)
    finally:
        owner.resume()
    await now.load_for(1)


@fault
async def cut_off(now: Round) -> None:
    """The network of a partition's owner is taken away for longer than it takes to be replaced."""
    owner = await now.owner()
    if not await now.acknowledged_beside(owner):
        now.complain(f"{owner.name} acknowledges nothing beside it while it has a network")
    owner.cut()
    now.interrupted()
    try:
        await asyncio.gather(now.goes_on(), now.load_goes_on(),
                             now.nothing_acknowledged_beside(owner, now.pause_s))
        await now.cluster.settled()  # without it
        now.load.failed()
    finally:
        owner.mend()
    await now.takes_part(owner)
    await now.load_for(1)


@fault
async def brokers_lost(now: Round) -> None:
    """What a partition's owner sends to the brokers vanishes; its peers and clients still reach it.
    """
    owner = await now.owner()
    owner.lose_brokers()
    now.interrupted()
    try:
        await asyncio.gather(now.goes_on(), now.load_goes_on(), now.says_serving(owner, False))
        await now.cluster.settled()  # without it
        await now.works_at(owner)  # by the way of the others
    finally:
        owner.find_brokers()
    await now.takes_part(owner)
    await now.says_serving(owner, True)
    await now.load_for(1)


@fault
async def owner_stopped(now: Round) -> None:
    """SIGTERM of a partition's owner: a planned hand-over of all that it owns."""
    await now.cluster.at_rest()  # else it is also the last node's return that is measured
    owner = await now.owner()
    await now.calm(CALM_S)
    now.watch()
    await now.load_for(0.2)
    code = await owner.terminate()
    await now.changes()
    if code != 0:
        now.complain(f"{owner.name} ended with {code} after SIGTERM")
    await owner.start()


@fault
async def state_lost(now: Round) -> None:
    """SIGKILL, and its state directory is deleted."""
    owner = await now.owner()
    await owner.kill()
    now.interrupted()
    owner.forget_state()
    await now.goes_on()
    await owner.start()


@fault
async def disk_full(now: Round) -> None:
    """No file of a partition's owner may grow: RocksDB cannot write."""
    owner = await now.owner()
    resource.prlimit(owner.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    now.interrupted()
    await now.load_for(3)
    await now.goes_on()
    if owner.running:
        resource.prlimit(owner.process.pid, resource.RLIMIT_FSIZE,
                         (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await owner.kill()
    await owner.start()


@fault
async def broker_killed(now: Round) -> None:
    """SIGKILL of the broker that leads a partition's events."""
    kafka, broker = now.cluster.kafka, now.leader()
    kafka.kill(broker)
    now.interrupted()
    await now.goes_on()
    kafka.restart(broker, wait=False)
    await now.load_for(3)
    await asyncio.to_thread(kafka.wait_ready)


@fault
async def broker_paused(now: Round) -> None:
    """SIGSTOP of the broker that leads a partition's events."""
    kafka, broker = now.cluster.kafka, now.leader()
    kafka.pause(broker)
    now.interrupted()
    try:
        await now.load_for(min(now.pause_s, 8))
    finally:
        kafka.resume(broker)
    await now.goes_on()
