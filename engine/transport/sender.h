/* sender.h -- records on their way to one partition of a topic, until each of them is there.
 *
 * A sender keeps what it is given until the log has acknowledged it. When an append fails, or its
 * outcome is unknown, the writer is closed, another one is opened, and everything from the first
 * record that was not acknowledged is sent again: each record arrives at least once, and in their
 * first appearance they arrive in order. Whoever needs "exactly once" numbers them.
 *
 *     IDLE --first send--> OPEN --append failed--> CLOSING --closed--> IDLE (after a pause) -->
 * OPEN
 *                            `------ last user left ------^             `-- no users: gone
 *
 * The senders of one loop are shared by everybody on it: one writer for each target.
 *
 * Thread: the loop's. Ownership: keys and values are copied; users embed their pd_sender_user_t,
 * borrowed from join to leave. The bytes that wait are bounded by the users: each counts its own.
 */
#ifndef PD_ENGINE_TRANSPORT_SENDER_H
#define PD_ENGINE_TRANSPORT_SENDER_H

#include <sys/queue.h>

#include "log/log.h"

typedef struct pd_senders pd_senders_t;
typedef struct pd_sender pd_sender_t;
typedef struct pd_sender_user pd_sender_user_t;

struct pd_sender_user {
    /* All writers that were to be closed are closed: pd_senders_closing has become false. */
    void (*idle)(pd_sender_user_t *user);
    TAILQ_ENTRY(pd_sender_user) link;
};

/* The record is in the log. In the order of sending; never from inside pd_sender_send. */
typedef void (*pd_sent_fn)(pd_sender_user_t *user, pd_sender_t *sender, int64_t cookie);

/* Borrows log and loop. @thread any */
pd_senders_t *pd_senders_new(pd_log_t *log, pd_loop_t *loop);
/* All users have left, and nothing is closing. NULL is allowed. @thread any, after the loop */
void pd_senders_free(pd_senders_t *senders);

void pd_senders_join(pd_senders_t *senders, pd_sender_user_t *user);
/* After the user has closed all its senders. */
void pd_senders_leave(pd_senders_t *senders, pd_sender_user_t *user);
/* Is some writer being closed that nobody uses any more? */
bool pd_senders_closing(const pd_senders_t *senders);

/* One more user of the sender to that partition. Never fails: what is wrong shows as records that
 * are not acknowledged, with a diagnostic. */
pd_sender_t *pd_sender_open(pd_senders_t *senders, pd_log_topic_t topic, uint32_t partition);
/* What the user has sent and is not acknowledged may arrive or not; it is not told any more. */
void pd_sender_close(pd_sender_t *sender, pd_sender_user_t *user);
/* PD_LIMIT: larger than a record of the log may be. A key or value without data is absent. */
pd_status_t pd_sender_send(pd_sender_t *sender, pd_sender_user_t *user, pd_bytes_t key,
                           pd_bytes_t value, int64_t cookie, pd_sent_fn sent) PD_MUST_USE;
uint32_t pd_sender_partition(const pd_sender_t *sender);

#endif
