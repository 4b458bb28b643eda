#include "tests/unit/state/generator_private.h"

bool gen_chance(pd_generator_t *gen, uint64_t percent)
{
    return pd_random_chance(&gen->random, percent, 100);
}

uint64_t gen_below(pd_generator_t *gen, uint64_t bound)
{
    return pd_random_below(&gen->random, bound);
}

char *gen_new_id(pd_generator_t *gen, const char *prefix)
{
    char uuid[PD_UUID_SIZE];

    pd_random_uuid(&gen->random, gen->now_ns, uuid);
    return pd_arena_printf(&gen->arena, "%s%s", prefix, uuid);
}

Perdure__V1__Event *gen_add(pd_generator_t *gen)
{
    Perdure__V1__Event *event = PD_PB_NEW(&gen->arena, Perdure__V1__Event, perdure__v1__event);

    PD_ASSERT(gen->run->n_events < GENERATOR_EVENTS_MAX);
    gen->run->events[gen->run->n_events++] = event;
    return event;
}

void *gen_add_internal(pd_generator_t *gen, Perdure__V1__Event__KindCase kind,
                       const ProtobufCMessageDescriptor *type)
{
    Perdure__V1__Event *event = gen_add(gen);
    void *message = pd_pb_new(type, &gen->arena);

    event->kind_case = kind;
    event->run_created = message; /* one pointer for all of them */
    return message;
}

pd_history_event_t *gen_new_event(pd_generator_t *gen, int type, int attributes_case,
                                  void *attributes)
{
    pd_history_event_t *event =
        PD_PB_NEW(&gen->arena, pd_history_event_t, temporal__api__history__v1__history_event);

    event->event_time = pd_pb_timestamp(&gen->arena, gen->now_ns);
    event->event_type = (Temporal__Api__Enums__V1__EventType)type;
    event->attributes_case =
        (Temporal__Api__History__V1__HistoryEvent__AttributesCase)attributes_case;
    event->workflow_execution_started_event_attributes = attributes;
    event->task_id = (int64_t)gen_below(gen, 1u << 20);
    return event;
}

void gen_add_history(pd_generator_t *gen, pd_history_event_t *event)
{
    Perdure__V1__Event *wrapped = gen_add(gen);

    event->event_id = gen->next_event_id++;
    wrapped->kind_case = PERDURE__V1__EVENT__KIND_HISTORY;
    wrapped->history = event;
}

bool gen_task_is_started(pd_generator_t *gen)
{
    const Perdure__V1__WorkflowTaskRow *task = gen->exec ? gen->exec->row->workflow_task : NULL;

    return task && task->started_event_id;
}

void *gen_add_attributes(pd_generator_t *gen, int type, int attributes_case,
                         const ProtobufCMessageDescriptor *descriptor)
{
    void *attributes = pd_pb_new(descriptor, &gen->arena);

    gen_add_history(gen, gen_new_event(gen, type, attributes_case, attributes));
    return attributes;
}

/* From outside: buffered while a workflow task is running. */
void gen_add_outside(pd_generator_t *gen, int type, int attributes_case, void *attributes)
{
    pd_history_event_t *event = gen_new_event(gen, type, attributes_case, attributes);

    if (!gen_task_is_started(gen)) {
        gen_add_history(gen, event);
    } else {
        INTERNAL(gen, EVENT_BUFFERED, event_buffered, EventBuffered);
        a->event = event;
    }
}

Temporal__Api__Common__V1__Payload *gen_payload(pd_generator_t *gen, const char *data)
{
    Temporal__Api__Common__V1__Payload *made = PD_PB_NEW(
        &gen->arena, Temporal__Api__Common__V1__Payload, temporal__api__common__v1__payload);
    Temporal__Api__Common__V1__Payload__MetadataEntry *entry =
        PD_PB_NEW(&gen->arena, Temporal__Api__Common__V1__Payload__MetadataEntry,
                  temporal__api__common__v1__payload__metadata_entry);

    entry->key = (char *)"encoding";
    entry->value.data = (uint8_t *)"json/plain";
    entry->value.len = 10;
    made->n_metadata = 1;
    made->metadata = pd_arena_memdup(&gen->arena, &entry, sizeof(entry));
    made->data.data = (uint8_t *)data;
    made->data.len = strlen(data);
    return made;
}

Temporal__Api__Common__V1__Payloads *gen_payloads(pd_generator_t *gen)
{
    Temporal__Api__Common__V1__Payloads *made = PD_PB_NEW(
        &gen->arena, Temporal__Api__Common__V1__Payloads, temporal__api__common__v1__payloads);
    Temporal__Api__Common__V1__Payload *one =
        gen_payload(gen, pd_arena_printf(&gen->arena, "\"%0*d\"", (int)gen_below(gen, 300) + 1, 7));

    made->n_payloads = 1;
    made->payloads = pd_arena_memdup(&gen->arena, &one, sizeof(one));
    return made;
}

Temporal__Api__Common__V1__Memo *gen_memo(pd_generator_t *gen)
{
    Temporal__Api__Common__V1__Memo *made =
        PD_PB_NEW(&gen->arena, Temporal__Api__Common__V1__Memo, temporal__api__common__v1__memo);
    Temporal__Api__Common__V1__Memo__FieldsEntry *entry =
        PD_PB_NEW(&gen->arena, Temporal__Api__Common__V1__Memo__FieldsEntry,
                  temporal__api__common__v1__memo__fields_entry);

    entry->key = pd_arena_printf(&gen->arena, "key%d", (int)gen_below(gen, 4));
    entry->value = gen_payload(gen, gen_chance(gen, 30) ? "null" : "\"value\"");
    made->n_fields = 1;
    made->fields = pd_arena_memdup(&gen->arena, &entry, sizeof(entry));
    return made;
}

Temporal__Api__Taskqueue__V1__TaskQueue *gen_queue(pd_generator_t *gen, bool sticky)
{
    Temporal__Api__Taskqueue__V1__TaskQueue *made =
        PD_PB_NEW(&gen->arena, Temporal__Api__Taskqueue__V1__TaskQueue,
                  temporal__api__taskqueue__v1__task_queue);

    made->name = (char *)(sticky ? "worker-7:sticky" : "orders");
    made->kind = sticky ? QUEUE_KIND(STICKY) : QUEUE_KIND(NORMAL);
    return made;
}

Google__Protobuf__Duration *gen_duration(pd_generator_t *gen, uint64_t percent, uint64_t seconds)
{
    return gen_chance(gen, percent)
               ? pd_pb_duration(&gen->arena, (int64_t)(1 + gen_below(gen, seconds)) * S)
               : NULL;
}
