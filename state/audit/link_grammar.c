/* link_grammar.c -- numbers without holes, and marks that never go back. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <uthash.h>

#include "api/pb/pb.h"
#include "base/memory.h"
#include "state/audit/grammar.h"

/* The last number of one sequence, whose name tells what it counts. */
typedef struct pdi_grammar_number {
    UT_hash_handle hh;
    int64_t last;
    char name[];
} pdi_grammar_number_t;

enum { NAME_SIZE = 512 };

static pdi_grammar_number_t *number_of(pd_link_grammar_t *link, const char *name)
{
    pdi_grammar_number_t *number;
    size_t size = strlen(name);

    HASH_FIND(hh, link->numbers, name, size, number);
    if (!number) {
        number = pd_calloc(1, sizeof(*number) + size + 1);
        memcpy(number->name, name, size + 1);
        HASH_ADD_KEYPTR(hh, link->numbers, number->name, size, number);
    }
    return number;
}

static pd_status_t exactly_next(pd_link_grammar_t *link, const char *name, int64_t is,
                                pd_error_t *error)
{
    pdi_grammar_number_t *number = number_of(link, name);
    int64_t expected = number->last + 1;

    number->last = is; /* go on from there, so that one hole is told once */
    if (is != expected)
        return pd_error_set(error, PD_CORRUPT, "%s: number %" PRId64 " where %" PRId64 " is due",
                            name, is, expected);
    return PD_OK;
}

static pd_status_t never_back(pd_link_grammar_t *link, const char *name, int64_t is,
                              pd_error_t *error)
{
    pdi_grammar_number_t *number = number_of(link, name);
    int64_t before = number->last;

    number->last = is;
    if (is < before)
        return pd_error_set(error, PD_CORRUPT, "%s goes back from %" PRId64 " to %" PRId64, name,
                            before, is);
    return PD_OK;
}

static pd_status_t commands_through(pd_link_grammar_t *link, int64_t through, pd_error_t *error)
{
    int64_t before = link->commands_through;

    link->commands_through = through;
    if (through < before)
        return pd_error_set(error, PD_CORRUPT,
                            "commands_through goes back from %" PRId64 " to %" PRId64, before,
                            through);
    return PD_OK;
}

static pd_status_t received(pd_link_grammar_t *link, const Perdure__V1__Received *message,
                            pd_error_t *error)
{
    const char *topic = pd_pb_str(message->source_topic);
    char name[NAME_SIZE];

    if (topic[0])
        snprintf(name, sizeof(name), "received from topic %s", topic);
    else
        snprintf(name, sizeof(name), "received from partition %d", message->source_partition);
    return exactly_next(link, name, message->number, error);
}

static pd_status_t transition(pd_link_grammar_t *link, const Perdure__V1__Transition *transition,
                              pd_error_t *error)
{
    PD_TRY(commands_through(link, transition->commands_through, error));
    if (transition->received)
        PD_TRY(received(link, transition->received, error));
    for (size_t i = 0; i < transition->n_messages; i++) {
        const Perdure__V1__Message *message = transition->messages[i];
        char name[NAME_SIZE];

        snprintf(name, sizeof(name), "messages to partition %d", message->target_partition);
        PD_TRY(exactly_next(link, name, message->number, error));
    }
    return PD_OK;
}

static pd_status_t sent(pd_link_grammar_t *link, const Perdure__V1__OutboxSent *mark,
                        pd_error_t *error)
{
    const pdi_grammar_number_t *number;
    char name[NAME_SIZE];

    snprintf(name, sizeof(name), "messages to partition %d", mark->target_partition);
    number = number_of(link, name);
    if (mark->through_number > number->last)
        return pd_error_set(error, PD_CORRUPT,
                            "%s: sent through %" PRId64 ", but only %" PRId64 " were written", name,
                            mark->through_number, number->last);
    snprintf(name, sizeof(name), "sent mark of partition %d", mark->target_partition);
    return never_back(link, name, mark->through_number, error);
}

static pd_status_t ingested(pd_link_grammar_t *link, const Perdure__V1__IngestCheckpoint *mark,
                            pd_error_t *error)
{
    char name[NAME_SIZE];

    snprintf(name, sizeof(name), "ingestion of %s", pd_pb_str(mark->source));
    PD_TRY(never_back(link, name, mark->next_offset, error));
    for (size_t i = 0; i < mark->n_last_numbers; i++) {
        snprintf(name, sizeof(name), "ingestion of %s into partition %zu", pd_pb_str(mark->source),
                 i);
        PD_TRY(never_back(link, name, mark->last_numbers[i], error));
    }
    return PD_OK;
}

static pd_status_t progress(pd_link_grammar_t *link, const Perdure__V1__Progress *progress,
                            pd_error_t *error)
{
    PD_TRY(commands_through(link, progress->commands_through, error));
    for (size_t i = 0; i < progress->n_received; i++)
        PD_TRY(received(link, progress->received[i], error));
    for (size_t i = 0; i < progress->n_sent; i++)
        PD_TRY(sent(link, progress->sent[i], error));
    for (size_t i = 0; i < progress->n_ingested; i++)
        PD_TRY(ingested(link, progress->ingested[i], error));
    return PD_OK;
}

pd_status_t pd_link_grammar_record(pd_link_grammar_t *link, const Perdure__V1__Record *record,
                                   pd_error_t *error)
{
    if (record->body_case == PERDURE__V1__RECORD__BODY_TRANSITION)
        return transition(link, record->transition, error);
    if (record->body_case == PERDURE__V1__RECORD__BODY_PROGRESS)
        return progress(link, record->progress, error);
    return PD_OK;
}

void pd_link_grammar_init(pd_link_grammar_t *link)
{
    *link = (pd_link_grammar_t){.commands_through = -1};
}

void pd_link_grammar_deinit(pd_link_grammar_t *link)
{
    pdi_grammar_number_t *number, *next;

    HASH_ITER (hh, link->numbers, number, next) {
        HASH_DEL(link->numbers, number);
        pd_free(number);
    }
}
