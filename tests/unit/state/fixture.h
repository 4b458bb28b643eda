/* fixture.h -- a store in memory, and records written by hand for it.
 *
 * fixture_begin opens a record for a run, the functions after it add events, fixture_apply applies
 * it. After fixture_buffer, history events are wrapped as buffered ones.
 * Thread: one at a time. Ownership: the record lives until the next fixture_begin. */
#ifndef PD_TESTS_UNIT_STATE_FIXTURE_H
#define PD_TESTS_UNIT_STATE_FIXTURE_H

#include <temporal/api/enums/v1/event_type.pb-c.h>
#include <temporal/api/history/v1/message.pb-c.h>

#include "state/execution.h"

#define S ((int64_t)1000000000)
#define FIXTURE_NAMESPACE "0190b7a2-5f3c-7a11-8000-0123456789ab"
#define FIXTURE_RETENTION_NS (86400 * S)

typedef struct fixture {
    pd_store_shared_t *shared;
    pd_store_t *store;
    pd_arena_t arena;
    int64_t now_ns;
    int64_t offset;
    Perdure__V1__Record *record;
    Perdure__V1__RunEvents *run;
    int64_t next_event_id;
    bool buffer;
} fixture_t;

void fixture_open(fixture_t *f);
/* With the simulator's rows instead of RocksDB's. */
void fixture_open_simulated(fixture_t *f);
void fixture_close(fixture_t *f);
/* Drops memory, opens again. */
void fixture_reopen(fixture_t *f);

void fixture_begin(fixture_t *f, const char *workflow_id, const char *run_id);
/* A further run in the same record. */
void fixture_run(fixture_t *f, const char *run_id, int64_t next_event_id);
void fixture_apply(fixture_t *f);
void fixture_flush(fixture_t *f);
pd_execution_t *fixture_current(fixture_t *f, const char *workflow_id);

void *fixture_internal(fixture_t *f, Perdure__V1__Event__KindCase kind,
                       const ProtobufCMessageDescriptor *type);
void *fixture_history(fixture_t *f, int type, int attributes_case,
                      const ProtobufCMessageDescriptor *descriptor);
void fixture_buffer(fixture_t *f);

/* Begins and applies: the run exists, its first workflow task is scheduled (event 2). */
void fixture_start(fixture_t *f, const char *workflow_id, const char *run_id);
void fixture_created(fixture_t *f, const char *previous_run_id);
void fixture_started(fixture_t *f, const char *first_run_id);
void fixture_task_scheduled(fixture_t *f, const char *queue, bool sticky, int32_t attempt);
void fixture_task_started(fixture_t *f, int64_t scheduled_event_id);
void fixture_task_completed(fixture_t *f, int64_t scheduled_event_id, int64_t started_event_id);
void fixture_sticky(fixture_t *f, const char *queue, int64_t timeout_ns);
void fixture_activity_scheduled(fixture_t *f, const char *activity_id,
                                int64_t start_to_close_timeout_ns);
void fixture_attempt_started(fixture_t *f, int64_t scheduled_event_id, int32_t attempt);
void fixture_activity_completed(fixture_t *f, int64_t scheduled_event_id);
void fixture_timer_started(fixture_t *f, const char *timer_id, int64_t timeout_ns);
void fixture_timer_fired(fixture_t *f, const char *timer_id, int64_t started_event_id);
void fixture_signaled(fixture_t *f, const char *request_id);
void fixture_workflow_completed(fixture_t *f);
void fixture_terminated(fixture_t *f);
void fixture_continued_as_new(fixture_t *f, const char *next_run_id);

#endif
