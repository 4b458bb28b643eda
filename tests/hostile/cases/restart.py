"""At the very end: everything that the other cases left behind is read again, rebuilt from the log,
and the same."""

import shutil
from pathlib import Path

from ..harness.client import OK, Client
from ..harness.registry import case
from ..harness.runner import Context
from ..harness.server import Server

HISTORY = "GetWorkflowExecutionHistory"


def wids_of(t: Context) -> list[str]:
    """What the cases called their workflows, as far as it exists."""
    dumped = t.dump_workflow_ids()
    return sorted(dumped)


def histories(client: Client, wids: list[str]) -> dict[str, bytes]:
    from temporalio.api.workflowservice.v1 import request_response_pb2 as messages

    found = {}
    for wid in wids:
        request = messages.GetWorkflowExecutionHistoryRequest(
            namespace="default", execution={"workflow_id": wid}
        )
        answer = client.send_method(HISTORY, request.SerializeToString(), 60)
        assert answer.code == OK, f"{wid}: {answer}"
        found[wid] = answer.data
    return found


@case(last=True)
def everything_again(t: Context):
    t.disconnect()
    server: Server = t.server
    code = server.stop()
    assert code == 0 and not server.deaths(), f"ended with {code}\n{server.deaths()}"
    verified = server.verify_log()
    assert verified.returncode == 0, verified.stdout[-1000:] + verified.stderr[-1000:]
    wids = wids_of(t)
    server.start()
    client = Client(server.address)
    before = histories(client, wids)
    client.close()
    server.stop()
    shutil.rmtree(Path(server.data, "state"))
    server.start()
    client = Client(server.address)
    after = histories(client, wids)
    client.close()
    t.note(f"{len(wids)} workflows")
    for wid in wids:
        assert len(before[wid]) == len(
            after[wid]
        ), f"{wid}: {len(before[wid])} and {len(after[wid])} bytes"
    t.connect()
