/* partition_private.h -- the inside of a partition, for the files of this folder.
 *
 * Files: partition.c (life), role.c (what it should be), follow.c (reading and applying the log),
 * acquire.c (becoming the owner), rebuild.c (what it has in memory only), watch.c (does it still
 * get on?), pipeline.c (decide, append, apply, acknowledge, in that order), answer.c (how commands
 * end), clock.c (deadlines), run.c (what waits on a run), flush.c, hand_out.c (workflow tasks to
 * workers), query.c, namespaces.c. Thread: the partition's loop. */
#ifndef PD_ENGINE_PARTITION_PARTITION_PRIVATE_H
#define PD_ENGINE_PARTITION_PARTITION_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>
#include <temporal/api/workflowservice/v1/request_response.pb-c.h>
#include <uthash.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/random.h"
#include "engine/decide/draft.h"
#include "engine/partition/partition.h"
#include "log/record/chain.h"

/* An activity task that may be offered once the record that made it ready counts. */
typedef struct pdi_offer {
    char *workflow_id; /* one allocation: workflow ID, run ID, task queue */
    char *run_id;
    char *task_queue;
    const pd_namespace_t *ns;
    int64_t scheduled_event_id;
    int32_t attempt;
    int64_t time_ns;
} pdi_offer_t;

/* Something to be done once everything appended so far counts. */
typedef struct pdi_answer {
    STAILQ_ENTRY(pdi_answer) link;
    pd_command_t *command;
    const pd_rpc_error_t *error; /* NULL: `acknowledged` runs; else `refused` */
} pdi_answer_t;
typedef STAILQ_HEAD(pdi_answers, pdi_answer) pdi_answers_t;

/* Messages that a record holds: to that partition, up to that number. */
typedef struct pdi_mark {
    uint32_t target;
    int64_t through_number;
} pdi_mark_t;

typedef struct pdi_transport pdi_transport_t;

/* One record in flight, from append to acknowledgement. */
typedef struct pdi_pending {
    TAILQ_ENTRY(pdi_pending) link;
    pd_partition_t *partition;
    pd_log_append_t append;
    pd_buf_t record;
    uint8_t hash_after[PD_RECORD_HASH_SIZE];
    int64_t appended_ns;
    bool acknowledged;
    bool abandoned; /* the partition was lost; only the log still borrows this */
    bool flush_boundary;
    pd_command_t *command; /* NULL: barrier, owner change */
    pdi_answers_t answers; /* that depend on this record and what came before */
    pdi_offer_t *offers;
    size_t offer_count;
    size_t offer_capacity;
    pdi_mark_t *marks;
    size_t mark_count;
    size_t mark_capacity;
    int64_t commands_through;                 /* of the state, with this record applied */
    Perdure__V1__NamespaceRow *namespace_row; /* to publish */
    pd_call_t *namespace_call;
} pdi_pending_t;
typedef TAILQ_HEAD(pdi_pendings, pdi_pending) pdi_pendings_t;

/* The armed deadline of one run; survives the run's eviction from the cache. */
typedef struct pdi_deadline {
    pd_timer_t timer;
    pd_partition_t *partition;
    int64_t offered_through_ns; /* retries due up to here have been offered */
    UT_hash_handle hh;
    uint32_t workflow_id_at, run_id_at, key_size;
    char key[]; /* namespace ID NUL workflow ID NUL run ID NUL */
} pdi_deadline_t;

/* A command that waits for its run to change. */
typedef struct pdi_waiter {
    TAILQ_ENTRY(pdi_waiter) link;
    pd_timer_t timer;
    struct pdi_run *run;
    pd_command_t *command;
} pdi_waiter_t;

/* With more records in flight than this, overdue timers wait a little. */
enum { PDI_TIMER_PENDING_MAX = 2000 };

typedef enum pdi_query_state {
    PDI_QUERY_BUFFERED, /* goes with the next workflow task */
    PDI_QUERY_ATTACHED, /* went with the workflow task that runs */
    PDI_QUERY_OFFERED,  /* direct: in matching, or with a worker */
} pdi_query_state_t;

/* A client's query until it is answered. Lives in its call's arena. */
typedef struct pdi_query {
    TAILQ_ENTRY(pdi_query) link;
    UT_hash_handle hh;
    uint64_t id;
    pdi_query_state_t state;
    bool with_worker;              /* as a direct query; whoever else comes for it is too late */
    bool answerable;               /* a worker has, or had, it as a direct query */
    int64_t task_started_event_id; /* the workflow task that it went with */
    int32_t task_attempt;
    struct pdi_run *run;
    pd_command_t *command;
    pd_timer_t sticky_timer; /* no answer from there: try the normal queue */
} pdi_query_t;

/* What the partition keeps beside a run that somebody waits on. Pins the run in the store. */
typedef struct pdi_run {
    pd_execution_t *exec;
    TAILQ_HEAD(, pdi_waiter) waiters;
    TAILQ_HEAD(, pdi_query) queries;
    LIST_ENTRY(pdi_run) link;
} pdi_run_t;

/* The store while it is being opened, written or closed. */
typedef struct pdi_disk {
    bool busy;     /* the thread has what is below */
    bool finished; /* … and is through; `done` is on its way */
    bool on_thread;
    pthread_t thread;
    void (*work)(struct pdi_disk *self); /* there */
    void (*worked)(pd_partition_t *partition);
    pd_mail_t done;
    pd_store_t *store;
    pd_status_t status;
    pd_error_t error;
    uint64_t log_size;  /* the partition's, as of the flush that was written last */
    bool close_follows; /* of the store that is being written */
    bool flushes;       /* closing: what the store has up to the position */
    pd_store_position_t position;
} pdi_disk_t;

/* What is brought from the store to the clock and to matching, and how far that is. */
typedef struct pdi_rebuild {
    enum {
        PDI_REBUILD_NONE,
        PDI_REBUILD_TASKS,
        PDI_REBUILD_DEADLINES,
    } phase;
    pd_timer_t timer;       /* the next slice */
    pd_store_walk_t *walk;  /* NULL: to be opened */
    pd_buf_t from;          /* then: where */
    int64_t begun_ns;       /* backoffs that end later are offered by the clock */
    int64_t waits_since_ns; /* for a namespace, or since that was last told; 0: does not */
    bool owes_deadlines;
    uint32_t lap;                                            /* of the walk over tasks */
    STAILQ_HEAD(pdi_offer_filters, pd_offer_filter) filters; /* the tasks that it is for */
} pdi_rebuild_t;

struct pd_partition {
    pd_partition_options_t options;
    char *node, *store_path;
    pd_partition_state_t state;
    void (*changed)(void *ctx, pd_partition_state_t state);
    void *changed_ctx;
    pd_random_t random;

    pd_store_t *store;
    pd_log_writer_t *writer;
    pd_log_reader_t *reader;
    bool closing_writer, closing_reader;
    pd_mail_t writer_closed, reader_closed;
    pd_timer_t retry_timer;
    int64_t retry_delay_ns;
    bool stopping, waiters_released;
    int64_t failed_delay_ns;

    /* What it should be */
    pd_partition_role_t role;
    int64_t deposes_epoch;

    /* Following: the log up to follow_offset is read, what counts is applied */
    pd_log_read_t read;
    pd_timer_t read_timer; /* a read that failed, once more */
    int64_t follow_offset;
    pd_arena_t replay_arena;
    /* The newest OwnerChanged that was ever seen, also by an owner whom it deposed. */
    int64_t known_epoch;
    bool known_is_self; /* it is of this node */

    /* Acquiring */
    pd_log_append_t owner_append;
    pd_buf_t owner_record;
    bool owner_append_in_flight;
    int64_t acquired_offset; /* where our OwnerChanged landed; -1: not known yet */

    /* Owning */
    pd_chain_t chain; /* of everything acknowledged; following: of everything read */
    int64_t epoch;
    uint8_t tip_hash[PD_RECORD_HASH_SIZE]; /* of everything appended */
    int64_t expected_offset;
    pdi_pendings_t pendings; /* in the order of append */
    size_t pending_count;
    pdi_pendings_t free_pendings;
    size_t free_pending_count;
    size_t abandoned_count;        /* in flight still, of an owner that is no more */
    pdi_answers_t barrier_answers; /* wait for an append that is issued after they came */
    pd_mail_t turn_mail;
    bool turn_posted;
    bool reading_gap, gap_wanted;
    pd_log_read_t gap_read;

    /* Watching itself */
    pd_timer_t acquire_timer;       /* ACQUIRING: does the log bring our OwnerChanged? */
    int64_t acquire_watched_offset; /* where reading stood when it was started */
    pd_timer_t watch_timer;
    bool watch_armed;
    int64_t watched_offset, stalled_since_ns;
    int64_t released_epoch; /* given up at this epoch of ours; -1 */
    bool offers;            /* matching may have tasks of it */
    /* Told to other threads. */
    _Atomic(int64_t) status_word; /* epoch * 16 + state, and whether released */
    _Atomic(int64_t) status_applied_offset, status_end_offset;

    pdi_transport_t *transport;

    /* What lives in memory only */
    pdi_rebuild_t rebuild;
    pdi_deadline_t *deadlines;
    uint32_t clock_life; /* grows when all of them are forgotten */
    LIST_HEAD(, pdi_run) runs;
    pdi_query_t *queries_by_id;
    uint64_t next_query_id;
    pd_timer_t flush_timer;
    bool flush_timer_armed;
    bool flush_wanted; /* something was applied while a flush was held */

    pd_partition_metrics_t metrics;
    uint32_t applied_count;          /* for measuring one in many */
    struct pdi_snapshots *snapshots; /* NULL: none are made */
    pdi_disk_t disk;
    uint64_t log_size; /* bytes of records applied since the start */
};

#define PDI_RETRY_DELAY_MIN_NS ((int64_t)10 * 1000000)

/* partition.c */
void pdi_partition_set_state(pd_partition_t *partition, pd_partition_state_t state);
/* What is in memory may not be what counts: drop it and begin again (or stop for good, when the
 * status is fatal for more than this owner). */
void pdi_partition_lose(pd_partition_t *partition, const pd_error_t *error);
void pdi_partition_maybe_stopped(pd_partition_t *partition);

/* Tells other threads how far it is. */
void pdi_partition_publish(pd_partition_t *partition);
/* It may append, and what it appended may still be on its way. */
static inline bool pdi_partition_is_writer(const pd_partition_t *partition)
{
    return partition->state == PD_PARTITION_OWNER || partition->state == PD_PARTITION_RELEASING;
}
/* What only an owner has in memory: deadlines, and what it offered. */
void pdi_partition_left_ownership(pd_partition_t *partition);
/* All of it, the store too, which is flushed before if everything applied counts; who waits for
 * something is told why it does not come. */
void pdi_partition_drop_memory(pd_partition_t *partition, bool flushes, const char *why);
void pdi_partition_close_writer(pd_partition_t *partition);
void pdi_partition_close_reader(pd_partition_t *partition);

/* role.c */
/* Whatever the role asks for next, if anything. */
void pdi_role_step(pd_partition_t *partition);

/* follow.c */
/* Opens store and reader, goes on from where the store is. */
void pdi_follow_begin(pd_partition_t *partition);
/* The store is open, or is not: NULL. */
void pdi_follow_opened(pd_partition_t *partition, pd_store_t *store, pd_status_t status,
                       pd_error_t *error);
/* Reads on, waiting at the end: a follower, and an owner while it is idle. Harmless at any time. */
void pdi_follow_read(pd_partition_t *partition);

/* An OwnerChanged was read at the offset. */
void pdi_follow_note_owner(pd_partition_t *partition, int64_t offset,
                           const Perdure__V1__OwnerChanged *changed);

/* disk.c */
/* Ends in pdi_follow_opened; `disk.busy` meanwhile. */
void pdi_disk_open(pd_partition_t *partition);
/* The sealed flush; ends in pdi_flush_written, or in the store's being closed. */
void pdi_disk_write(pd_partition_t *partition);
/* Waits until that is on the disk. Harmless at any time. */
void pdi_disk_wait(pd_partition_t *partition);
/* Takes the store, if there is one; pdi_role_step follows. `flushes`: everything applied counts,
 * and is to be there when it is opened again. */
void pdi_disk_close(pd_partition_t *partition, bool flushes);

/* snapshots.c */
void pdi_snapshots_init(pd_partition_t *partition);
void pdi_snapshots_deinit(pd_partition_t *partition);
/* Something was committed to the store: one may be due. Harmless at any time. */
void pdi_snapshots_flushed(pd_partition_t *partition);
/* Before the store is freed: waits while a checkpoint of it is being made. @thread any */
void pdi_snapshots_let_go(pd_partition_t *partition);
/* The partition must not end yet; pdi_partition_maybe_stopped follows. */
bool pdi_snapshots_busy(const pd_partition_t *partition);

/* restore.c */
/* Before the store is opened. True: wait, pdi_role_step follows. */
bool pdi_restore_begin(pd_partition_t *partition);
/* The state cannot be used (PD_CORRUPT), or the log does not go back that far (PD_NOT_FOUND). True:
 * it is set aside at the next pdi_restore_begin. */
bool pdi_restore_instead(pd_partition_t *partition, pd_status_t status);
/* A record was judged, following: PD_UNAVAILABLE when it shows that the snapshot which was restored
 * is of another log. */
pd_status_t pdi_restore_judge(pd_partition_t *partition, const pd_chain_record_t *record,
                              pd_chain_verdict_t verdict, pd_error_t *error) PD_MUST_USE;

/* acquire.c */
/* FOLLOWING: appends OwnerChanged. */
void pdi_acquire_begin(pd_partition_t *partition);
/* ACQUIRING: the owner, once everything up to the OwnerChanged is applied. */
void pdi_acquire_step(pd_partition_t *partition);

/* rebuild.c */
void pdi_rebuild_init(pd_partition_t *partition);
void pdi_rebuild_deinit(pd_partition_t *partition);
/* The partition has become ours. */
void pdi_rebuild_begin(pd_partition_t *partition);
/* It is ours no more, or will not be for long. Harmless at any time. */
void pdi_rebuild_stop(pd_partition_t *partition);

/* watch.c */
/* Something was appended: does it come back? */
void pdi_watch_appended(pd_partition_t *partition);
/* The idle owner's read at the tail has completed. */
void pdi_watch_read(pd_partition_t *partition, const pd_log_read_t *read);
/* The reader is free: whoever waits for it has it now, a read before a gap's. */
void pdi_watch_reader_free(pd_partition_t *partition);
/* Is a new OwnerChanged among the records before `through`? Then the partition is lost (true). */
bool pdi_watch_deposed(pd_partition_t *partition, const pd_log_read_t *read, int64_t through);

/* pipeline.c */
void pdi_pipeline_append(pd_partition_t *partition, Perdure__V1__Record *record,
                         pd_command_t *command, pd_arena_t *arena);
/* Somebody else wrote before an acknowledged record of ours: what? */
void pdi_pipeline_read_gap(pd_partition_t *partition);
/* The partition is lost, `command` waited in vain: it is answered as if its time were up, which
 * promises nothing, unless what it waits on may turn out never to have been. */
void pdi_pipeline_end_wait(pd_partition_t *partition, pd_command_t *command, const char *why);
/* Fails everything in flight and everything that waits. */
void pdi_pipeline_fail_all(pd_partition_t *partition, const char *why);

/* measure.c */
/* A record is handed to the log; it counts now. */
void pdi_measure_append(pd_partition_t *partition, pdi_pending_t *pending);
void pdi_measure_acknowledged(pd_partition_t *partition, const pdi_pending_t *pending);
/* Around the apply of a record of ours: what _begin gave goes to _end. */
int64_t pdi_measure_apply_begin(pd_partition_t *partition);
void pdi_measure_apply_end(pd_partition_t *partition, int64_t begin_ns,
                           const Perdure__V1__Record *record);
/* The store was written. */
void pdi_measure_flushed(pd_partition_t *partition);
/* What became of a record of the topic of commands. */
void pdi_measure_command(pd_partition_t *partition, pd_command_outcome_t outcome);
uint64_t pdi_measured_commands(const pd_partition_t *partition, pd_command_outcome_t outcome);

/* answer.c */
/* Of a command without a call; NULL is allowed. */
void pdi_command_drop(pd_command_t *command);
void pdi_command_refuse(pd_partition_t *partition, pd_command_t *command,
                        const pd_rpc_error_t *error);
/* … and surely nothing came of it: no record of it was appended. Its call may go elsewhere. */
void pdi_command_not_taken(pd_partition_t *partition, pd_command_t *command,
                           const pd_rpc_error_t *error);
/* Its record counts: answered as its kind says. */
void pdi_command_finish(pd_partition_t *partition, pd_command_t *command);
void pdi_answers_run(pd_partition_t *partition, pdi_answers_t *answers);
/* `command` is answered when all it was decided on counts. */
void pdi_pipeline_answer_later(pd_partition_t *partition, pd_command_t *command,
                               const pd_rpc_error_t *error);

/* clock.c */
void pdi_clock_watch(pd_partition_t *partition, pd_execution_t *exec);
void pdi_clock_watch_key(pd_partition_t *partition, const char *namespace_id,
                         const char *workflow_id, const char *run_id, int64_t at_ns);
void pdi_clock_clear(pd_partition_t *partition);

/* run.c */
pdi_run_t *pdi_run_of(pd_partition_t *partition, pd_execution_t *exec);
void pdi_run_release(pd_partition_t *partition, pdi_run_t *run); /* frees it when nothing waits */
void pdi_run_park(pd_partition_t *partition, pd_command_t *command);
/* The run has changed in memory: decide its waiters again. */
void pdi_run_changed(pd_partition_t *partition, pd_execution_t *exec, pd_command_t *command);
/* Long polls are answered as if their time were up, queries fail. */
void pdi_run_release_all(pd_partition_t *partition, const char *why);
/* The same at once, while what is in flight is still known. */
void pdi_run_fail_all(pd_partition_t *partition, const char *why);

/* offers.c */
void pdi_offer_ready(pd_partition_t *partition, pdi_pending_t *pending,
                     const pd_ready_task_t *task);
void pdi_offer_send(pd_partition_t *partition, const pdi_offer_t *offer);
void pdi_offer_activity_now(pd_partition_t *partition, pd_execution_t *exec,
                            const Perdure__V1__ActivityRow *activity);
void pdi_offer_row(pd_partition_t *partition, const char *namespace_id, const char *workflow_id,
                   const char *run_id, const Perdure__V1__ReadyTask *task);

/* flush.c */
/* `pending` is NULL when everything applied counts. */
void pdi_flush_after_apply(pd_partition_t *partition, pdi_pending_t *pending);
void pdi_flush_acknowledged(pd_partition_t *partition, pdi_pending_t *pending);
void pdi_flush_written(pd_partition_t *partition, pd_status_t status, const pd_error_t *error);
/* Where the state is, when everything applied is acknowledged. */
void pdi_flush_position(const pd_partition_t *partition, pd_store_position_t *position);

/* namespaces.c */
/* Its record counts: every node is to know it; `call` (NULL: none) is answered when they will. */
void pdi_namespace_counts(pd_partition_t *partition, const Perdure__V1__NamespaceRow *row,
                          pd_call_t *call);

/* hand_out.c */
/* decision->hand_out_workflow_task: to the poller now, or into the response. */
void pdi_hand_out_applied(pd_partition_t *partition, pd_command_t *command);
/* The history part alone, for direct queries. */
pd_status_t pdi_hand_out_history(pd_partition_t *partition, pd_arena_t *arena, pd_execution_t *exec,
                                 int64_t first_event_id, int64_t through_event_id,
                                 pd_buf_t *history, pd_bytes_t *next_page_token, pd_error_t *error);
pd_bytes_t pdi_splice(pd_arena_t *arena, pd_bytes_t message, uint32_t field, pd_bytes_t bytes);

/* transport.c, outbox.c, inbox.c: messages from and to other partitions, producers' commands */
pdi_transport_t *pdi_transport_new(pd_partition_t *partition);
void pdi_transport_free(pdi_transport_t *transport);
/* The partition has become ours. */
void pdi_transport_start(pd_partition_t *partition);
/* It is ours no more. Harmless when it was not. */
void pdi_transport_stop(pd_partition_t *partition);
/* Nothing of it is left on the loop. */
bool pdi_transport_stopped(pd_partition_t *partition);
/* What a transition made now carries. `command` may be NULL. */
int64_t pdi_transport_commands_through(const pd_partition_t *partition,
                                       const pd_command_t *command);
void pdi_transport_settled(pd_partition_t *partition, pdi_pending_t *pending);
/* A command with `inbound` is refused by its decision, which is to be told when all that it was
 * decided on counts; now this is told; it is done, with success. */
void pdi_transport_refusing(pd_partition_t *partition, pd_command_t *command);
void pdi_transport_refused(pd_partition_t *partition, pd_command_t *command,
                           const pd_rpc_error_t *error);
void pdi_transport_done(pd_partition_t *partition, pd_command_t *command);
/* Targets and numbers of the transition's messages. */
void pdi_outbox_number(pd_partition_t *partition, Perdure__V1__Transition *transition);
void pdi_outbox_appended(pdi_pending_t *pending, const Perdure__V1__Transition *transition);

/* query.c */
void pdi_query_start(pd_partition_t *partition, pd_command_t *command);
/* The queries of the run go out with the task being started: those that wait for it, and direct
 * ones. */
size_t pdi_query_attach(
    pd_partition_t *partition, pd_execution_t *exec, pd_arena_t *arena,
    Temporal__Api__Workflowservice__V1__PollWorkflowTaskQueueResponse__QueriesEntry ***entries);
/* A workflow task ended or the run closed: answered queries are answered, others go on. */
void pdi_query_run_changed(pd_partition_t *partition, pd_execution_t *exec, pd_command_t *command);
/* Direct queries that no worker has taken yet. */
void pdi_query_offer_again(pd_partition_t *partition, const pd_offer_filter_t *filter);
void pdi_query_fail(pd_partition_t *partition, pdi_query_t *query, const pd_rpc_error_t *error);

#endif
