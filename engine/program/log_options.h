/* log_options.h -- the options of `perdure log …`, which its subcommands share.
 * Thread: main. Ownership: everything points into argv or is static, except the properties. */
#ifndef PD_ENGINE_PROGRAM_LOG_OPTIONS_H
#define PD_ENGINE_PROGRAM_LOG_OPTIONS_H

#include "base/status.h"
#include "log/log.h"

enum { PD_LOG_PROPERTIES_MAX = 64 };

/* Which options a subcommand takes, besides those that name the log and the partition. */
enum {
    PD_LOG_TAKES_TOPIC = 1 << 0,
    PD_LOG_TAKES_RANGE = 1 << 1, /* --from, --to */
    PD_LOG_TAKES_WORKFLOW = 1 << 2,
    PD_LOG_TAKES_FOLLOW = 1 << 3,
    PD_LOG_TAKES_JSON = 1 << 4,
    PD_LOG_TAKES_REBUILD = 1 << 5, /* --out, --compare */
    PD_LOG_TAKES_AT = 1 << 6,      /* --time, --run-id, --namespace */
};

/* A place in a partition: an offset, or a time (ns since 1970). */
typedef struct pd_log_bound {
    enum { PD_LOG_BOUND_NONE, PD_LOG_BOUND_OFFSET, PD_LOG_BOUND_TIME } kind;
    int64_t value;
} pd_log_bound_t;

/* A setting for librdkafka. */
typedef struct pd_log_property {
    const char *name, *value;
} pd_log_property_t;

typedef struct pd_log_options {
    const char *data_path; /* embedded log; NULL: a cluster's */
    const char *cluster, *bootstrap_servers;
    pd_log_property_t properties[PD_LOG_PROPERTIES_MAX];
    size_t property_count;
    int64_t partition; /* -1: all */
    pd_log_topic_t topic;
    pd_log_bound_t from, to; /* from inclusive, to exclusive */
    const char *workflow_id, *run_id, *ns;
    bool follow, json;
    const char *out_path, *compare_path;
    int64_t time_ns; /* INT64_MAX: not given */
} pd_log_options_t;

typedef struct pd_log_usage {
    const char *name;    /* "log dump" */
    const char *purpose; /* sentences, lines of at most 80 columns */
    unsigned takes;
} pd_log_usage_t;

/* True: go on. False: the subcommand is over with *exit_code (help was printed, or a mistake). */
bool pd_log_options_parse(const pd_log_usage_t *usage, int argc, char **argv,
                          pd_log_options_t *options, int *exit_code) PD_MUST_USE;

/* "2026-01-02T03:04:05[.678][Z]", UTC, or ns since 1970. False: neither. */
bool pd_log_time_parse(const char *text, int64_t *time_ns) PD_MUST_USE;
const char *pd_log_topic_name(pd_log_topic_t topic);

#endif
