/* Messages sent and received, and marks of progress, in random records. */
#include "tests/unit/state/generator_private.h"

enum { TARGET_COUNT = 5, SENT_MAX = 3 };

static Perdure__V1__Message *new_message(pd_generator_t *gen, uint32_t target, int64_t number)
{
    Perdure__V1__Message *message =
        PD_PB_NEW(&gen->arena, Perdure__V1__Message, perdure__v1__message);

    message->target_partition = (int32_t)target;
    message->number = number;
    message->namespace_id = (char *)NAMESPACE;
    message->workflow_id = gen_new_id(gen, "receiver-");
    message->sender_workflow_id = gen->record->transition->workflow_id;
    message->body_case = PERDURE__V1__MESSAGE__BODY_CHILD_FIRST_TASK;
    message->child_first_task =
        PD_PB_NEW(&gen->arena, Perdure__V1__ChildFirstTask, perdure__v1__child_first_task);
    return message;
}

static void send_messages(pd_generator_t *gen, Perdure__V1__Transition *transition)
{
    uint32_t target = (uint32_t)gen_below(gen, TARGET_COUNT);
    int64_t last = pd_store_outbox(gen->store, target).last_number;

    transition->n_messages = 1 + gen_below(gen, SENT_MAX);
    transition->messages = pd_arena_alloc(&gen->arena, SENT_MAX * sizeof(transition->messages[0]));
    for (size_t i = 0; i < transition->n_messages; i++)
        transition->messages[i] = new_message(gen, target, last + 1 + (int64_t)i);
    gen->message_count += transition->n_messages;
}

/* The next one of some source: of this partition's own outbox only what is there. */
static Perdure__V1__Received *receive(pd_generator_t *gen)
{
    static const char *const topics[] = {"", "orders/0", "orders/11"};
    Perdure__V1__Received *received =
        PD_PB_NEW(&gen->arena, Perdure__V1__Received, perdure__v1__received);
    uint64_t topic = gen_below(gen, PD_ARRAY_COUNT(topics));

    received->source_partition = topic ? -1 : (int32_t)gen_below(gen, TARGET_COUNT);
    received->source_topic = (char *)topics[topic];
    received->number =
        pd_store_inbox_last(gen->store, received->source_partition, topics[topic]) + 1;
    if (received->source_partition == GENERATOR_PARTITION &&
        received->number > pd_store_outbox(gen->store, GENERATOR_PARTITION).last_number)
        return NULL;
    return received;
}

void gen_add_messages(pd_generator_t *gen, Perdure__V1__Transition *transition)
{
    transition->commands_through = gen_chance(gen, 30) ? ++gen->commands_through : -1;
    if (gen_chance(gen, 20))
        transition->received = receive(gen);
    if (gen_chance(gen, 20))
        send_messages(gen, transition);
    if (gen_chance(gen, 20))
        transition->command_id =
            gen_chance(gen, 90) ? gen_new_id(gen, "command-") : (char *)"command again";
}

/* Sent marks up to somewhere, command IDs forgotten up to a minute or so ago. */
const Perdure__V1__Record *gen_progress(pd_generator_t *gen)
{
    Perdure__V1__Progress *self =
        PD_PB_NEW(&gen->arena, Perdure__V1__Progress, perdure__v1__progress);
    uint32_t target = (uint32_t)gen_below(gen, TARGET_COUNT);
    pd_outbox_range_t range = pd_store_outbox(gen->store, target);

    gen->record->body_case = PERDURE__V1__RECORD__BODY_PROGRESS;
    gen->record->progress = self;
    self->commands_through = gen->commands_through;
    if (range.last_number && target != GENERATOR_PARTITION) {
        self->n_sent = 1;
        self->sent = pd_arena_alloc(&gen->arena, sizeof(self->sent[0]));
        self->sent[0] = PD_PB_NEW(&gen->arena, Perdure__V1__OutboxSent, perdure__v1__outbox_sent);
        self->sent[0]->target_partition = (int32_t)target;
        self->sent[0]->through_number =
            range.done_through +
            (int64_t)gen_below(gen, (uint64_t)(range.last_number - range.done_through) + 1);
    }
    if (gen_chance(gen, 30)) {
        self->received = pd_arena_alloc(&gen->arena, sizeof(self->received[0]));
        self->received[0] = receive(gen);
        self->n_received = self->received[0] != NULL;
    }
    if (gen_chance(gen, 30)) {
        Perdure__V1__IngestCheckpoint *checkpoint =
            PD_PB_NEW(&gen->arena, Perdure__V1__IngestCheckpoint, perdure__v1__ingest_checkpoint);

        checkpoint->source = (char *)(gen_chance(gen, 50) ? "orders/0" : "orders/11");
        checkpoint->next_offset = (int64_t)gen_below(gen, 1000000);
        checkpoint->n_last_numbers = TARGET_COUNT;
        checkpoint->last_numbers = pd_arena_calloc(&gen->arena, TARGET_COUNT, sizeof(int64_t));
        checkpoint->last_numbers[target] = checkpoint->next_offset / 2;
        self->n_ingested = 1;
        self->ingested = pd_arena_alloc(&gen->arena, sizeof(self->ingested[0]));
        self->ingested[0] = checkpoint;
    }
    if (gen_chance(gen, 50))
        self->command_ids_forgotten_before_ns = gen->now_ns - (int64_t)gen_below(gen, 200) * S;
    return gen->record;
}
