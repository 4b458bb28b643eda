/* cursor.c -- a table's rows in order: one at a time, or all of them at once. */
#include "state/store_private.h"
#include "state/tables/memory_db.h"

void pdi_cursor_open(pdi_cursor_t *cursor, pdi_db_t *db, pdi_table_t table, pd_bytes_t from)
{
    *cursor = (pdi_cursor_t){.db = db, .table = table};
    pdi_key_init(&cursor->from);
    if (db->memory) {
        pdi_key_put_bytes(&cursor->from, from.data, from.size);
        return;
    }
    cursor->iter = rocksdb_create_iterator_cf(db->rocks, db->read_all, db->families[table]);
    rocksdb_iter_seek(cursor->iter, (const char *)from.data, from.size);
}

bool pdi_cursor_row(const pdi_cursor_t *cursor, pd_bytes_t *key, pd_bytes_t *value)
{
    if (cursor->db->memory)
        return pdi_memory_db_row(cursor->db->memory, cursor->table, pdi_key_bytes(&cursor->from), 0,
                                 key, value);
    if (!rocksdb_iter_valid(cursor->iter))
        return false;
    key->data = (const uint8_t *)rocksdb_iter_key(cursor->iter, &key->size);
    value->data = (const uint8_t *)rocksdb_iter_value(cursor->iter, &value->size);
    return true;
}

void pdi_cursor_next(pdi_cursor_t *cursor)
{
    pd_bytes_t key, value;

    if (!cursor->db->memory) {
        rocksdb_iter_next(cursor->iter);
        return;
    }
    if (!pdi_cursor_row(cursor, &key, &value))
        return;
    pdi_key_clear(&cursor->from);
    pdi_key_put_bytes(&cursor->from, key.data, key.size);
    pdi_key_put_bytes(&cursor->from, "", 1); /* nothing is between a key and this */
}

pd_status_t pdi_cursor_status(const pdi_cursor_t *cursor, pd_error_t *error)
{
    char *text = NULL;

    if (cursor->iter)
        rocksdb_iter_get_error(cursor->iter, &text);
    return pdi_db_error(text, "reading", error);
}

void pdi_cursor_close(pdi_cursor_t *cursor)
{
    if (cursor->iter)
        rocksdb_iter_destroy(cursor->iter);
    pdi_key_deinit(&cursor->from);
}

pd_status_t pdi_db_each(pdi_db_t *db, pdi_table_t table, pdi_row_fn each, void *ctx,
                        pd_error_t *error)
{
    return pdi_db_each_from(db, table, pd_bytes("", 0), each, ctx, error);
}

pd_status_t pdi_db_each_from(pdi_db_t *db, pdi_table_t table, pd_bytes_t from, pdi_row_fn each,
                             void *ctx, pd_error_t *error)
{
    pd_status_t status = PD_OK;
    pd_bytes_t key, value;
    pdi_cursor_t cursor;

    pdi_cursor_open(&cursor, db, table, from);
    while (status == PD_OK && pdi_cursor_row(&cursor, &key, &value)) {
        status = each(ctx, key, value, error);
        pdi_cursor_next(&cursor);
    }
    if (status == PD_OK)
        status = pdi_cursor_status(&cursor, error);
    pdi_cursor_close(&cursor);
    return status;
}
