/* check.c -- the logs, read by the rule of log/record/chain.h, behind the servers' backs. */
#include <uthash.h>

#include "tests/unit/transport/world.h"

/* The order is in the history: once, and behind the earlier ones of its source. */
static void fold_order(world_t *world, const Perdure__V1__Transition *transition)
{
    const Perdure__V1__RunEvents *run;
    const pd_history_event_t *event = NULL;
    int source = atoi(transition->received->source_topic + strlen("orders/"));
    int customer = atoi(transition->workflow_id + strlen("order-"));
    char text[16];
    int order;

    assert_true(transition->n_runs > 0);
    run = transition->runs[transition->n_runs - 1];
    for (size_t i = 0; i < run->n_events; i++) {
        if (run->events[i]->kind_case == PERDURE__V1__EVENT__KIND_HISTORY &&
            (int)run->events[i]->history->event_type == PD_EVENT(WORKFLOW_EXECUTION_SIGNALED))
            event = run->events[i]->history;
    }
    assert_non_null(event);
    assert_string_equal(event->workflow_execution_signaled_event_attributes->signal_name, "placed");
    {
        const Temporal__Api__Common__V1__Payload *payload =
            event->workflow_execution_signaled_event_attributes->input->payloads[0];

        assert_true(payload->data.len < sizeof(text));
        snprintf(text, sizeof(text), "%.*s", (int)payload->data.len, (char *)payload->data.data);
    }
    order = atoi(text);
    assert_int_equal(world->seen[order]++, 0);
    assert_true(order >= world->last_order[source][customer]);
    world->last_order[source][customer] = order;
}

void check_orders(world_t *world)
{
    uint64_t rejects = 0;

    for (int i = 0; i < world->order_count; i++) {
        if (!world->seen[i])
            fail_msg("seed %llu: order %d was lost", (unsigned long long)world->seed, i);
    }
    for (uint32_t i = 0; i < PARTITION_COUNT; i++)
        rejects += pd_log_memory_count(world->storage, PD_LOG_REJECTED, i);
    assert_true(rejects >= (uint64_t)world->garbage_count);
    assert_true(rejects == 0 || world->garbage_count > 0);
}

typedef struct sent {
    UT_hash_handle hh;
    char key[48]; /* source, target, number */
    char workflow_id[16];
    bool received;
} sent_t;

static sent_t *sent_of(sent_t **all, int source, int target, long long number)
{
    sent_t *sent;
    char key[48];

    snprintf(key, sizeof(key), "%d %d %lld", source, target, number);
    HASH_FIND_STR(*all, key, sent);
    if (!sent) {
        sent = PD_NEW(sent_t);
        memcpy(sent->key, key, sizeof(key));
        HASH_ADD_STR(*all, key, sent);
    }
    return sent;
}

static void name_receiver(sent_t *sent, const char *workflow_id)
{
    if (sent->workflow_id[0])
        assert_string_equal(sent->workflow_id, workflow_id);
    snprintf(sent->workflow_id, sizeof(sent->workflow_id), "%s", workflow_id);
}

static void fold_transition(world_t *world, sent_t **all, int partition,
                            const Perdure__V1__Transition *transition)
{
    for (size_t i = 0; i < transition->n_messages; i++) {
        const Perdure__V1__Message *message = transition->messages[i];

        name_receiver(sent_of(all, partition, message->target_partition, message->number),
                      message->workflow_id);
    }
    if (transition->received && transition->received->source_partition < 0) {
        fold_order(world, transition);
    } else if (transition->received) {
        sent_t *sent = sent_of(all, transition->received->source_partition, partition,
                               transition->received->number);

        assert_false(sent->received);
        sent->received = true;
        name_receiver(sent, transition->workflow_id);
    }
}

/* What counts is folded into a store, too, which checks that numbers follow one another. */
static void fold(world_t *world, sent_t **all, uint32_t partition, pd_store_t *store)
{
    uint64_t count = pd_log_memory_count(world->storage, PD_LOG_EVENTS, partition);
    pd_chain_t chain;
    pd_arena_t arena;
    pd_error_t error;

    pd_chain_init(&chain);
    pd_arena_init(&arena);
    for (uint64_t i = 0; i < count; i++) {
        pd_log_record_t stored = pd_log_memory_record(world->storage, PD_LOG_EVENTS, partition, i);
        ProtobufCMessage *message;
        const Perdure__V1__Record *record;
        pd_chain_record_t link;

        pd_arena_reset(&arena);
        assert_int_equal(pd_record_decode(world->codec, &arena, stored.value, &message, NULL),
                         PD_OK);
        record = (const Perdure__V1__Record *)message;
        link = (pd_chain_record_t){
            .offset = stored.offset,
            .epoch = record->epoch,
            .prev_hash = pd_bytes(record->prev_hash.data, record->prev_hash.len),
            .is_owner_changed = record->body_case == PERDURE__V1__RECORD__BODY_OWNER_CHANGED,
            .bytes = stored.value,
        };
        if (!pd_chain_counts(pd_chain_feed(&chain, &link)))
            continue;
        if (pd_store_apply(store, record, &error) != PD_OK)
            fail_msg("seed %llu: %s", (unsigned long long)world->seed, error.text);
        if (record->body_case == PERDURE__V1__RECORD__BODY_TRANSITION)
            fold_transition(world, all, (int)partition, record->transition);
        assert_true(record->body_case != PERDURE__V1__RECORD__BODY_PROGRESS ||
                    record->progress->n_received == 0);
    }
    pd_arena_deinit(&arena);
}

size_t check_all_received(world_t *world)
{
    sent_t *all = NULL, *sent, *next;
    size_t count = 0;

    for (uint32_t i = 0; i < PARTITION_COUNT; i++) {
        char path[16];
        pd_store_options_t options = {
            .path = path, .shared = world->store_shared, .partition = i, .cache_size_max = 1 << 20};
        pd_store_t *store;
        pd_error_t error;

        snprintf(path, sizeof(path), "/fold-%u", i);
        assert_int_equal(pd_store_open(&options, &store, &error), PD_OK);
        fold(world, &all, i, store);
        pd_store_free(store);
    }
    HASH_ITER (hh, all, sent, next) {
        if (!sent->received)
            fail_msg("seed %llu: message %s was lost", (unsigned long long)world->seed, sent->key);
        assert_true(sent->workflow_id[0]);
        HASH_DEL(all, sent);
        pd_free(sent);
        count++;
    }
    return count;
}
