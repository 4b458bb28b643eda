/* namespaces.c -- namespace ID → NamespaceRow. Few: all of them are in memory. */
#include "base/memory.h"
#include "state/store_private.h"

void pdi_namespaces_set(pd_store_t *store, Perdure__V1__NamespaceRow *row)
{
    pdi_namespace_t *at = NULL;

    for (size_t i = 0; i < store->namespace_count; i++) {
        if (strcmp(store->namespaces[i].row->namespace_id, row->namespace_id) == 0)
            at = &store->namespaces[i];
    }
    if (at) {
        pdi_message_free(at->row);
    } else {
        store->namespaces = pd_realloc(store->namespaces,
                                       (store->namespace_count + 1) * sizeof(store->namespaces[0]));
        at = &store->namespaces[store->namespace_count++];
    }
    at->row = row;
    at->dirty = true;
}

static pd_status_t load_row(void *ctx, pd_bytes_t key, pd_bytes_t value, pd_error_t *error)
{
    pd_store_t *store = ctx;
    Perdure__V1__NamespaceRow *row =
        perdure__v1__namespace_row__unpack(NULL, value.size, value.data);

    if (!row)
        return pdi_row_corrupt(PDI_TABLE_NAMESPACES, key, "malformed row", error);
    pdi_namespaces_set(store, row);
    store->namespaces[store->namespace_count - 1].dirty = false;
    return PD_OK;
}

pd_status_t pdi_namespaces_load(pd_store_t *store, pd_error_t *error)
{
    return pdi_db_each(&store->db, PDI_TABLE_NAMESPACES, load_row, store, error);
}

void pdi_namespaces_put(pd_store_t *store)
{
    for (size_t i = 0; i < store->namespace_count; i++) {
        pdi_namespace_t *namespace = &store->namespaces[i];

        if (!namespace->dirty)
            continue;
        pdi_key_clear(&store->key);
        pdi_key_put_id(&store->key, namespace->row->namespace_id);
        pdi_batch_put(&store->db, PDI_TABLE_NAMESPACES, pdi_key_bytes(&store->key),
                      pdi_pack(&store->packer, namespace->row));
        namespace->dirty = false;
    }
}

pd_status_t pd_store_namespaces(pd_store_t *store,
                                void (*each)(void *ctx, const Perdure__V1__NamespaceRow *row),
                                void *ctx, pd_error_t *error)
{
    for (size_t i = 0; i < store->namespace_count; i++)
        each(ctx, store->namespaces[i].row);
    return PD_OK;
}
