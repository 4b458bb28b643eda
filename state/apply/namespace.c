/* namespace.c -- namespaces: registering one again changes it. */
#include "state/apply/apply.h"

#include "base/memory.h"

pd_status_t pdi_apply_namespace(pd_store_t *store, int64_t time_ns,
                                const Perdure__V1__NamespaceRegistered *registered,
                                pd_error_t *error)
{
    Perdure__V1__NamespaceRow *row;

    if (!registered || pd_pb_empty(registered->namespace_id))
        return pd_error_set(error, PD_CORRUPT, "partition %u: a namespace without an ID",
                            store->partition);
    row = pd_alloc(sizeof(*row));
    perdure__v1__namespace_row__init(row);
    pdi_string_set(&row->namespace_id, registered->namespace_id);
    pdi_string_set(&row->name, registered->name);
    pdi_string_set(&row->description, registered->description);
    pdi_string_set(&row->owner_email, registered->owner_email);
    row->retention_ns = pd_pb_duration_ns(registered->retention);
    row->is_global = registered->is_global;
    row->registered_time_ns = time_ns;
    for (size_t i = 0; i < registered->n_data; i++) {
        Perdure__V1__NamespaceRow__DataEntry *entry = pd_alloc(sizeof(*entry));

        perdure__v1__namespace_row__data_entry__init(entry);
        pdi_string_set(&entry->key, registered->data[i]->key);
        pdi_string_set(&entry->value, registered->data[i]->value);
        pdi_array_append(&row->data, &row->n_data, entry);
    }
    pdi_namespaces_set(store, row);
    return PD_OK;
}
