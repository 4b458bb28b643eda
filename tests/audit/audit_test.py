"""`perdure log verify | rebuild | at` on a log that a real server wrote under load.

    audit_test.py PERDURE PD_BENCH LOG_TAMPER

What is whole is proven; whatever is altered is found and named. """

import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

PERDURE, PD_BENCH, LOG_TAMPER = sys.argv[1:4]
PATIENCE_S = 120


def run(*command, code=0):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          timeout=PATIENCE_S, check=False)
    if done.returncode != code:
        sys.exit(f"{command}: exit code {done.returncode}, not {code}\n{done.stdout[-2000:]}"
                 f"\n{done.stderr[-2000:]}")
    return done.stdout


def check(condition, text):
    if not condition:
        sys.exit(text)


class Server:
    def __init__(self, data):
        self.process = subprocess.Popen([PERDURE, "dev", "--data", data, "--port", "0"],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        text=True)
        line = self.process.stdout.readline()
        self.address = re.search(r"address ([\d.:]+)", line).group(1)

    def load(self):
        run(PD_BENCH, "workflows", "--seconds", "2", "--concurrency", "16",
            "--address", self.address)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        check(self.process.wait(PATIENCE_S) == 0, "the server did not stop well")


def dump(data, *options):
    lines = run(PERDURE, "log", "dump", "--data", data, *options).splitlines()
    return [json.loads(line) for line in lines]


def whole_log(root, data):
    """Two owners wrote: it is proven, and the state is what it means, also beside the server."""
    server = Server(data)
    server.load()
    server.stop()
    server = Server(data)
    server.load()
    proven = json.loads(run(PERDURE, "log", "verify", "--data", data, "--json"))
    check(proven["proven"] and all(p["owners"] == 2 for p in proven["partitions"]), str(proven))
    run(PERDURE, "log", "rebuild", "--data", data, "--out", root / "beside",
        "--compare", data / "state")
    server.stop()
    told = run(PERDURE, "log", "rebuild", "--data", data, "--out", root / "out",
               "--compare", data / "state")
    check(told.count("the server's state is what the log means") == 4, told)
    check("records/s" in told, told)


def differing_state(root, data):
    """The state of partition 1 in the place of 0: every table that differs is named."""
    strange = root / "strange"
    run("cp", "-r", root / "out" / "state", strange)
    run("rm", "-r", strange / "0")
    run("cp", "-r", strange / "1", strange / "0")
    told = run(PERDURE, "log", "rebuild", "--data", data, "--out", root / "out2",
               "--compare", strange, "--partition", "0", code=1)
    check("DIFFERS" in told or "running hash is not the log's" in told, told)
    check("table executions:" in told and "table history:" in told, told)


def workflow_at(data):
    """As it was at each of its records; before the first there was none."""
    one = next(line["record"]["body"]["transition"] for line in dump(data, "--partition", "2")
               if "CAUSE_START_WORKFLOW_TASK" in json.dumps(line))
    workflow_id = one["workflow_id"]
    records = dump(data, "--workflow-id", workflow_id)
    times = sorted({line["record"]["time_ns"] for line in records})
    lengths = []
    for time_ns in times:
        then = json.loads(run(PERDURE, "log", "at", "--data", data, "--workflow-id", workflow_id,
                              "--time", time_ns))
        events = then["history"]["events"]
        check(then["recordTimeNs"] == time_ns, str(then)[:500])
        check([event["event_id"] for event in events] == list(range(1, len(events) + 1)),
              "event ids")
        info = then["describe"]["workflow_execution_info"]
        check(info["history_length"] == len(events), str(info))
        lengths.append(len(events))
    check(lengths == sorted(lengths) and lengths[0] < lengths[-1], str(lengths))
    run(PERDURE, "log", "at", "--data", data, "--workflow-id", workflow_id, "--time",
        times[0] - 1, code=1)
    few = dump(data, "--partition", "2", "--from", "5", "--to", "9")
    check([line["offset"] for line in few] == [5, 6, 7, 8], str(few)[:500])


def tampered(root, data):
    """A flipped byte, a removed record, two in another order: found, and the place is named."""
    run(LOG_TAMPER, data, root / "none", 0, "none", 0)
    run(PERDURE, "log", "verify", "--data", root / "none")
    for action, offset in [("flip", 40), ("flip", 41), ("remove", 40), ("swap", 40), ("flip", 0),
                           ("remove", 0)]:
        copy = root / f"{action}-{offset}"
        run(LOG_TAMPER, data, copy, 1, action, offset)
        told = run(PERDURE, "log", "verify", "--data", copy, code=1)
        found = json.loads(run(PERDURE, "log", "verify", "--data", copy, "--json", code=1))
        wrong = [p["partition"] for p in found["partitions"] if p["findingCount"]]
        check(not found["proven"] and wrong == [1], f"{action} {offset}: {wrong}\n{told}")
        findings = found["partitions"][1]["findings"]
        named = {int(number) for finding in findings
                 for number in re.findall(r"\b(?:record|from) (\d+)", finding["text"])}
        check(named & {offset - 1, offset, offset + 1, offset + 2},
              f"{action} {offset} is not named: {findings}")
        check(found["partitions"][1]["provenOffset"] <= offset + 1, str(found)[:1000])


def main():
    with tempfile.TemporaryDirectory(prefix="perdure-audit-") as directory:
        root = pathlib.Path(directory)
        data = root / "data"
        whole_log(root, data)
        differing_state(root, data)
        workflow_at(data)
        tampered(root, data)
    print("the audit finds what there is to find")


main()
