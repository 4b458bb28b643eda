#include "engine/decide/chain.h"

#include "base/assert.h"

void pd_chain_use_current(pd_decision_t *decision, const char *first_run_id)
{
    pd_execution_t *current = NULL;
    pd_error_t error;

    PD_ASSERT(!decision->drafts);
    if (pd_pb_empty(first_run_id) || decision->exec_is_current)
        return;
    if (pd_store_current(decision->store, decision->ns->id, decision->workflow_id, &current,
                         &error) == PD_OK &&
        current) {
        decision->exec = current;
        decision->exec_is_current = true;
    }
}

bool pd_chain_matches(const pd_decision_t *decision, const char *first_run_id)
{
    return pd_pb_empty(first_run_id) ||
           strcmp(first_run_id, decision->exec->row->first_run_id) == 0;
}
