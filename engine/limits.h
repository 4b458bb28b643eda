/* limits.h -- what Temporal limits, in one place. Values are those of its server's defaults.
 *
 * Limits of our own machinery (mailboxes, buffers) are not here, but with what they bound. */
#ifndef PD_ENGINE_LIMITS_H
#define PD_ENGINE_LIMITS_H

#define PD_NS_PER_MS INT64_C(1000000)
#define PD_NS_PER_S INT64_C(1000000000)

/* ---- sizes in bytes ---- */
enum {
    /* Any ID or name: namespace, task queue, workflow, activity, timer, type, signal, identity. */
    PD_ID_SIZE_MAX = 1000,
    PD_BUILD_ID_SIZE_MAX = 255,
    /* One payload or set of payloads of an event. */
    PD_BLOB_SIZE_MAX = 2 * 1024 * 1024,
    PD_BLOB_SIZE_WARN = 512 * 1024,
    PD_MEMO_SIZE_MAX = 2 * 1024 * 1024,
    /* All commands and messages of one completion. */
    PD_WORKFLOW_TASK_COMPLETION_SIZE_MAX = 40 * 1024 * 1024,
    PD_HISTORY_SIZE_MAX = 50 * 1024 * 1024,
    PD_HISTORY_SIZE_SUGGEST_CONTINUE_AS_NEW = 4 * 1024 * 1024,
    PD_BUFFERED_SIZE_MAX = 2 * 1024 * 1024,
    /* The failure of an activity attempt as it is kept until the next one. */
    PD_ACTIVITY_FAILURE_SIZE_MAX = 4 * 1024,
    PD_USER_METADATA_SUMMARY_SIZE_MAX = 400,
    PD_USER_METADATA_DETAILS_SIZE_MAX = 20 * 1000,
    PD_LINK_SIZE_MAX = 4000,
    PD_SEARCH_ATTRIBUTE_SIZE_MAX = 2 * 1024,
    PD_SEARCH_ATTRIBUTES_SIZE_MAX = 40 * 1024,
    PD_FAIRNESS_KEY_SIZE_MAX = 64,
};

/* ---- counts ---- */
enum {
    PD_SEARCH_ATTRIBUTE_COUNT_MAX = 100,
    PD_LINK_COUNT_MAX = 10,
    PD_HISTORY_EVENT_COUNT_MAX = 50 * 1024,
    PD_HISTORY_EVENT_COUNT_SUGGEST_CONTINUE_AS_NEW = 4 * 1024,
    PD_BUFFERED_EVENT_COUNT_MAX = 10000, /* docs/decisions/buffered-events.md */
    PD_BUFFERED_QUERY_COUNT_MAX = 1,     /* that wait for a run's next workflow task */
    PD_SIGNAL_COUNT_MAX = 10000,
    PD_PENDING_ACTIVITY_COUNT_MAX = 2000,
    PD_PENDING_CHILD_COUNT_MAX = 2000,
    PD_PENDING_EXTERNAL_COUNT_MAX = 2000, /* signals; cancel requests */
    /* Events a page of history, and what a client that names none gets. */
    PD_HISTORY_PAGE_EVENT_COUNT = 256,
    PD_NAMESPACE_PAGE_COUNT = 100,
};

/* ---- times in ns ---- */
#define PD_WORKFLOW_TASK_TIMEOUT_DEFAULT_NS (10 * PD_NS_PER_S)
#define PD_WORKFLOW_TASK_TIMEOUT_MAX_NS (120 * PD_NS_PER_S)
/* A poll's deadline must leave this much; without a task it is answered after … */
#define PD_POLL_TIMEOUT_MIN_NS (2 * PD_NS_PER_S)
#define PD_POLL_WAIT_NS (60 * PD_NS_PER_S)
/* … or this long before its deadline. */
#define PD_POLL_MARGIN_NS (1 * PD_NS_PER_S)
#define PD_HISTORY_WAIT_NS (20 * PD_NS_PER_S)
#define PD_RETENTION_MIN_NS (3600 * PD_NS_PER_S)
#define PD_RETENTION_MIN_GLOBAL_NS (24 * 3600 * PD_NS_PER_S)
#define PD_WORKFLOW_ID_REUSE_INTERVAL_MIN_NS (1 * PD_NS_PER_S)

#endif
