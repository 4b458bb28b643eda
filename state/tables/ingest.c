/* ingest.c -- source of a mapped topic → how far it was read, and the numbers given out by then.
 * Few: all of them are in memory. */
#include "base/memory.h"
#include "state/store_private.h"

static size_t index_of(const pd_store_t *store, const char *source)
{
    size_t i = 0;

    while (i < store->ingest_count && strcmp(store->ingest[i]->source, source) != 0)
        i++;
    return i;
}

const Perdure__V1__IngestCheckpoint *pd_store_ingest_checkpoint(const pd_store_t *store,
                                                                const char *source)
{
    size_t i = index_of(store, source);

    return i < store->ingest_count ? store->ingest[i] : NULL;
}

/* Takes the checkpoint. */
static void set(pd_store_t *store, Perdure__V1__IngestCheckpoint *checkpoint, bool dirty)
{
    size_t i = index_of(store, checkpoint->source);

    if (i == store->ingest_count) {
        store->ingest = pd_realloc(store->ingest, (i + 1) * sizeof(store->ingest[0]));
        store->ingest_dirty =
            pd_realloc(store->ingest_dirty, (i + 1) * sizeof(store->ingest_dirty[0]));
        store->ingest_count++;
    } else {
        pdi_message_free(store->ingest[i]);
    }
    store->ingest[i] = checkpoint;
    store->ingest_dirty[i] = dirty;
}

void pdi_ingest_set(pd_store_t *store, const Perdure__V1__IngestCheckpoint *checkpoint)
{
    store->dirty_size += sizeof(*checkpoint) + checkpoint->n_last_numbers * sizeof(int64_t);
    set(store, pdi_message_copy(checkpoint), true);
}

void pdi_ingest_put(pd_store_t *store)
{
    for (size_t i = 0; i < store->ingest_count; i++) {
        if (!store->ingest_dirty[i])
            continue;
        pdi_key_clear(&store->key);
        pdi_key_put_id(&store->key, store->ingest[i]->source);
        pdi_batch_put(&store->db, PDI_TABLE_INGEST, pdi_key_bytes(&store->key),
                      pdi_pack(&store->packer, store->ingest[i]));
        store->ingest_dirty[i] = false;
    }
}

static pd_status_t load_row(void *ctx, pd_bytes_t key, pd_bytes_t value, pd_error_t *error)
{
    Perdure__V1__IngestCheckpoint *row =
        perdure__v1__ingest_checkpoint__unpack(NULL, value.size, value.data);

    if (!row)
        return pdi_row_corrupt(PDI_TABLE_INGEST, key, "malformed row", error);
    set(ctx, row, false);
    return PD_OK;
}

pd_status_t pdi_ingest_load(pd_store_t *store, pd_error_t *error)
{
    return pdi_db_each(&store->db, PDI_TABLE_INGEST, load_row, store, error);
}

void pdi_ingest_free(pd_store_t *store)
{
    for (size_t i = 0; i < store->ingest_count; i++)
        pdi_message_free(store->ingest[i]);
    pd_free(store->ingest);
    pd_free(store->ingest_dirty);
}
