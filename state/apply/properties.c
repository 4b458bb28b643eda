/* properties.c -- search attributes and memo: upserts merge, an empty value removes. */
#include "state/apply/apply.h"

#include "base/memory.h"

typedef Temporal__Api__Common__V1__Payload payload_t;

/* Memo.FieldsEntry and SearchAttributes.IndexedFieldsEntry are the same struct: a map entry. */
typedef Temporal__Api__Common__V1__Memo__FieldsEntry entry_t;
_Static_assert(sizeof(entry_t) ==
                   sizeof(Temporal__Api__Common__V1__SearchAttributes__IndexedFieldsEntry),
               "map entries of payloads");
_Static_assert(offsetof(entry_t, value) ==
                   offsetof(Temporal__Api__Common__V1__SearchAttributes__IndexedFieldsEntry, value),
               "map entries of payloads");

static bool data_is(const payload_t *payload, const char *text)
{
    return pd_bytes_equal(pd_bytes(payload->data.data, payload->data.len), pd_bytes_str(text));
}

/* What SDKs send for nil and for an empty list. */
static bool removes(const payload_t *payload)
{
    pd_bytes_t encoding = pd_bytes(NULL, 0);

    if (!payload)
        return true;
    for (size_t i = 0; i < payload->n_metadata; i++) {
        if (strcmp(payload->metadata[i]->key, "encoding") == 0)
            encoding = pd_bytes(payload->metadata[i]->value.data, payload->metadata[i]->value.len);
    }
    if (pd_bytes_equal(encoding, pd_bytes_str("binary/null")))
        return true;
    if (pd_bytes_equal(encoding, pd_bytes_str("json/plain")))
        return data_is(payload, "null") || data_is(payload, "[]");
    return payload->n_metadata == 0 && payload->data.len == 0;
}

static void merge(entry_t ***entries, size_t *count, entry_t *const *changes, size_t change_count)
{
    for (size_t i = 0; i < change_count; i++) {
        size_t at = 0;

        while (at < *count && strcmp((*entries)[at]->key, changes[i]->key) != 0)
            at++;
        if (at < *count)
            pdi_message_free((*entries)[at]);
        if (removes(changes[i]->value)) {
            if (at < *count)
                pdi_array_remove(entries, count, at);
        } else if (at < *count) {
            (*entries)[at] = pdi_message_copy(changes[i]);
        } else {
            pdi_array_append(entries, count, pdi_message_copy(changes[i]));
        }
    }
}

PDI_HISTORY_APPLIER(search_attributes_upserted)
{
    const Temporal__Api__Common__V1__SearchAttributes *changes =
        event->upsert_workflow_search_attributes_event_attributes->search_attributes;
    Temporal__Api__Common__V1__SearchAttributes *into = apply->row->search_attributes;

    if (!changes)
        return PD_OK;
    if (!into) {
        apply->row->search_attributes = into = pd_alloc(sizeof(*into));
        temporal__api__common__v1__search_attributes__init(into);
    }
    merge((entry_t ***)&into->indexed_fields, &into->n_indexed_fields,
          (entry_t *const *)changes->indexed_fields, changes->n_indexed_fields);
    return PD_OK;
}

PDI_HISTORY_APPLIER(properties_modified)
{
    const Temporal__Api__Common__V1__Memo *changes =
        event->workflow_properties_modified_event_attributes->upserted_memo;
    Temporal__Api__Common__V1__Memo *into = apply->row->memo;

    if (!changes)
        return PD_OK;
    if (!into) {
        apply->row->memo = into = pd_alloc(sizeof(*into));
        temporal__api__common__v1__memo__init(into);
    }
    merge(&into->fields, &into->n_fields, changes->fields, changes->n_fields);
    return PD_OK;
}
