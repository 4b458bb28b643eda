"""A network of a test's own, made of Linux' network namespaces: every node has an address and a
link of its own there, which can be taken away.

    test's namespace            10.77.0.1   bridge; clients
                                10.77.0.2   the same; brokers
      |- link of node 1         10.77.0.11  namespace of node 1
      `- link of node 2         10.77.0.12  namespace of node 2

Nothing in it can be reached from outside, and it is gone with the processes in it.
"""

import os
import shutil
import subprocess
import sys

HOST, BROKERS = "10.77.0.1", "10.77.0.2"
NOBODY = "02:00:00:00:00:01"  # a hardware address that no link has
TOOLS = ("unshare", "nsenter", "ip")
# The first where the kernel trusts us, the second where anybody may be root of their own.
WAYS = (("unshare", "--net"), ("unshare", "--map-root-user", "--net"))
OUTER = "PD_TEST_OUTER_NETWORK"  # in the environment: the namespace we came from


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")


class Link:
    """A namespace with one address, joined to the test's by a link."""

    def __init__(self, number: int):
        self.host = f"10.77.0.{10 + number}"
        self._name = f"node{number}"
        # Holds the namespace while its node does not run, and ends with this process: its input
        # does. That it echoes says that the namespace is there.
        self._holder = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, bufsize=0)
        self._holder.stdin.write(b"\n")
        if not self._holder.stdout.read(1):
            raise RuntimeError("unshare --net: no namespace for a node")
        holder = str(self._holder.pid)
        # Before a command: runs it there, in the same process.
        self.enter = ("nsenter", "--target", holder, "--net", "--")
        run("ip", "link", "add", self._name, "type", "veth", "peer", "eth0", "netns", holder)
        run("ip", "link", "set", self._name, "master", "bridge", "up")
        run(*self.enter, "ip", "address", "add", f"{self.host}/24", "dev", "eth0")
        for name in ("lo", "eth0"):
            run(*self.enter, "ip", "link", "set", name, "up")

    def cut(self) -> None:
        """From now on packets vanish; nobody is told."""
        run("ip", "link", "set", self._name, "down")

    def mend(self) -> None:
        run("ip", "link", "set", self._name, "up")

    def lose(self, host: str) -> None:
        """From now on what goes out to that host vanishes; what it sends arrives."""
        run(*self.enter, "ip", "neighbour", "replace", host, "lladdr", NOBODY,
            "nud", "permanent", "dev", "eth0")

    def find(self, host: str) -> None:
        """Again, what lose() lost."""
        run(*self.enter, "ip", "neighbour", "delete", host, "dev", "eth0")

    def close(self) -> None:
        self._holder.stdin.close()
        self._holder.stdout.close()
        self._holder.wait()


class Network:
    """The test's side: HOST, BROKERS. The process must be in a namespace of its own: see
    enter()."""

    def __init__(self) -> None:
        assert is_private(), "not in the network that others use"
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "bridge", "type", "bridge")
        for host in (HOST, BROKERS):
            run("ip", "address", "add", f"{host}/24", "dev", "bridge")
        run("ip", "link", "set", "bridge", "up")

    def link(self, number: int) -> Link:
        """For node `number`, counted from 1."""
        return Link(number)


def _own() -> str:
    return os.readlink("/proc/self/ns/net")


def is_private() -> bool:
    return os.environ.get(OUTER, _own()) != _own()


def enter(module: str, arguments: list[str]) -> str:
    """Begins `python -m module` anew in a private network, in this process, and so does not
    return; else the reason why there can be none."""
    if missing := [tool for tool in TOOLS if not shutil.which(tool)]:
        return f"no {', '.join(missing)} here"
    os.environ[OUTER] = _own()
    reasons = []
    for way in WAYS:
        python = [*way, sys.executable, "-m"]
        trial = subprocess.run([*python, __name__], capture_output=True, text=True, check=False)
        if trial.returncode == 0:
            sys.stdout.flush()
            os.execvp(way[0], [*python, module, *arguments])
        reasons.append((trial.stderr.strip() or "it ended without a word").splitlines()[-1])
    return "; ".join(dict.fromkeys(reasons))


if __name__ == "__main__":
    Network().link(1).close()  # the trial: may we do that here?
