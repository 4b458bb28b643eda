/* dump.c -- all tables as sorted lines of text.
 *
 * Rows of clean runs come from RocksDB, as they are there; those of changed runs as a flush would
 * write them. So two stores that hold the same dump the same, whatever was flushed when. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <temporal/api/history/v1/message.pb-c.h>

#include "base/assert.h"
#include "base/memory.h"
#include "state/store_private.h"

typedef struct pdi_lines {
    char **lines;
    size_t count;
    size_t capacity;
    pd_buf_t line;
} pdi_lines_t;

typedef struct pdi_dump {
    pd_store_t *store;
    pdi_lines_t lines;
    pdi_table_t table;
    pdi_key_t text; /* not the store's: that is used while loading */
} pdi_dump_t;

static void put(pd_buf_t *out, const char *text)
{
    PD_ASSERT(pd_buf_append(out, text, strlen(text)) == PD_OK);
}

static void line_begin(pdi_dump_t *dump, pdi_table_t table, const char *const *ids, size_t count)
{
    pd_buf_clear(&dump->lines.line);
    put(&dump->lines.line, pdi_table_name(table));
    for (size_t i = 0; i < count; i++) {
        put(&dump->lines.line, i ? "/" : " ");
        put(&dump->lines.line, ids[i]);
    }
}

static void line_begin_run(pdi_dump_t *dump, pdi_table_t table, const pdi_row_t *row)
{
    const char *ids[] = {row->namespace_id, row->workflow_id, row->run_id};

    line_begin(dump, table, ids, PD_ARRAY_COUNT(ids));
}

static void line_number(pdi_dump_t *dump, int64_t number)
{
    char text[32];

    snprintf(text, sizeof(text), " %020" PRId64, number);
    put(&dump->lines.line, text);
}

static void line_end(pdi_dump_t *dump)
{
    pdi_lines_t *lines = &dump->lines;

    PD_ASSERT(pd_buf_append(&lines->line, "\n", 2) == PD_OK); /* with the NUL */
    if (lines->count == lines->capacity) {
        lines->capacity = lines->capacity ? lines->capacity * 2 : 256;
        lines->lines = pd_realloc(lines->lines, lines->capacity * sizeof(lines->lines[0]));
    }
    lines->lines[lines->count++] = pd_memdup(lines->line.data, lines->line.size);
}

/* ---- rows of a run ---- */

static pd_status_t dump_history(pdi_dump_t *dump, pdi_run_t *run, pd_error_t *error)
{
    pdi_event_cursor_t cursor = {.event_id = 1};
    pd_bytes_t framed, bytes;
    int64_t next_event_id;
    pd_arena_t arena;
    pd_buf_t events;
    pd_status_t status;

    pd_buf_init(&events, SIZE_MAX);
    pd_arena_init(&arena);
    status = pd_store_history_read(dump->store, &run->exec, 1, INT64_MAX, SIZE_MAX, &events,
                                   &next_event_id, error);
    cursor.rest = pd_buf_bytes(&events);
    while (status == PD_OK && pdi_event_next(&cursor, &framed, &bytes)) {
        void *event =
            pd_pb_unpack(&temporal__api__history__v1__history_event__descriptor, &arena, bytes);

        line_begin_run(dump, PDI_TABLE_HISTORY, run->exec.row);
        line_number(dump, cursor.event_id - 1);
        if (event)
            pdi_message_text(event, &dump->lines.line);
        else
            put(&dump->lines.line, " malformed");
        line_end(dump);
        pd_arena_reset(&arena);
    }
    if (status == PD_OK && (cursor.rest.size || next_event_id != run->exec.row->next_event_id))
        status = pd_error_set(error, PD_CORRUPT, "run %s: its history is malformed",
                              run->exec.row->run_id);
    pd_arena_deinit(&arena);
    pd_buf_deinit(&events);
    return status;
}

static pd_status_t dump_run(pdi_dump_t *dump, pdi_run_t *run, pd_error_t *error)
{
    line_begin_run(dump, PDI_TABLE_EXECUTIONS, run->exec.row);
    pdi_message_text(run->exec.row, &dump->lines.line);
    line_end(dump);
    return dump_history(dump, run, error);
}

static void dump_timer(pdi_dump_t *dump, const char *const ids[3], int64_t deadline_ns)
{
    line_begin(dump, PDI_TABLE_TIMERS, ids, 3);
    line_number(dump, deadline_ns);
    line_end(dump);
}

static void dump_message(pdi_dump_t *dump, pdi_table_t table, const char *const *ids, size_t count,
                         const void *row)
{
    line_begin(dump, table, ids, count);
    pdi_message_text(row, &dump->lines.line);
    line_end(dump);
}

static pd_status_t dump_changed_run(pdi_dump_t *dump, pdi_run_t *run, pd_error_t *error)
{
    const pdi_row_t *row = run->exec.row;
    const char *ids[] = {row->namespace_id, row->workflow_id, row->run_id};
    int64_t deadline_ns = pd_execution_next_deadline_ns(&run->exec, INT64_MIN);
    Perdure__V1__ReadyRow ready = PERDURE__V1__READY_ROW__INIT;
    Perdure__V1__CurrentRunRow current;

    if (run->exec.removed)
        return PD_OK;
    PD_TRY(dump_run(dump, run, error));
    if (deadline_ns != INT64_MAX)
        dump_timer(dump, ids, deadline_ns);
    pd_arena_reset(&dump->store->arena);
    ready.n_tasks = pdi_ready_tasks(run, &dump->store->arena, &ready.tasks);
    PD_ASSERT((ready.n_tasks > 0) == pdi_ready_any(run));
    if (ready.n_tasks)
        dump_message(dump, PDI_TABLE_READY, ids, 3, &ready);
    PD_TRY(pdi_workflow_load_current(dump->store, run->workflow, error));
    if (run->workflow->current == PDI_CURRENT_RUN &&
        strcmp(run->workflow->current_run_id, row->run_id) == 0) {
        pdi_current_row(run, &current);
        dump_message(dump, PDI_TABLE_CURRENT_RUNS, ids, 2, &current);
    }
    return PD_OK;
}

/* ---- rows in RocksDB ---- */

static pdi_run_t *find_run(const pd_store_t *store, const pdi_run_name_t *name)
{
    pdi_workflow_t *workflow = pdi_workflow_find(store, name->namespace_id, name->workflow_id);

    return workflow ? pdi_run_find(workflow, name->run_id) : NULL;
}

/* Memory speaks for a changed run; *name is filled in. */
static pd_status_t run_row_name(pdi_dump_t *dump, pd_bytes_t key, pd_bytes_t run_key,
                                pdi_run_name_t *name, bool *changed, pd_error_t *error)
{
    const pdi_run_t *run;

    if (!pdi_key_get_run(run_key, &dump->text, name))
        return pdi_row_corrupt(dump->table, key, "malformed key", error);
    run = find_run(dump->store, name);
    *changed = run && run->list != PDI_LIST_CLEAN;
    return PD_OK;
}

static pd_status_t executions_row(void *ctx, pd_bytes_t key, pd_bytes_t value, pd_error_t *error)
{
    pdi_dump_t *dump = ctx;
    pdi_workflow_t *workflow;
    pdi_run_name_t name;
    pdi_run_t *run;
    pd_status_t status;
    bool changed;

    PD_TRY(run_row_name(dump, key, key, &name, &changed, error));
    if (changed)
        return PD_OK;
    workflow = pdi_workflow_get(dump->store, name.namespace_id, name.workflow_id);
    /* Another copy, read afresh: what is in memory may differ only by mistake. */
    status = pdi_run_peek(dump->store, workflow, name.run_id, &run, error);
    if (status == PD_OK) {
        status = dump_run(dump, run, error);
        pdi_run_peeked(run);
    }
    pdi_workflow_release(dump->store, workflow);
    if (status == PD_NOT_FOUND)
        return pdi_row_corrupt(PDI_TABLE_EXECUTIONS, key, "found by iterating only", error);
    return status;
}

static pd_status_t timers_row(void *ctx, pd_bytes_t key, pd_bytes_t value, pd_error_t *error)
{
    pdi_dump_t *dump = ctx;
    pd_bytes_t rest = key;
    pdi_run_name_t name;
    uint64_t deadline;
    bool changed;

    if (!pdi_key_get_u64(&rest, &deadline))
        return pdi_row_corrupt(PDI_TABLE_TIMERS, key, "malformed key", error);
    PD_TRY(run_row_name(dump, key, rest, &name, &changed, error));
    if (!changed) {
        const char *ids[] = {name.namespace_id, name.workflow_id, name.run_id};

        dump_timer(dump, ids, pdi_key_to_ns(deadline));
    }
    return PD_OK;
}

static pd_status_t ready_row(void *ctx, pd_bytes_t key, pd_bytes_t value, pd_error_t *error)
{
    pdi_dump_t *dump = ctx;
    pdi_run_name_t name;
    void *row;
    bool changed;

    PD_TRY(run_row_name(dump, key, key, &name, &changed, error));
    if (!changed) {
        const char *ids[] = {name.namespace_id, name.workflow_id, name.run_id};

        pd_arena_reset(&dump->store->arena);
        row = pd_pb_unpack(&perdure__v1__ready_row__descriptor, &dump->store->arena, value);
        if (!row)
            return pdi_row_corrupt(PDI_TABLE_READY, key, "malformed row", error);
        dump_message(dump, PDI_TABLE_READY, ids, 3, row);
    }
    return PD_OK;
}

static pd_status_t current_row(void *ctx, pd_bytes_t key, pd_bytes_t value, pd_error_t *error)
{
    pdi_dump_t *dump = ctx;
    pd_bytes_t rest = key;
    const pdi_workflow_t *workflow;
    Perdure__V1__CurrentRunRow *row;
    const char *ids[2];
    size_t workflow_at;

    pdi_key_clear(&dump->text);
    if (!pdi_key_get_id(&rest, &dump->text))
        return pdi_row_corrupt(PDI_TABLE_CURRENT_RUNS, key, "malformed key", error);
    workflow_at = dump->text.size;
    if (!pdi_key_get_id(&rest, &dump->text) || rest.size)
        return pdi_row_corrupt(PDI_TABLE_CURRENT_RUNS, key, "malformed key", error);
    ids[0] = (const char *)dump->text.data;
    ids[1] = (const char *)dump->text.data + workflow_at;
    workflow = pdi_workflow_find(dump->store, ids[0], ids[1]);
    pd_arena_reset(&dump->store->arena);
    row = pd_pb_unpack(&perdure__v1__current_run_row__descriptor, &dump->store->arena, value);
    if (!row)
        return pdi_row_corrupt(PDI_TABLE_CURRENT_RUNS, key, "malformed row", error);
    if (workflow) {
        const pdi_run_t *run = pdi_run_find(workflow, row->run_id);

        if (workflow->current_dirty || workflow->current_held ||
            (run && run->list != PDI_LIST_CLEAN))
            return PD_OK;
    }
    dump_message(dump, PDI_TABLE_CURRENT_RUNS, ids, 2, row);
    return PD_OK;
}

static pd_status_t dump_tables(pdi_dump_t *dump, pd_error_t *error)
{
    static const struct {
        pdi_table_t table;
        pdi_row_fn each;
    } tables[] = {
        {PDI_TABLE_EXECUTIONS, executions_row},
        {PDI_TABLE_TIMERS, timers_row},
        {PDI_TABLE_READY, ready_row},
        {PDI_TABLE_CURRENT_RUNS, current_row},
    };

    for (size_t i = 0; i < PD_ARRAY_COUNT(tables); i++) {
        dump->table = tables[i].table;
        PD_TRY(pdi_db_each(&dump->store->db, tables[i].table, tables[i].each, dump, error));
    }
    return PD_OK;
}

static pd_status_t dump_memory(pdi_dump_t *dump, pd_error_t *error)
{
    pd_store_t *store = dump->store;
    pdi_run_t *run;

    TAILQ_FOREACH (run, &store->dirty, link) {
        PD_TRY(dump_changed_run(dump, run, error));
    }
    TAILQ_FOREACH (run, &store->held, held_link) {
        if (run->list == PDI_LIST_NONE)
            PD_TRY(dump_changed_run(dump, run, error));
    }
    for (size_t i = 0; i < store->namespace_count; i++) {
        const char *id = store->namespaces[i].row->namespace_id;

        dump_message(dump, PDI_TABLE_NAMESPACES, &id, 1, store->namespaces[i].row);
    }
    return PD_OK;
}

/* ---- messages ---- */

static void dump_outbox(pdi_dump_t *dump, size_t index)
{
    pd_store_t *store = dump->store;
    pd_outbox_range_t range = pd_store_outbox(store, (uint32_t)index);
    Perdure__V1__OutboxRow row;

    if (!pdi_outbox_row(store, index, &row))
        return;
    line_begin(dump, PDI_TABLE_OUTBOX, NULL, 0);
    line_number(dump, (int64_t)index);
    pdi_message_text(&row, &dump->lines.line);
    line_end(dump);
    for (int64_t number = range.done_through + 1; number <= range.last_number; number++) {
        pd_bytes_t bytes = pd_store_outbox_message(store, (uint32_t)index, number);
        void *message;

        pd_arena_reset(&store->arena);
        message = pd_pb_unpack(&perdure__v1__message__descriptor, &store->arena, bytes);
        line_begin(dump, PDI_TABLE_OUTBOX, NULL, 0);
        line_number(dump, (int64_t)index);
        line_number(dump, number);
        if (message)
            pdi_message_text(message, &dump->lines.line);
        else
            put(&dump->lines.line, " malformed");
        line_end(dump);
    }
}

static void dump_inbox(pdi_dump_t *dump, const pdi_inbox_source_t *source)
{
    line_begin(dump, PDI_TABLE_INBOX, NULL, 0);
    line_number(dump, source->partition);
    put(&dump->lines.line, " ");
    put(&dump->lines.line, source->topic);
    line_number(dump, source->last_number);
    line_end(dump);
}

static pd_status_t command_id_row(void *ctx, pd_bytes_t key, pd_bytes_t value, pd_error_t *error)
{
    pdi_dump_t *dump = ctx;
    Perdure__V1__CommandIdRow *row;
    pdi_run_name_t name; /* three ids, too: the last one is the command's */

    if (!pdi_key_get_run(key, &dump->text, &name))
        return pdi_row_corrupt(PDI_TABLE_COMMAND_IDS, key, "malformed key", error);
    pd_arena_reset(&dump->store->arena);
    row = pd_pb_unpack(&perdure__v1__command_id_row__descriptor, &dump->store->arena, value);
    if (!row)
        return pdi_row_corrupt(PDI_TABLE_COMMAND_IDS, key, "malformed row", error);
    {
        const char *ids[] = {name.namespace_id, name.workflow_id, name.run_id};

        dump_message(dump, PDI_TABLE_COMMAND_IDS, ids, 3, row);
    }
    return PD_OK;
}

static pd_status_t dump_messages(pdi_dump_t *dump, pd_error_t *error)
{
    for (size_t i = 0; i < dump->store->outbox_count; i++)
        dump_outbox(dump, i);
    for (size_t i = 0; i < dump->store->inbox_count; i++)
        dump_inbox(dump, &dump->store->inbox[i]);
    for (size_t i = 0; i < dump->store->ingest_count; i++) {
        const char *source = dump->store->ingest[i]->source;

        dump_message(dump, PDI_TABLE_INGEST, &source, 1, dump->store->ingest[i]);
    }
    return pdi_command_ids_each(dump->store, command_id_row, dump, error);
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

pd_status_t pd_store_dump(pd_store_t *store, pd_buf_t *out, pd_error_t *error)
{
    pdi_dump_t dump = {.store = store};
    pdi_lines_t *lines = &dump.lines;
    pd_status_t status;

    pd_buf_init(&lines->line, SIZE_MAX);
    pdi_key_init(&dump.text);
    status = dump_memory(&dump, error);
    if (status == PD_OK)
        status = dump_tables(&dump, error);
    if (status == PD_OK)
        status = dump_messages(&dump, error);
    if (lines->count)
        qsort(lines->lines, lines->count, sizeof(lines->lines[0]), compare_lines);
    for (size_t i = 0; i < lines->count; i++) {
        if (status == PD_OK)
            status = pd_buf_append(out, lines->lines[i], strlen(lines->lines[i]));
        pd_free(lines->lines[i]);
    }
    pd_free(lines->lines);
    pd_buf_deinit(&lines->line);
    pdi_key_deinit(&dump.text);
    return status;
}
