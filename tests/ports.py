"""Ports for servers that tests start, and start again on the same port."""

import random
import socket

# Below the range from which the system takes the ports of outgoing connections: one of those must
# not take a server's port while the server is down for a moment.
FIRST, LAST = 20000, 32000


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody uses now, all different."""
    found: set[int] = set()
    for port in random.SystemRandom().sample(range(FIRST, LAST), LAST - FIRST):
        if len(found) == count:
            break
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                found.add(port)
            except OSError:
                continue
    return list(found)


def free_port() -> int:
    return free_ports(1)[0]
