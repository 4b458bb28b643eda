"""At the very end: everything that the other cases left behind is read again, rebuilt from the log,
and the same."""

import json
import shutil
from collections import Counter
from pathlib import Path

from temporalio.api.workflowservice.v1 import request_response_pb2 as messages

from ..harness.client import OK, Client
from ..harness.registry import case
from ..harness.runner import Context
from ..harness.server import Server


def started(dump: bytes) -> list[str]:
    """The IDs of all workflows that the log tells of, in the namespace that most of it is about."""
    found: Counter = Counter()
    for line in dump.splitlines():
        transition = json.loads(line).get("record", {}).get("body", {}).get("transition", {})
        if transition.get("workflow_id"):
            found[transition["namespace_id"], transition["workflow_id"]] += 1
    namespace = Counter(namespace for namespace, _ in found).most_common(1)[0][0]
    return sorted(wid for of, wid in found if of == namespace)


def histories(client: Client, wids: list[str]) -> dict[str, bytes]:
    found = {}
    for wid in wids:
        request = messages.GetWorkflowExecutionHistoryRequest(
            namespace="default", execution={"workflow_id": wid}
        )
        answer = client.send_method("GetWorkflowExecutionHistory", request.SerializeToString(), 60)
        assert answer.code == OK, f"{wid}: {answer}"
        found[wid] = answer.data
    return found


def read_again(server: Server, wids: list[str]) -> dict[str, bytes]:
    server.start()
    client = Client(server.address)
    try:
        return histories(client, wids)
    finally:
        client.close()


@case(last=True)
def everything_again(t: Context):
    t.disconnect()
    server: Server = t.server
    code = server.stop()
    assert code == 0 and not server.deaths(), f"ended with {code}\n{server.deaths()}"
    verified = server.log("verify")
    assert verified.returncode == 0, verified.stdout[-1000:] + verified.stderr[-1000:]
    wids = started(server.log("dump", t.release).stdout)
    assert wids, "the log tells of no workflow"
    before = read_again(server, wids)
    code = server.stop()
    assert code == 0, f"ended with {code}"
    shutil.rmtree(Path(server.data, "state"))
    after = read_again(server, wids)
    t.note(f"{len(wids)} workflows")
    for wid in wids:
        assert len(before[wid]) == len(
            after[wid]
        ), f"{wid}: {len(before[wid])} and {len(after[wid])} bytes"
    t.connect()
