#include "tests/sim/sim_audit.h"

#include <stdio.h>
#include <string.h>

#include "tests/sim/sim_ledger.h"
#include "tests/sim/sim_world.h"

/* ---- events ---- */

uint64_t sim_event_hash(const pd_history_event_t *event)
{
    size_t size = protobuf_c_message_get_packed_size(&event->base);
    uint8_t *bytes = pd_alloc(size);
    uint64_t hash = 14695981039346656037u;

    protobuf_c_message_pack(&event->base, bytes);
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u; /* FNV-1a */
    pd_free(bytes);
    return hash;
}

static void add_event(sim_audit_t *audit, sim_run_t *run, const pd_history_event_t *event)
{
    pd_history_event_t *copy = pd_pb_clone(event, &audit->arena);

    if (run->event_count == run->event_capacity) {
        run->event_capacity = run->event_capacity ? run->event_capacity * 2 : 16;
        run->events = pd_realloc(run->events, run->event_capacity * sizeof(run->events[0]));
        run->hashes = pd_realloc(run->hashes, run->event_capacity * sizeof(run->hashes[0]));
    }
    run->events[run->event_count] = copy;
    run->hashes[run->event_count++] = sim_event_hash(copy);
    audit->event_count++;
    sim_trace(audit->sim, "  event %s %s #%lld %d", run->workflow_id, run->run_id,
              (long long)event->event_id, (int)event->event_type);
    sim_ledger_saw(audit->sim->ledger, run, copy);
}

static void create_run(sim_audit_t *audit, const Perdure__V1__Transition *transition,
                       const char *run_id, const Perdure__V1__RunCreated *created)
{
    sim_run_t *run = PD_NEW(sim_run_t);
    sim_audit_workflow_t *workflow;

    SIM_CHECK(audit->sim, !sim_audit_run(audit, run_id), "run %s is created twice", run_id);
    run->run_id = pd_arena_strdup(&audit->arena, run_id);
    run->workflow_id = pd_arena_strdup(&audit->arena, transition->workflow_id);
    run->previous_run_id = pd_arena_strdup(&audit->arena, pd_pb_str(created->previous_run_id));
    run->request_id = pd_arena_strdup(&audit->arena, pd_pb_str(created->request_id));
    pd_run_grammar_init(&run->check);
    HASH_ADD_KEYPTR(hh, audit->runs, run->run_id, strlen(run->run_id), run);
    HASH_FIND(hh, audit->workflows, run->workflow_id, strlen(run->workflow_id), workflow);
    if (!workflow) {
        workflow = PD_NEW(sim_audit_workflow_t);
        workflow->workflow_id = run->workflow_id;
        HASH_ADD_KEYPTR(hh, audit->workflows, workflow->workflow_id, strlen(run->workflow_id),
                        workflow);
    }
    run->older = workflow->newest;
    workflow->newest = run;
    SIM_CHECK(audit->sim, !run->older || run->older->check.closed,
              "workflow %s: run %s begins while run %s is open", run->workflow_id, run->run_id,
              run->older->run_id);
}

static void add_transition(sim_audit_t *audit, const Perdure__V1__Transition *transition)
{
    for (size_t i = 0; i < transition->n_runs; i++) {
        const Perdure__V1__RunEvents *events = transition->runs[i];

        for (size_t k = 0; k < events->n_events; k++) {
            const Perdure__V1__Event *event = events->events[k];
            sim_run_t *run;

            if (event->kind_case == PERDURE__V1__EVENT__KIND_RUN_CREATED)
                create_run(audit, transition, events->run_id, event->run_created);
            run = sim_audit_run(audit, events->run_id);
            SIM_CHECK(audit->sim, run, "an event of run %s, which was never created",
                      events->run_id);
            SIM_CHECK(audit->sim, strcmp(run->workflow_id, transition->workflow_id) == 0,
                      "run %s: events of another workflow", run->run_id);
            check_history_event(audit->sim, &run->check, run->run_id, event);
            if (event->kind_case == PERDURE__V1__EVENT__KIND_HISTORY)
                add_event(audit, run, event->history);
        }
        if (events->n_events)
            check_history_step_end(audit->sim, &sim_audit_run(audit, events->run_id)->check,
                                   events->run_id);
    }
}

/* ---- records ---- */

/* Whoever took the partition over writes, and nobody else, until the next one does. */
static void check_writer(sim_audit_t *audit, uint32_t index, const pd_chain_record_t *link,
                         uint64_t writer)
{
    sim_audit_partition_t *partition = &audit->partitions[index];

    if (link->is_owner_changed)
        partition->writer = writer;
    SIM_CHECK(audit->sim, partition->writer == writer,
              "partition %u: record %lld counts, but another writer took the partition over", index,
              (long long)link->offset);
}

static void read_record(sim_audit_t *audit, uint32_t index, const pd_log_record_t *stored,
                        uint64_t writer)
{
    sim_audit_partition_t *partition = &audit->partitions[index];
    Perdure__V1__Record *record;
    ProtobufCMessage *message;
    pd_chain_record_t link;
    pd_error_t error;
    pd_arena_t arena;

    audit->record_count++;
    pd_arena_init(&arena);
    if (pd_record_decode(audit->sim->options.codec, &arena, stored->value, &message, NULL) ==
        PD_OK) {
        record = (Perdure__V1__Record *)message;
        link = (pd_chain_record_t){
            .offset = stored->offset,
            .epoch = record->epoch,
            .prev_hash = pd_bytes(record->prev_hash.data, record->prev_hash.len),
            .is_owner_changed = record->body_case == PERDURE__V1__RECORD__BODY_OWNER_CHANGED,
            .bytes = stored->value,
        };
        if (pd_chain_counts(pd_chain_feed(&partition->chain, &link))) {
            sim_trace(audit->sim, " record %u:%lld counts (%d)", index, (long long)stored->offset,
                      (int)record->body_case);
            check_writer(audit, index, &link, writer);
            SIM_CHECK(audit->sim, pd_link_grammar_record(&partition->link, record, &error) == PD_OK,
                      "partition %u: record %lld: %s", index, (long long)stored->offset,
                      error.text);
            if (record->body_case == PERDURE__V1__RECORD__BODY_TRANSITION)
                add_transition(audit, record->transition);
            SIM_CHECK(audit->sim, pd_store_apply(partition->shadow, record, &error) == PD_OK,
                      "partition %u: record %lld counts but does not fit the state: %s", index,
                      (long long)stored->offset, error.text);
            partition->counted_since_compared++;
        } else {
            sim_trace(audit->sim, " record %u:%lld is void", index, (long long)stored->offset);
            audit->void_count++;
        }
    } else {
        audit->void_count++;
    }
    pd_arena_deinit(&arena);
}

void sim_audit_catch_up(sim_audit_t *audit)
{
    pd_log_memory_t *storage = audit->sim->world->storage;

    for (uint32_t i = 0; i < audit->sim->partition_count; i++) {
        sim_audit_partition_t *partition = &audit->partitions[i];
        uint64_t count = pd_log_memory_count(storage, PD_LOG_EVENTS, i);

        for (; partition->next_index < count; partition->next_index++) {
            pd_log_record_t record =
                pd_log_memory_record(storage, PD_LOG_EVENTS, i, partition->next_index);

            read_record(audit, i, &record,
                        pd_log_memory_writer(storage, PD_LOG_EVENTS, i, partition->next_index));
        }
    }
}

/* ---- asking ---- */

sim_run_t *sim_audit_run(sim_audit_t *audit, const char *run_id)
{
    sim_run_t *run;

    HASH_FIND(hh, audit->runs, run_id, strlen(run_id), run);
    return run;
}

void sim_audit_check_events(sim_audit_t *audit, const char *run_id,
                            pd_history_event_t *const *events, size_t count, const char *who)
{
    sim_run_t *run;

    sim_audit_catch_up(audit);
    run = sim_audit_run(audit, run_id);
    SIM_CHECK(audit->sim, run || count == 0, "%s: events of run %s, which is not in the log", who,
              run_id);
    for (size_t i = 0; i < count; i++) {
        int64_t event_id = events[i]->event_id;

        SIM_CHECK(audit->sim, event_id >= 1 && (size_t)event_id <= run->event_count,
                  "%s: run %s: event %lld was served but is not in the log (%zu are)", who, run_id,
                  (long long)event_id, run->event_count);
        SIM_CHECK(audit->sim, run->hashes[event_id - 1] == sim_event_hash(events[i]),
                  "%s: run %s: event %lld was served differently from what the log has", who,
                  run_id, (long long)event_id);
    }
}

/* ---- life ---- */

sim_audit_t *sim_audit_new(sim_t *sim)
{
    sim_audit_t *audit = PD_NEW(sim_audit_t);
    pd_error_t error;

    audit->sim = sim;
    pd_arena_init(&audit->arena);
    audit->partitions = pd_calloc(sim->partition_count, sizeof(audit->partitions[0]));
    for (uint32_t i = 0; i < sim->partition_count; i++) {
        char path[32];
        pd_store_options_t options = {
            .path = path,
            .shared = sim->world->store_shared,
            .partition = i,
            .cache_size_max = (size_t)64 * 1024 * 1024,
        };

        snprintf(path, sizeof(path), "/audit/%u", i);
        pd_chain_init(&audit->partitions[i].chain);
        pd_link_grammar_init(&audit->partitions[i].link);
        SIM_CHECK(sim, pd_store_open(&options, &audit->partitions[i].shadow, &error) == PD_OK,
                  "no store to audit with: %s", error.text);
    }
    return audit;
}

void sim_audit_free(sim_audit_t *audit)
{
    sim_audit_workflow_t *workflow, *next_workflow;
    sim_run_t *run, *next;

    for (uint32_t i = 0; i < audit->sim->partition_count; i++) {
        pd_link_grammar_deinit(&audit->partitions[i].link);
        pd_store_free(audit->partitions[i].shadow);
    }
    HASH_ITER (hh, audit->workflows, workflow, next_workflow) {
        HASH_DEL(audit->workflows, workflow);
        pd_free(workflow);
    }
    HASH_ITER (hh, audit->runs, run, next) {
        HASH_DEL(audit->runs, run);
        pd_run_grammar_deinit(&run->check);
        pd_free(run->events);
        pd_free(run->hashes);
        pd_free(run);
    }
    pd_free(audit->partitions);
    pd_arena_deinit(&audit->arena);
    pd_free(audit);
}
