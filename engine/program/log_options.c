#include "engine/program/log_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/program/program.h"

#define NS_PER_S ((int64_t)1000000000)

static const char *const topic_names[PD_LOG_TOPIC_COUNT] = {
    [PD_LOG_EVENTS] = "events",
    [PD_LOG_COMMANDS] = "commands",
    [PD_LOG_MEMBERS] = "members",
    [PD_LOG_REJECTED] = "rejected",
};

const char *pd_log_topic_name(pd_log_topic_t topic)
{
    return topic_names[topic];
}

/* ---- values ---- */

static bool parse_number(const char *text, int64_t *number)
{
    char *end;

    errno = 0;
    *number = strtoll(text, &end, 10);
    return end != text && *end == '\0' && errno == 0;
}

static bool parse_fraction(const char *text, int64_t *ns, const char **rest)
{
    int64_t unit = NS_PER_S / 10;

    *ns = 0;
    if (*text == '.') {
        for (text++; *text >= '0' && *text <= '9'; text++, unit /= 10)
            *ns += (*text - '0') * unit;
    }
    *rest = text;
    return true;
}

bool pd_log_time_parse(const char *text, int64_t *time_ns)
{
    struct tm tm = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    int64_t fraction_ns, seconds;

    if (!rest)
        return parse_number(text, time_ns) && *time_ns >= 0;
    if (!parse_fraction(rest, &fraction_ns, &rest) || (*rest && strcmp(rest, "Z") != 0))
        return false;
    seconds = timegm(&tm);
    if (seconds < 0 || seconds > INT64_MAX / NS_PER_S - 1)
        return false;
    *time_ns = seconds * NS_PER_S + fraction_ns;
    return true;
}

static bool parse_bound(const char *text, pd_log_bound_t *bound)
{
    if (parse_number(text, &bound->value)) {
        bound->kind = PD_LOG_BOUND_OFFSET;
        return bound->value >= 0;
    }
    bound->kind = PD_LOG_BOUND_TIME;
    return pd_log_time_parse(text, &bound->value);
}

/* ---- the table ---- */

typedef struct option_row {
    const char *name, *value, *help;
    unsigned takes; /* 0: every subcommand */
    bool (*parse)(pd_log_options_t *options, const char *value);
} option_row_t;

#define PARSE_TEXT(name, field)                                                                    \
    static bool parse_##name(pd_log_options_t *options, const char *value)                         \
    {                                                                                              \
        options->field = value;                                                                    \
        return value[0] != '\0';                                                                   \
    }

PARSE_TEXT(data, data_path)
PARSE_TEXT(cluster, cluster)
PARSE_TEXT(workflow_id, workflow_id)
PARSE_TEXT(run_id, run_id)
PARSE_TEXT(namespace, ns)
PARSE_TEXT(out, out_path)
PARSE_TEXT(compare, compare_path)

static bool parse_partition(pd_log_options_t *options, const char *value)
{
    return parse_number(value, &options->partition) && options->partition >= 0 &&
           options->partition <= UINT32_MAX;
}

static bool parse_topic(pd_log_options_t *options, const char *value)
{
    for (int i = 0; i < PD_LOG_TOPIC_COUNT; i++) {
        if (strcmp(value, topic_names[i]) == 0) {
            options->topic = (pd_log_topic_t)i;
            return true;
        }
    }
    return false;
}

static bool parse_from(pd_log_options_t *options, const char *value)
{
    return parse_bound(value, &options->from);
}

static bool parse_to(pd_log_options_t *options, const char *value)
{
    return parse_bound(value, &options->to);
}

static bool parse_time(pd_log_options_t *options, const char *value)
{
    return pd_log_time_parse(value, &options->time_ns);
}

static bool parse_follow(pd_log_options_t *options, const char *value)
{
    options->follow = true;
    return true;
}

static bool parse_json(pd_log_options_t *options, const char *value)
{
    options->json = true;
    return true;
}

static const option_row_t rows[] = {
    {"data", "DIR", "data directory of a server with an embedded log", 0, parse_data},
    {"cluster", "NAME", "instead: a cluster's topics; with --kafka.bootstrap.servers LIST", 0,
     parse_cluster},
    {"partition", "N", "this one only", 0, parse_partition},
    {"topic", "TOPIC", "events (default), commands, members or rejected", PD_LOG_TAKES_TOPIC,
     parse_topic},
    {"from", "PLACE", "first offset, or time (2026-01-02T03:04:05Z)", PD_LOG_TAKES_RANGE,
     parse_from},
    {"to", "PLACE", "offset or time before which to end", PD_LOG_TAKES_RANGE, parse_to},
    {"workflow-id", "ID", "this workflow only; only its partition is read", PD_LOG_TAKES_WORKFLOW,
     parse_workflow_id},
    {"follow", NULL, "go on with what is appended later", PD_LOG_TAKES_FOLLOW, parse_follow},
    {"json", NULL, "output for programs", PD_LOG_TAKES_JSON, parse_json},
    {"out", "DIR", "where the state goes; must not exist yet", PD_LOG_TAKES_REBUILD, parse_out},
    {"compare", "DIR", "state directory of a server, stopped or running", PD_LOG_TAKES_REBUILD,
     parse_compare},
    {"time", "TIME", "2026-01-02T03:04:05[.678]Z, or ns since 1970; default: now", PD_LOG_TAKES_AT,
     parse_time},
    {"run-id", "ID", "this run; default: the one that was current", PD_LOG_TAKES_AT, parse_run_id},
    {"namespace", "NAME", "name or ID; default: default", PD_LOG_TAKES_AT, parse_namespace},
};

static void print_usage(const pd_log_usage_t *usage, FILE *file)
{
    fprintf(file, "perdure %s: %s\n\n", usage->name, usage->purpose);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char left[40];

        if (rows[i].takes && !(usage->takes & rows[i].takes))
            continue;
        snprintf(left, sizeof(left), "--%s %s", rows[i].name, rows[i].value ? rows[i].value : "");
        fprintf(file, "  %-22s %s\n", left, rows[i].help);
    }
    fprintf(file, "  %-22s %s\n", "--kafka.NAME VALUE", "passed to librdkafka (with --cluster)");
}

/* ---- arguments ---- */

static bool mistake(const pd_log_usage_t *usage, int *exit_code, const char *what,
                    const char *argument)
{
    fprintf(stderr, "perdure %s: %s%s%s\n", usage->name, what, argument ? " " : "",
            argument ? argument : "");
    *exit_code = 2;
    return false;
}

static const option_row_t *find_row(const pd_log_usage_t *usage, const char *name, size_t size)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strlen(rows[i].name) == size && strncmp(rows[i].name, name, size) == 0 &&
            (!rows[i].takes || (usage->takes & rows[i].takes)))
            return &rows[i];
    }
    return NULL;
}

static bool add_property(pd_log_options_t *options, char *name, size_t size, const char *value)
{
    if (options->property_count == PD_LOG_PROPERTIES_MAX || size == 0)
        return false;
    name[size] = '\0'; /* cuts "=value" off; argv is ours */
    if (strcmp(name, "bootstrap.servers") == 0)
        options->bootstrap_servers = value;
    else
        options->properties[options->property_count++] = (pd_log_property_t){name, value};
    return true;
}

/* One of argv: --NAME=VALUE, or --NAME VALUE (then *at moves on). */
static bool take(const pd_log_usage_t *usage, int argc, char **argv, int *at,
                 pd_log_options_t *options, int *exit_code)
{
    static const char kafka[] = "kafka.";
    char *argument = argv[*at], *name = argument + 2;
    size_t size = strcspn(name, "=");
    const char *value = name[size] ? name + size + 1 : NULL;
    bool is_kafka = strncmp(name, kafka, sizeof(kafka) - 1) == 0;
    const option_row_t *row = find_row(usage, name, size);

    if (!row && !is_kafka)
        return mistake(usage, exit_code, "does not know", argument);
    if (row && !row->value)
        return (!value && row->parse(options, "")) ||
               mistake(usage, exit_code, "takes no value:", argument);
    if (!value && *at + 1 < argc)
        value = argv[++*at];
    if (!value)
        return mistake(usage, exit_code, "a value is missing behind", argument);
    if (is_kafka ? !add_property(options, name + sizeof(kafka) - 1, size - sizeof(kafka) + 1, value)
                 : !row->parse(options, value))
        return mistake(usage, exit_code, "not a value of this option:", argument);
    return true;
}

static bool check(const pd_log_usage_t *usage, pd_log_options_t *options, int *exit_code)
{
    if (options->cluster && options->data_path)
        return mistake(usage, exit_code, "either --data or --cluster", NULL);
    if (options->cluster && !options->bootstrap_servers)
        return mistake(usage, exit_code, "--cluster needs --kafka.bootstrap.servers", NULL);
    if (!options->cluster && (options->bootstrap_servers || options->property_count))
        return mistake(usage, exit_code, "--kafka.… needs --cluster", NULL);
    if ((usage->takes & PD_LOG_TAKES_REBUILD) && !options->out_path)
        return mistake(usage, exit_code, "--out is missing", NULL);
    if ((usage->takes & PD_LOG_TAKES_AT) && !options->workflow_id)
        return mistake(usage, exit_code, "--workflow-id is missing", NULL);
    if (!options->cluster && !options->data_path)
        options->data_path = pd_program_default_data_path();
    return true;
}

bool pd_log_options_parse(const pd_log_usage_t *usage, int argc, char **argv,
                          pd_log_options_t *options, int *exit_code)
{
    *options = (pd_log_options_t){.partition = -1, .time_ns = INT64_MAX, .ns = "default"};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            print_usage(usage, stdout);
            *exit_code = 0;
            return false;
        }
        if (strncmp(argv[i], "--", 2) != 0)
            return mistake(usage, exit_code, "unexpected argument", argv[i]);
        if (!take(usage, argc, argv, &i, options, exit_code))
            return false;
    }
    return check(usage, options, exit_code);
}
