/* store.c -- opening and closing. */
#include "state/store.h"

#include "base/assert.h"
#include "base/memory.h"
#include "state/store_private.h"

pd_status_t pd_store_open(const pd_store_options_t *options, pd_store_t **out, pd_error_t *error)
{
    pd_store_t *store = PD_NEW(pd_store_t);
    pd_status_t status;

    store->partition = options->partition;
    store->cache_size_max = options->cache_size_max;
    TAILQ_INIT(&store->clean);
    TAILQ_INIT(&store->dirty);
    TAILQ_INIT(&store->held);
    TAILQ_INIT(&store->removed);
    pdi_packer_init(&store->packer);
    pd_arena_init(&store->arena);
    status = pdi_db_open(&store->db, options, error);
    if (status == PD_OK)
        status = pdi_meta_load(store, error);
    if (status == PD_OK)
        status = pdi_namespaces_load(store, error);
    if (status == PD_OK)
        status = pdi_outbox_load(store, error);
    if (status == PD_OK)
        status = pdi_inbox_load(store, error);
    if (status == PD_OK)
        status = pdi_ingest_load(store, error);
    if (status == PD_OK)
        status = pdi_command_ids_load(store, error);
    store->commands_through = store->position.commands_through;
    if (status != PD_OK) {
        pd_store_free(store);
        return status;
    }
    *out = store;
    return PD_OK;
}

static void free_runs(pd_store_t *store)
{
    pdi_run_t *run;

    while ((run = TAILQ_FIRST(&store->held))) {
        TAILQ_REMOVE(&store->held, run, held_link);
        run->held = false;
        if (run->list == PDI_LIST_NONE)
            pdi_run_list_set(store, run, PDI_LIST_DIRTY);
    }
    for (size_t i = 0; i < store->bucket_count; i++) {
        pdi_workflow_t *workflow = store->buckets[i];

        while (workflow) {
            pdi_workflow_t *next = workflow->hash_next;

            workflow->current_dirty = workflow->current_held = false;
            while ((run = workflow->runs)) {
                bool last = !run->sibling;

                run->exec.engine = NULL;
                pdi_run_list_set(store, run, PDI_LIST_NONE);
                pdi_run_free(store, run);
                if (last)
                    break; /* the workflow went with it */
            }
            workflow = next;
        }
    }
    PD_ASSERT(store->workflow_count == 0);
}

void pd_store_free(pd_store_t *store)
{
    if (!store)
        return;
    PD_ASSERT(!store->walking);
    free_runs(store);
    for (size_t i = 0; i < store->namespace_count; i++)
        pdi_message_free(store->namespaces[i].row);
    pd_free(store->namespaces);
    pdi_outbox_free(store);
    pdi_inbox_free(store);
    pdi_ingest_free(store);
    pdi_command_ids_free(store);
    pd_free(store->buckets);
    pd_free(store->touched);
    pd_free(store->ready);
    pdi_packer_deinit(&store->packer);
    pdi_key_deinit(&store->key);
    pdi_key_deinit(&store->run_key);
    pdi_key_deinit(&store->value);
    pdi_key_deinit(&store->text);
    pd_arena_deinit(&store->arena);
    pdi_db_close(&store->db);
    pd_free(store);
}

void pd_store_position(const pd_store_t *store, pd_store_position_t *position)
{
    *position = store->position;
}

int64_t pd_store_commands_through(const pd_store_t *store)
{
    return store->commands_through;
}
