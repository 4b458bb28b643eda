/* current_runs.c -- workflow → its current run. */
#include "base/memory.h"
#include "state/store_private.h"

void pdi_current_key(const pdi_workflow_t *workflow, pdi_key_t *key)
{
    pdi_key_clear(key);
    pdi_key_put_id(key, workflow->namespace_id);
    pdi_key_put_id(key, workflow->workflow_id);
}

void pdi_current_row(const pdi_run_t *run, Perdure__V1__CurrentRunRow *row)
{
    perdure__v1__current_run_row__init(row);
    row->run_id = run->exec.row->run_id;
    row->status = run->exec.row->status;
    row->start_time_ns = run->exec.row->start_time_ns;
    row->first_run_id = run->exec.row->first_run_id;
}

void pdi_current_put(pd_store_t *store, const pdi_workflow_t *workflow, const pdi_run_t *run)
{
    Perdure__V1__CurrentRunRow row;

    pdi_current_row(run, &row);
    pdi_current_key(workflow, &store->key);
    pdi_batch_put(&store->db, PDI_TABLE_CURRENT_RUNS, pdi_key_bytes(&store->key),
                  pdi_pack(&store->packer, &row));
}

void pdi_current_delete(pd_store_t *store, const pdi_workflow_t *workflow)
{
    pdi_current_key(workflow, &store->key);
    pdi_batch_delete(&store->db, PDI_TABLE_CURRENT_RUNS, pdi_key_bytes(&store->key));
}

pd_status_t pdi_current_load(pd_store_t *store, const pdi_workflow_t *workflow, char **run_id,
                             pd_error_t *error)
{
    pdi_value_t value;
    Perdure__V1__CurrentRunRow *row;
    pd_status_t status = PD_OK;

    *run_id = NULL;
    pdi_current_key(workflow, &store->key);
    PD_TRY(pdi_db_get(&store->db, PDI_TABLE_CURRENT_RUNS, &store->key, &value, error));
    if (!value.found)
        return PD_OK;
    row = perdure__v1__current_run_row__unpack(NULL, value.bytes.size, value.bytes.data);
    if (row && row->run_id[0])
        *run_id = pd_strdup(row->run_id);
    else
        status = pdi_row_corrupt(PDI_TABLE_CURRENT_RUNS, pdi_key_bytes(&store->key),
                                 "malformed row", error);
    pdi_message_free(row);
    pdi_value_release(&value);
    return status;
}
