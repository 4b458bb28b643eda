/* cache.c -- workflows and runs in memory: finding, loading, letting go. */
#include "base/assert.h"
#include "base/memory.h"
#include "state/store_private.h"

enum {
    BUCKET_COUNT_MIN = 256,
    EVICT_PINNED_MAX = 256, /* pinned runs passed over in one eviction */
};

/* ---- workflows ---- */

static uint64_t hash_of(const char *namespace_id, size_t namespace_size, const char *workflow_id,
                        size_t workflow_size)
{
    return pdi_hash(pdi_hash(0, namespace_id, namespace_size), workflow_id, workflow_size);
}

static void grow_buckets(pd_store_t *store)
{
    size_t count = store->bucket_count ? store->bucket_count * 2 : BUCKET_COUNT_MIN;
    pdi_workflow_t **buckets = pd_calloc(count, sizeof(buckets[0]));

    for (size_t i = 0; i < store->bucket_count; i++) {
        for (pdi_workflow_t *workflow = store->buckets[i], *next; workflow; workflow = next) {
            pdi_workflow_t **bucket = &buckets[workflow->hash & (count - 1)];

            next = workflow->hash_next;
            workflow->hash_next = *bucket;
            *bucket = workflow;
        }
    }
    pd_free(store->buckets);
    store->buckets = buckets;
    store->bucket_count = count;
}

static pdi_workflow_t *find_hashed(const pd_store_t *store, uint64_t hash, const char *namespace_id,
                                   const char *workflow_id)
{
    pdi_workflow_t *workflow;

    if (!store->bucket_count)
        return NULL;
    workflow = store->buckets[hash & (store->bucket_count - 1)];
    for (; workflow; workflow = workflow->hash_next) {
        if (workflow->hash == hash && strcmp(workflow->workflow_id, workflow_id) == 0 &&
            strcmp(workflow->namespace_id, namespace_id) == 0)
            return workflow;
    }
    return NULL;
}

pdi_workflow_t *pdi_workflow_find(const pd_store_t *store, const char *namespace_id,
                                  const char *workflow_id)
{
    return find_hashed(
        store, hash_of(namespace_id, strlen(namespace_id), workflow_id, strlen(workflow_id)),
        namespace_id, workflow_id);
}

pdi_workflow_t *pdi_workflow_get(pd_store_t *store, const char *namespace_id,
                                 const char *workflow_id)
{
    size_t namespace_size = strlen(namespace_id), workflow_size = strlen(workflow_id);
    uint64_t hash = hash_of(namespace_id, namespace_size, workflow_id, workflow_size);
    pdi_workflow_t *workflow = find_hashed(store, hash, namespace_id, workflow_id);
    pdi_workflow_t **bucket;

    if (workflow)
        return workflow;
    if (store->workflow_count >= store->bucket_count)
        grow_buckets(store);
    workflow = pd_alloc(sizeof(*workflow) + namespace_size + workflow_size + 2);
    memset(workflow, 0, sizeof(*workflow));
    workflow->hash = hash;
    memcpy(workflow->namespace_id, namespace_id, namespace_size + 1);
    memcpy(workflow->namespace_id + namespace_size + 1, workflow_id, workflow_size + 1);
    workflow->workflow_id = workflow->namespace_id + namespace_size + 1;
    bucket = &store->buckets[hash & (store->bucket_count - 1)];
    workflow->hash_next = *bucket;
    *bucket = workflow;
    store->workflow_count++;
    return workflow;
}

void pdi_workflow_release(pd_store_t *store, pdi_workflow_t *workflow)
{
    pdi_workflow_t **at = &store->buckets[workflow->hash & (store->bucket_count - 1)];

    if (workflow->runs || workflow->current_dirty || workflow->current_held)
        return;
    while (*at != workflow)
        at = &(*at)->hash_next;
    *at = workflow->hash_next;
    store->workflow_count--;
    pd_free(workflow->current_run_id);
    pd_free(workflow);
}

void pdi_workflow_set_current(pdi_workflow_t *workflow, const char *run_id)
{
    /* Nobody looked whether RocksDB has a row: deleting one that is not there does no harm. */
    if (workflow->current == PDI_CURRENT_UNKNOWN)
        workflow->current_persisted = true;
    pd_free(workflow->current_run_id);
    workflow->current_run_id = pd_strdup(run_id);
    workflow->current = run_id ? PDI_CURRENT_RUN : PDI_CURRENT_NONE;
    workflow->current_dirty = true;
}

pd_status_t pdi_workflow_load_current(pd_store_t *store, pdi_workflow_t *workflow,
                                      pd_error_t *error)
{
    char *run_id;

    if (workflow->current != PDI_CURRENT_UNKNOWN)
        return PD_OK;
    PD_TRY(pdi_current_load(store, workflow, &run_id, error));
    workflow->current_run_id = run_id;
    workflow->current = run_id ? PDI_CURRENT_RUN : PDI_CURRENT_NONE;
    workflow->current_persisted = run_id != NULL;
    return PD_OK;
}

/* ---- runs ---- */

pdi_run_t *pdi_run_find(const pdi_workflow_t *workflow, const char *run_id)
{
    for (pdi_run_t *run = workflow->runs; run; run = run->sibling) {
        if (strcmp(run->run_id, run_id) == 0)
            return run;
    }
    return NULL;
}

static pdi_run_t *run_alloc(pdi_workflow_t *workflow, const char *run_id)
{
    size_t size = strlen(run_id) + 1;
    pdi_run_t *run = pd_calloc(1, sizeof(*run) + size);

    memcpy(run->run_id, run_id, size);
    run->workflow = workflow;
    run->exec.deadline_hint_ns = INT64_MAX;
    run->flushed.deadline_ns = INT64_MAX;
    return run;
}

static void run_link(pdi_run_t *run)
{
    run->sibling = run->workflow->runs;
    run->workflow->runs = run;
}

/* Points *field at `kept`, which is the same text and lives longer. */
static void share_string(char **field, const char *kept)
{
    if (*field == kept || strcmp(*field, kept) != 0)
        return;
    pdi_string_free(*field);
    *field = (char *)kept;
}

/* Strings of the row that belong to the workflow, or are the same twice, are kept once. */
static void share_strings(pdi_run_t *run)
{
    pdi_row_t *row = run->exec.row;

    share_string(&row->namespace_id, run->workflow->namespace_id);
    share_string(&row->workflow_id, run->workflow->workflow_id);
    share_string(&row->run_id, run->run_id);
    share_string(&row->first_run_id, run->run_id);
    share_string(&row->original_run_id, run->run_id);
}

static void unshare_string(char **field, const char *kept)
{
    if (*field == kept)
        *field = pdi_string_empty();
}

static void row_free(pdi_run_t *run)
{
    pdi_row_t *row = run->exec.row;

    unshare_string(&row->namespace_id, run->workflow->namespace_id);
    unshare_string(&row->workflow_id, run->workflow->workflow_id);
    unshare_string(&row->run_id, run->run_id);
    unshare_string(&row->first_run_id, run->run_id);
    unshare_string(&row->original_run_id, run->run_id);
    pdi_message_free(row);
}

pdi_run_t *pdi_run_new(pd_store_t *store, pdi_workflow_t *workflow, const char *run_id)
{
    pdi_run_t *run = run_alloc(workflow, run_id);
    pdi_row_t *row = pd_alloc(sizeof(*row));

    perdure__v1__execution_row__init(row);
    run->exec.row = row;
    row->namespace_id = workflow->namespace_id;
    row->workflow_id = (char *)workflow->workflow_id;
    row->run_id = run->run_id;
    row->next_event_id = 1;
    run->tail_first_event_id = run->unflushed_event_id = 1;
    run_link(run);
    return run;
}

void pdi_run_free(pd_store_t *store, pdi_run_t *run)
{
    pdi_workflow_t *workflow = run->workflow;
    pdi_run_t **at = &workflow->runs;

    PD_ASSERT(run->list == PDI_LIST_NONE && !run->held && !run->exec.engine);
    while (*at != run)
        at = &(*at)->sibling;
    *at = run->sibling;
    row_free(run);
    pdi_id_index_deinit(&run->activity_ids);
    pdi_id_index_deinit(&run->timer_ids);
    pdi_id_index_deinit(&run->signal_ids);
    pd_free(run->tail);
    pd_free(run);
    pdi_workflow_release(store, workflow);
}

static size_t run_memory_size(const pdi_run_t *run)
{
    /* A row in memory takes about twice its packed size beside the struct. */
    return sizeof(*run) + sizeof(pdi_row_t) + 2 * run->packed_size + run->tail_capacity;
}

void pdi_run_list_set(pd_store_t *store, pdi_run_t *run, pdi_list_t list)
{
    if (run->list == PDI_LIST_CLEAN) {
        TAILQ_REMOVE(&store->clean, run, link);
        PD_ASSERT(store->clean_size >= run->memory_size);
        store->clean_size -= run->memory_size;
    } else if (run->list == PDI_LIST_DIRTY) {
        TAILQ_REMOVE(&store->dirty, run, link);
    } else if (run->list == PDI_LIST_REMOVED) {
        TAILQ_REMOVE(&store->removed, run, link);
    }
    run->list = list;
    if (list == PDI_LIST_CLEAN) {
        PD_ASSERT(run->persisted && !run->held && !run->exec.removed);
        run->memory_size = run_memory_size(run);
        store->clean_size += run->memory_size;
        TAILQ_INSERT_HEAD(&store->clean, run, link);
    } else if (list == PDI_LIST_DIRTY) {
        TAILQ_INSERT_TAIL(&store->dirty, run, link);
    } else if (list == PDI_LIST_REMOVED) {
        TAILQ_INSERT_TAIL(&store->removed, run, link);
    }
}

void pdi_run_let_go(pd_store_t *store, pdi_run_t *run)
{
    PD_ASSERT(run->exec.removed && !run->persisted);
    pdi_run_list_set(store, run, run->exec.engine ? PDI_LIST_REMOVED : PDI_LIST_NONE);
    if (run->list == PDI_LIST_NONE)
        pdi_run_free(store, run);
}

/* Most recently used. */
static void mark_used(pd_store_t *store, pdi_run_t *run)
{
    if (run->list != PDI_LIST_CLEAN || TAILQ_FIRST(&store->clean) == run)
        return;
    TAILQ_REMOVE(&store->clean, run, link);
    TAILQ_INSERT_HEAD(&store->clean, run, link);
}

pd_status_t pdi_run_peek(pd_store_t *store, pdi_workflow_t *workflow, const char *run_id,
                         pdi_run_t **out, pd_error_t *error)
{
    pdi_run_t *run = run_alloc(workflow, run_id);
    pd_status_t status = pdi_executions_load(store, run, run_id, error);

    if (run->exec.row)
        share_strings(run);
    if (status == PD_OK)
        status = pdi_signals_load(store, run, error);
    if (status != PD_OK) {
        pdi_run_peeked(run);
        return status;
    }
    run->persisted = true;
    run->tail_first_event_id = run->unflushed_event_id = run->exec.row->next_event_id;
    run->exec.deadline_hint_ns = pd_execution_next_deadline_ns(&run->exec, INT64_MIN);
    *out = run;
    return PD_OK;
}

void pdi_run_peeked(pdi_run_t *run)
{
    if (run->exec.row)
        row_free(run);
    pd_free(run);
}

pd_status_t pdi_run_load(pd_store_t *store, pdi_workflow_t *workflow, const char *run_id,
                         pdi_run_t **out, pd_error_t *error)
{
    pdi_run_t *run = pdi_run_find(workflow, run_id);
    pd_status_t status;

    *out = NULL;
    if (run) {
        if (!run->exec.removed)
            *out = run;
        mark_used(store, run);
        return PD_OK;
    }
    status = pdi_run_peek(store, workflow, run_id, &run, error);
    if (status != PD_OK)
        return status == PD_NOT_FOUND ? PD_OK : status;
    run_link(run);
    pdi_run_list_set(store, run, PDI_LIST_CLEAN);
    *out = run;
    return PD_OK;
}

/* ---- the store's functions ---- */

pd_status_t pd_store_current(pd_store_t *store, const char *namespace_id, const char *workflow_id,
                             pd_execution_t **exec, pd_error_t *error)
{
    pdi_workflow_t *workflow = pdi_workflow_get(store, namespace_id, workflow_id);
    pdi_run_t *run = NULL;
    pd_status_t status;

    *exec = NULL;
    status = pdi_workflow_load_current(store, workflow, error);
    if (status == PD_OK && workflow->current == PDI_CURRENT_RUN) {
        status = pdi_run_load(store, workflow, workflow->current_run_id, &run, error);
        if (status == PD_OK && !run)
            status = pd_error_set(error, PD_CORRUPT,
                                  "partition %u: the current run %s of workflow \"%s\" is missing",
                                  store->partition, workflow->current_run_id, workflow_id);
    }
    if (run)
        *exec = &run->exec;
    pdi_workflow_release(store, workflow);
    return status;
}

pd_status_t pd_store_execution(pd_store_t *store, const char *namespace_id, const char *workflow_id,
                               const char *run_id, pd_execution_t **exec, pd_error_t *error)
{
    pdi_workflow_t *workflow = pdi_workflow_get(store, namespace_id, workflow_id);
    pdi_run_t *run;
    pd_status_t status = pdi_run_load(store, workflow, run_id, &run, error);

    *exec = run ? &run->exec : NULL;
    pdi_workflow_release(store, workflow);
    return status;
}

void pd_store_evict(pd_store_t *store)
{
    pdi_run_t *last = TAILQ_LAST(&store->removed, pdi_run_list), *first;
    int pinned = 0;

    while (last && (first = TAILQ_FIRST(&store->removed))) {
        bool end = first == last;

        pdi_run_let_go(store, first);
        if (end)
            break;
    }
    while (store->clean_size > store->cache_size_max && pinned < EVICT_PINNED_MAX) {
        pdi_run_t *run = TAILQ_LAST(&store->clean, pdi_run_list);

        if (run->exec.engine) {
            pinned++;
            mark_used(store, run);
            if (TAILQ_FIRST(&store->clean) == run && !TAILQ_NEXT(run, link))
                return;
            continue;
        }
        pdi_run_list_set(store, run, PDI_LIST_NONE);
        pdi_run_free(store, run);
    }
}
