/* topics.c -- at opening: waits for the brokers, creates what is missing, checks what is there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/memory.h"
#include "log/kafka/kafka_private.h"

enum {
    METADATA_TIMEOUT_MS = 500, /* how often `stopped` is asked, at least */
    ADMIN_TIMEOUT_MS = 10000,
    PAUSE_MS = 25,
    CREATE_EVERY = 20, /* pauses */
    VALUE_SIZE = 32,
};

static const int64_t WEEK_MS = INT64_C(7) * 24 * 3600 * 1000;

typedef struct setup {
    pdi_kafka_t *log;
    const pd_log_kafka_options_t *options;
    rd_kafka_t *rk;
    rd_kafka_queue_t *idle; /* nothing ever comes there: polling it is waiting */
    pd_error_t *error;
    pd_arena_t arena;
    bool missing[PD_LOG_TOPIC_COUNT];
    uint32_t counts[PD_LOG_TOPIC_COUNT]; /* of partitions that are there */
    uint32_t wrong_count;
} setup_t;

/* A setting that a topic of ours has to have. */
typedef struct rule {
    const char *name;
    const char *value;   /* when the topic is created; NULL: the brokers' default */
    bool number;         /* else the text itself */
    bool at_least;       /* a larger number (-1: none is larger) is right, too */
    const char *because; /* "…, since <because>" */
} rule_t;

static const char *number_text(setup_t *setup, int64_t number)
{
    return pd_arena_printf(&setup->arena, "%lld", (long long)number);
}

/* Ended by one without a name. */
static void rules_of(setup_t *setup, pd_log_topic_t topic, rule_t rules[8])
{
    const pd_log_kafka_options_t *options = setup->options;
    const char *forever = "-1";
    int64_t commands_ms = options->commands_retention_ms ? options->commands_retention_ms : WEEK_MS;
    uint64_t size = (uint64_t)setup->log->base.info.record_size_max + PDI_KAFKA_BATCH_OVERHEAD;
    size_t count = 0;

    memset(rules, 0, 8 * sizeof(*rules));
    rules[count++] =
        (rule_t){"cleanup.policy", topic == PD_LOG_MEMBERS ? "compact" : "delete", false, false,
                 topic == PD_LOG_MEMBERS ? "only the newest word of each member counts"
                                         : "compaction would remove records"};
    if (topic == PD_LOG_EVENTS || topic == PD_LOG_REJECTED)
        rules[count++] =
            (rule_t){"retention.ms", forever, true, true, "what is removed there is lost"};
    if (topic == PD_LOG_COMMANDS)
        rules[count++] = (rule_t){"retention.ms", number_text(setup, commands_ms), true, true,
                                  "commands must outlive the longest outage"};
    if (topic != PD_LOG_MEMBERS)
        rules[count++] =
            (rule_t){"retention.bytes", forever, true, true, "what is removed there is lost"};
    rules[count++] = (rule_t){"max.message.bytes", number_text(setup, (int64_t)size), true, true,
                              "the largest records would be refused"};
    if (options->min_insync_replicas > 0)
        rules[count++] =
            (rule_t){"min.insync.replicas", number_text(setup, options->min_insync_replicas), true,
                     true, "an acknowledged record could be lost with fewer brokers"};
}

static void wrong(setup_t *setup, const char *text)
{
    PD_DIAG(PD_DIAG_ERROR, "kafka topic", "text=\"%s\"", text);
    if (setup->wrong_count++ == 0)
        pd_error_set(setup->error, PD_INVALID, "%s", text);
}

static bool is_right(const rule_t *rule, const char *value)
{
    long long wanted, found;

    if (!rule->number)
        return strcmp(rule->value, value) == 0;
    wanted = strtoll(rule->value, NULL, 10);
    found = strtoll(value, NULL, 10);
    if (wanted == found || (rule->at_least && found == -1))
        return true;
    return rule->at_least && wanted != -1 && found > wanted;
}

static void check_setting(setup_t *setup, pd_log_topic_t topic, const rule_t *rule,
                          const char *value)
{
    if (is_right(rule, value))
        return;
    wrong(setup, pd_arena_printf(&setup->arena, "topic %s has %s=%s, wanted %s%s, since %s",
                                 setup->log->topic_names[topic], rule->name, value,
                                 rule->at_least && rule->value[0] != '-' ? "at least " : "",
                                 rule->value, rule->because));
}

static void check_settings(setup_t *setup, pd_log_topic_t topic,
                           const rd_kafka_ConfigResource_t *resource)
{
    size_t count;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);
    rule_t rules[8];

    rules_of(setup, topic, rules);
    for (size_t i = 0; i < count; i++) {
        const char *name = rd_kafka_ConfigEntry_name(entries[i]);
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);

        for (const rule_t *rule = rules; rule->name; rule++) {
            if (value && strcmp(rule->name, name) == 0)
                check_setting(setup, topic, rule, value);
        }
    }
}

/* Waits for the answer to an admin request; NULL: stopped, or none came. Frees the options. */
static rd_kafka_event_t *await_answer(setup_t *setup, rd_kafka_queue_t *queue)
{
    rd_kafka_event_t *event = NULL;
    int waited_ms = 0;

    while (!event && waited_ms < ADMIN_TIMEOUT_MS * 2) {
        event = rd_kafka_queue_poll(queue, METADATA_TIMEOUT_MS);
        waited_ms += METADATA_TIMEOUT_MS;
        if (!event && setup->options->stopped && setup->options->stopped(setup->options->ctx))
            break;
    }
    return event;
}

static rd_kafka_AdminOptions_t *admin_options(setup_t *setup, rd_kafka_admin_op_t op)
{
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(setup->rk, op);
    char text[128];

    PD_ASSERT(rd_kafka_AdminOptions_set_request_timeout(
                  options, ADMIN_TIMEOUT_MS, text, sizeof(text)) == RD_KAFKA_RESP_ERR_NO_ERROR);
    return options;
}

static void take_settings(setup_t *setup, rd_kafka_event_t *event)
{
    const rd_kafka_DescribeConfigs_result_t *result = rd_kafka_event_DescribeConfigs_result(event);
    size_t count;
    const rd_kafka_ConfigResource_t **resources =
        rd_kafka_DescribeConfigs_result_resources(result, &count);

    for (size_t i = 0; i < count; i++) {
        const char *name = rd_kafka_ConfigResource_name(resources[i]);

        for (int topic = 0; topic < PD_LOG_TOPIC_COUNT; topic++) {
            if (strcmp(name, setup->log->topic_names[topic]) != 0)
                continue;
            if (rd_kafka_ConfigResource_error(resources[i]) == RD_KAFKA_RESP_ERR_NO_ERROR)
                check_settings(setup, (pd_log_topic_t)topic, resources[i]);
            else
                PD_DIAG(PD_DIAG_WARN, "kafka topic not checked", "topic=%s text=\"%s\"", name,
                        rd_kafka_ConfigResource_error_string(resources[i]));
        }
    }
}

static pd_status_t check_all_settings(setup_t *setup)
{
    rd_kafka_ConfigResource_t *resources[PD_LOG_TOPIC_COUNT];
    rd_kafka_AdminOptions_t *options = admin_options(setup, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(setup->rk);
    rd_kafka_event_t *event;

    for (int i = 0; i < PD_LOG_TOPIC_COUNT; i++)
        resources[i] =
            rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, setup->log->topic_names[i]);
    rd_kafka_DescribeConfigs(setup->rk, resources, PD_LOG_TOPIC_COUNT, options, queue);
    event = await_answer(setup, queue);
    if (event && rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR)
        take_settings(setup, event);
    else
        PD_DIAG(PD_DIAG_WARN, "kafka topics not checked", "text=\"%s\"",
                event ? rd_kafka_event_error_string(event) : "no answer");
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy_array(resources, PD_LOG_TOPIC_COUNT);
    return setup->wrong_count > 0 ? PD_INVALID : PD_OK;
}

static uint32_t wanted_count(const setup_t *setup, pd_log_topic_t topic)
{
    return topic == PD_LOG_MEMBERS ? 1 : setup->options->partition_count;
}

static rd_kafka_NewTopic_t *describe_new(setup_t *setup, pd_log_topic_t topic)
{
    uint32_t count = wanted_count(setup, topic);
    int replication = setup->options->replication_factor ? (int)setup->options->replication_factor
                                                         : -1; /* the brokers' default */
    char text[256] = "";
    rule_t rules[8];
    rd_kafka_NewTopic_t *made;

    if (count == 0) /* as the topics that are there */
        count =
            topic == PD_LOG_EVENTS ? PD_LOG_KAFKA_PARTITIONS_DEFAULT : setup->counts[PD_LOG_EVENTS];
    made = rd_kafka_NewTopic_new(setup->log->topic_names[topic], (int)count, replication, text,
                                 sizeof(text));
    PD_ASSERT(made);
    rules_of(setup, topic, rules);
    for (const rule_t *rule = rules; rule->name; rule++)
        PD_ASSERT(rd_kafka_NewTopic_set_config(made, rule->name, rule->value) ==
                  RD_KAFKA_RESP_ERR_NO_ERROR);
    return made;
}

/* PD_OK also when another node was faster. */
static pd_status_t take_created(setup_t *setup, rd_kafka_event_t *event)
{
    const rd_kafka_CreateTopics_result_t *result = rd_kafka_event_CreateTopics_result(event);
    size_t count;
    const rd_kafka_topic_result_t **topics = rd_kafka_CreateTopics_result_topics(result, &count);

    for (size_t i = 0; i < count; i++) {
        rd_kafka_resp_err_t code = rd_kafka_topic_result_error(topics[i]);
        const char *name = rd_kafka_topic_result_name(topics[i]);
        const char *text = rd_kafka_topic_result_error_string(topics[i]);

        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            PD_DIAG(PD_DIAG_INFO, "kafka topic created", "topic=%s", name);
        else if (code == RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR)
            /* fewer brokers than replicas, perhaps only for now */
            PD_DIAG(PD_DIAG_WARN, "kafka topic not created yet", "topic=%s text=\"%s\"", name,
                    text);
        else if (code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
            return pd_error_set(setup->error, PD_IO, "topic %s cannot be created: %s", name,
                                text ? text : rd_kafka_err2str(code));
    }
    return PD_OK;
}

/* Not told how many partitions: events first, whose number the others then take. */
static bool may_create(const setup_t *setup, pd_log_topic_t topic)
{
    return topic == PD_LOG_EVENTS || wanted_count(setup, topic) > 0 ||
           !setup->missing[PD_LOG_EVENTS];
}

static pd_status_t create_missing(setup_t *setup)
{
    rd_kafka_NewTopic_t *made[PD_LOG_TOPIC_COUNT];
    rd_kafka_AdminOptions_t *options = admin_options(setup, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(setup->rk);
    rd_kafka_event_t *event;
    pd_status_t status = PD_OK;
    size_t count = 0;

    for (int i = 0; i < PD_LOG_TOPIC_COUNT; i++) {
        if (setup->missing[i] && may_create(setup, (pd_log_topic_t)i))
            made[count++] = describe_new(setup, (pd_log_topic_t)i);
    }
    rd_kafka_CreateTopics(setup->rk, made, count, options, queue);
    event = await_answer(setup, queue);
    if (event && rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR)
        status = take_created(setup, event);
    else /* tried again */
        PD_DIAG(PD_DIAG_WARN, "kafka topics not created", "text=\"%s\"",
                event ? rd_kafka_event_error_string(event) : "no answer");
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_NewTopic_destroy_array(made, count);
    return status;
}

static void check_replicas(setup_t *setup, const rd_kafka_metadata_topic_t *found)
{
    for (int i = 0; i < found->partition_cnt; i++) {
        if (found->partitions[i].replica_cnt < (int)setup->options->replication_factor) {
            wrong(setup, pd_arena_printf(&setup->arena,
                                         "topic %s has %d replicas of partition %d, wanted %u: "
                                         "reassign it, or change the replication factor",
                                         found->topic, found->partitions[i].replica_cnt,
                                         (int)found->partitions[i].id,
                                         setup->options->replication_factor));
            return;
        }
    }
}

/* Takes what the brokers say of one of our topics. */
static pd_status_t take_topic(setup_t *setup, pd_log_topic_t topic,
                              const rd_kafka_metadata_topic_t *found)
{
    uint32_t wanted = wanted_count(setup, topic);

    if (found->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        return pd_error_set(setup->error, PD_IO, "topic %s: %s", found->topic,
                            rd_kafka_err2str(found->err));
    if (found->err != RD_KAFKA_RESP_ERR_NO_ERROR || found->partition_cnt == 0)
        return PD_OK; /* not there, or being created */
    for (int i = 0; i < found->partition_cnt; i++) {
        if (found->partitions[i].leader < 0)
            return PD_OK;
    }
    setup->missing[topic] = false;
    setup->counts[topic] = (uint32_t)found->partition_cnt;
    if (wanted > 0 && wanted != setup->counts[topic])
        wrong(setup, pd_arena_printf(&setup->arena,
                                     "topic %s has %u partitions, wanted %u: the number is fixed "
                                     "when a cluster begins",
                                     found->topic, setup->counts[topic], wanted));
    check_replicas(setup, found);
    return PD_OK;
}

/* PD_UNAVAILABLE: the brokers do not answer. */
static pd_status_t look(setup_t *setup)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t code;
    pd_status_t status = PD_OK;

    code = rd_kafka_metadata(setup->rk, 0, NULL, &metadata, METADATA_TIMEOUT_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        PD_DIAG(PD_DIAG_WARN, "waiting for kafka", "bootstrap=%s text=\"%s\"",
                setup->log->bootstrap_servers, rd_kafka_err2str(code));
        return PD_UNAVAILABLE;
    }
    setup->wrong_count = 0;
    for (int i = 0; i < PD_LOG_TOPIC_COUNT; i++)
        setup->missing[i] = true;
    for (int i = 0; i < metadata->topic_cnt && status == PD_OK; i++) {
        for (int topic = 0; topic < PD_LOG_TOPIC_COUNT && status == PD_OK; topic++) {
            if (strcmp(metadata->topics[i].topic, setup->log->topic_names[topic]) == 0)
                status = take_topic(setup, (pd_log_topic_t)topic, &metadata->topics[i]);
        }
    }
    rd_kafka_metadata_destroy(metadata);
    if (status == PD_OK && setup->wrong_count > 0)
        status = PD_INVALID;
    return status;
}

static bool any_missing(const setup_t *setup)
{
    for (int i = 0; i < PD_LOG_TOPIC_COUNT; i++) {
        if (setup->missing[i])
            return true;
    }
    return false;
}

static pd_status_t check_counts(setup_t *setup)
{
    uint32_t count = setup->counts[PD_LOG_EVENTS];

    for (int i = 0; i < PD_LOG_TOPIC_COUNT; i++) {
        if (i != PD_LOG_MEMBERS && setup->counts[i] != count)
            wrong(setup, pd_arena_printf(&setup->arena,
                                         "topic %s has %u partitions, but %s has %u: a key must "
                                         "have the same partition in both",
                                         setup->log->topic_names[i], setup->counts[i],
                                         setup->log->topic_names[PD_LOG_EVENTS], count));
    }
    if (count > PD_LOG_KAFKA_PARTITIONS_MAX)
        wrong(setup, "more partitions than this server can hold");
    return setup->wrong_count > 0 ? PD_INVALID : PD_OK;
}

/* Until all topics are there. */
static pd_status_t settle(setup_t *setup)
{
    int rounds = 0;

    for (;;) {
        bool events_were_missing = setup->missing[PD_LOG_EVENTS];
        pd_status_t status;

        if (setup->options->stopped && setup->options->stopped(setup->options->ctx))
            return pd_error_set(setup->error, PD_CANCELED,
                                "stopped while waiting for the Kafka brokers at %s",
                                setup->log->bootstrap_servers);
        status = look(setup);
        if (status == PD_UNAVAILABLE)
            continue;
        if (status != PD_OK || !any_missing(setup))
            return status;
        if (setup->options->topics_unmanaged)
            return pd_error_set(setup->error, PD_IO,
                                "a topic of cluster %s is missing, and the server was told not to "
                                "create topics",
                                setup->log->cluster);
        if (events_were_missing && !setup->missing[PD_LOG_EVENTS])
            rounds = 0; /* now the others */
        if (rounds++ % CREATE_EVERY == 0)
            PD_TRY(create_missing(setup));
        PD_DIAG(PD_DIAG_DEBUG, "waiting for topics", "rounds=%d", rounds);
        (void)rd_kafka_queue_poll(setup->idle, PAUSE_MS); /* until all brokers know of them */
    }
}

pd_status_t pdi_kafka_prepare_topics(pdi_kafka_t *log, const pd_log_kafka_options_t *options,
                                     rd_kafka_t *rk, pd_error_t *error)
{
    setup_t setup = {.log = log, .options = options, .rk = rk, .error = error};
    pd_status_t status;

    pd_arena_init(&setup.arena);
    setup.idle = rd_kafka_queue_new(rk);
    status = settle(&setup);
    if (status == PD_OK)
        status = check_counts(&setup);
    if (status == PD_OK && !options->topics_unmanaged)
        status = check_all_settings(&setup);
    for (int i = 0; i < PD_LOG_TOPIC_COUNT; i++)
        log->base.info.partition_counts[i] = setup.counts[i];
    rd_kafka_queue_destroy(setup.idle);
    pd_arena_deinit(&setup.arena);
    return status;
}
