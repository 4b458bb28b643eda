/* transport_private.h -- what comes to the partition by its topic of commands, and what it sends to
 * others. The files outbox.c, inbox.c, inbound.c, rejected.c and progress.c share this.
 *
 *   record counts ──▶ outbox ── same partition ──▶ submitted here, in memory
 *                        └── another one ──▶ its topic of commands ──▶ inbox there ──▶ submitted
 *
 * All of this runs while the partition is owned; what it needs to go on after that is in the state:
 * outbox and inbox rows, commands_through. tests/models/numbers_model.py has the rules.
 *
 * Thread: the partition's loop. */
#ifndef PD_ENGINE_PARTITION_TRANSPORT_PRIVATE_H
#define PD_ENGINE_PARTITION_TRANSPORT_PRIVATE_H

#include <perdure/v1/record.pb-c.h>

#include "engine/partition/partition_private.h"
#include "engine/transport/sender.h"

enum {
    PDI_LANE_IN_FLIGHT_MAX = 1000,     /* messages to one target, sent and not acknowledged */
    PDI_SUBMITTED_MAX = 2000,          /* commands of the topic, or of the own outbox, that are
                                          decided and not acknowledged */
    PDI_SUBMITTED_SIZE_MAX = 32 << 20, /* … bytes of the former */
    PDI_SUBMIT_PENDING_MAX = 10000,    /* with more records in flight they wait */
    PDI_PROGRESS_MESSAGES = 1000,      /* sent marks are recorded after so many */
    PDI_REJECTS_IN_FLIGHT_MAX = 100,
    PDI_TOPIC_SIZE_MAX = 280, /* "topic/partition": Kafka's names have 249 bytes at most */
};

/* So long a namespace may be on its way to this node, and so often it is looked for. */
#define PDI_NAMESPACE_WAIT_NS ((int64_t)5000 * 1000000)
#define PDI_NAMESPACE_RETRY_NS ((int64_t)50 * 1000000)

/* To one target partition; to the own one nothing is sent, but submitted. */
typedef struct pdi_lane {
    pd_sender_t *sender;      /* opened with the first message */
    int64_t recorded_through; /* the records of messages up to here count */
    int64_t next_number;      /* to be sent, or submitted */
    int64_t acked_through;    /* in the target's topic */
    int64_t marked_through;   /* … and noted in a record */
    uint64_t numbering;       /* the transition that numbered last, and what it gave out */
    int64_t numbered_through;
} pdi_lane_t;

/* Where a command came from that nobody's call pays for. Lives in the command's arena. */
struct pd_inbound {
    bool local;     /* from the own outbox; else from the topic of commands */
    bool refused;   /* by its decision; else when it is refused, by a partition that is lost */
    int64_t offset; /* in the topic; -1 */
    size_t size;
};

typedef enum pdi_inbox_wait {
    PDI_INBOX_GOES_ON,
    PDI_INBOX_REFUSED,   /* a command was refused: not before it is in the topic of rejects */
    PDI_INBOX_REJECTS,   /* unreadable ones are on their way there, or to where they belong */
    PDI_INBOX_FULL,      /* too many commands are in flight */
    PDI_INBOX_NAMESPACE, /* of a namespace that is not known yet */
} pdi_inbox_wait_t;

typedef struct pdi_source pdi_source_t;
typedef struct pdi_topic pdi_topic_t;

struct pdi_transport {
    pd_partition_t *partition;
    pd_sender_user_t user;
    bool joined;
    bool running;

    /* outbox.c */
    pdi_lane_t *lanes;
    uint32_t lane_count;
    uint64_t numbering;
    uint32_t local_submitted_count;
    bool local_refused; /* the one before local_next was refused, which is being recorded */
    bool pumping_local;
    pd_timer_t local_timer; /* the next one's namespace is not known yet */
    pd_sender_t *rejects;

    /* inbox.c */
    pd_log_reader_t *reader;
    bool reader_closing;
    pd_mail_t reader_closed;
    pd_log_read_t read;
    bool batch; /* records of the last read are to be looked at, from `index` on */
    uint32_t index;
    pdi_inbox_wait_t wait;
    Perdure__V1__Received refused_received; /* of the one that is refused; number 0: none */
    char refused_topic[PDI_TOPIC_SIZE_MAX];
    bool pumping;
    int64_t handled_through;  /* looked at */
    int64_t consumed_through; /* … and safe: recorded, or of no effect, or rejected for sure */
    uint32_t submitted_count;
    size_t submitted_size;
    uint32_t rejects_in_flight;
    int64_t end_offset;     /* of the topic, as read last; -1 */
    pd_timer_t retry_timer; /* a read that failed; a namespace that is not known */
    int64_t owned_since_ns;

    /* progress.c */
    pd_timer_t progress_timer;
    bool progress_armed;
    int64_t unmarked_count;
    int64_t noted_through; /* commands_through of the last Progress */
    bool ids_seen;         /* since then */

    /* ingest.c */
    pdi_topic_t *topics;
    pdi_source_t *sources;
    pdi_source_t *closing_sources;
    pd_arena_t ingest_arena;
    pd_ingest_metrics_t *ingest_metrics; /* by mapping */

    pd_arena_t arena;
    pd_buf_t buf;

    uint64_t ignored_count;
};

/* ---- outbox.c ---- */
void pdi_outbox_start(pdi_transport_t *transport);
void pdi_outbox_stop(pdi_transport_t *transport);
void pdi_outbox_pump(pdi_transport_t *transport);
/* A message to this partition was refused: told to the topic of rejects, then received. */
void pdi_outbox_refused_local(pdi_transport_t *transport, pd_command_t *command,
                              const pd_rpc_error_t *error);

/* ---- inbox.c ---- */
void pdi_inbox_start(pdi_transport_t *transport);
void pdi_inbox_stop(pdi_transport_t *transport);
/* Goes on with what was read, and reads on, as far as it may. */
void pdi_inbox_pump(pdi_transport_t *transport);

/* ---- inbound.c: what a record of the topic of commands is ---- */
typedef enum pdi_verdict {
    PDI_VERDICT_SUBMIT,  /* *command */
    PDI_VERDICT_IGNORE,  /* a repeat, or behind a hole */
    PDI_VERDICT_REJECT,  /* code and reason */
    PDI_VERDICT_FORWARD, /* to partition `forward_to` */
    PDI_VERDICT_WAIT,    /* for its namespace */
} pdi_verdict_t;

typedef struct pdi_inbound_result {
    pd_command_t *command;
    int code; /* gRPC's; 0: it could not be read */
    char reason[PD_ERROR_TEXT_SIZE];
    /* A numbered message that is rejected: it is received all the same. number 0: none. */
    Perdure__V1__Received received;
    uint32_t forward_to;
} pdi_inbound_result_t;
pdi_verdict_t pdi_inbound_look(pdi_transport_t *transport, const pd_log_record_t *record,
                               pdi_inbound_result_t *result);

/* ---- rejected.c ---- */
/* `sent` is told when it is in the topic of rejects. `topic`: where the record comes from. */
void pdi_reject(pdi_transport_t *transport, const pd_log_record_t *record, const char *topic,
                int code, const char *reason, int64_t cookie, pd_sent_fn sent);

/* The same by a sender and in the name of a user that are not the transport's. */
void pdi_reject_by(pdi_transport_t *transport, pd_sender_t *sender, pd_sender_user_t *user,
                   const pd_log_record_t *record, const char *topic, uint32_t partition, int code,
                   const char *reason, int64_t cookie, pd_sent_fn sent);

/* ---- ingest.c ---- */
void pdi_ingest_new(pdi_transport_t *transport);
void pdi_ingest_free_all(pdi_transport_t *transport);
void pdi_ingest_start(pdi_transport_t *transport);
void pdi_ingest_stop(pdi_transport_t *transport);
bool pdi_ingest_stopped(const pdi_transport_t *transport);
/* Checkpoints that changed since they were recorded last. */
size_t pdi_ingest_fill(pdi_transport_t *transport, Perdure__V1__Progress *progress);

/* ---- progress.c ---- */
/* Something is to be noted, in a while. */
void pdi_progress_due(pdi_transport_t *transport);
void pdi_progress_sent(pdi_transport_t *transport);
/* Now: the numbered message is received and changes nothing. */
void pdi_progress_received(pdi_transport_t *transport, Perdure__V1__Received *received);
void pdi_progress_stop(pdi_transport_t *transport);

static inline bool pdi_transport_may_submit(const pdi_transport_t *transport)
{
    const pd_partition_t *partition = transport->partition;

    return transport->running && partition->state == PD_PARTITION_OWNER && !partition->stopping &&
           partition->pending_count < PDI_SUBMIT_PENDING_MAX;
}

#endif
