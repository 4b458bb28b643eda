/* meta.c -- one row: how much of the log is in these tables, and in which format they are. */
#include "state/store_private.h"

enum { FORMAT = 1 };

static void meta_key(pdi_key_t *key)
{
    pdi_key_clear(key);
    pdi_key_put_id(key, "meta");
}

pd_status_t pdi_meta_load(pd_store_t *store, pd_error_t *error)
{
    pdi_value_t value;
    Perdure__V1__MetaRow *row;
    pd_status_t status = PD_OK;

    store->position = (pd_store_position_t){.applied_offset = -1, .commands_through = -1};
    meta_key(&store->key);
    PD_TRY(pdi_db_get(&store->db, PDI_TABLE_META, &store->key, &value, error));
    if (!value.found)
        return PD_OK;
    row = perdure__v1__meta_row__unpack(NULL, value.bytes.size, value.bytes.data);
    if (!row || row->running_hash.len != sizeof(store->position.running_hash)) {
        status =
            pdi_row_corrupt(PDI_TABLE_META, pdi_key_bytes(&store->key), "malformed row", error);
    } else if (row->format != FORMAT) {
        status = pd_error_set(error, PD_CORRUPT,
                              "the state has format %d, this program reads format %d: delete the "
                              "partition's state directory, it is rebuilt from the log",
                              (int)row->format, FORMAT);
    } else {
        store->position.applied_offset = row->applied_offset;
        store->position.epoch = row->epoch;
        store->position.commands_through = row->commands_through;
        memcpy(store->position.running_hash, row->running_hash.data, row->running_hash.len);
    }
    pdi_message_free(row);
    pdi_value_release(&value);
    return status;
}

void pdi_meta_put(pd_store_t *store, const pd_store_position_t *position)
{
    Perdure__V1__MetaRow row = PERDURE__V1__META_ROW__INIT;

    row.applied_offset = position->applied_offset;
    row.epoch = position->epoch;
    row.commands_through = position->commands_through;
    row.running_hash.data = (uint8_t *)position->running_hash;
    row.running_hash.len = sizeof(position->running_hash);
    row.format = FORMAT;
    meta_key(&store->key);
    pdi_batch_put(&store->db, PDI_TABLE_META, pdi_key_bytes(&store->key),
                  pdi_pack(&store->packer, &row));
}
