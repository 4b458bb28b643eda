#include "base/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/config_private.h"
#include "base/memory.h"

enum { WHERE_SIZE = 300 };

typedef struct value {
    pdi_config_rank_t rank;
    char *text;   /* NULL: no value */
    char *origin; /* NULL: the default */
    int64_t number;
} value_t;

/* Growing arrays; `pairs` is what is lent out. */
typedef struct pair_array {
    pd_config_pair_t *pairs;
    pdi_config_rank_t *ranks;
    size_t count, capacity;
} pair_array_t;

typedef struct prefix_values {
    pair_array_t pairs;        /* pass-through */
    pd_config_group_t *groups; /* lent out */
    pair_array_t *group_pairs;
    size_t group_count;
} prefix_values_t;

struct pd_config {
    const pd_config_table_t *table;
    uint32_t program;
    value_t *values;           /* by option */
    prefix_values_t *prefixes; /* by prefix */
    size_t pair_count;
};

const pd_config_table_t *pdi_config_table(const pd_config_t *config)
{
    return config->table;
}

uint32_t pdi_config_program(const pd_config_t *config)
{
    return config->program;
}

const pd_config_option_t *pdi_config_find(const pd_config_table_t *table, const char *name)
{
    for (size_t i = 0; i < table->option_count; i++) {
        if (strcmp(table->options[i].name, name) == 0)
            return &table->options[i];
    }
    return NULL;
}

const pd_config_prefix_t *pdi_config_find_prefix(const pd_config_table_t *table, const char *name,
                                                 const char **rest)
{
    for (size_t i = 0; i < table->prefix_count; i++) {
        size_t size = strlen(table->prefixes[i].name);

        if (strncmp(name, table->prefixes[i].name, size) == 0 && name[size] == '.') {
            *rest = name + size + 1;
            return &table->prefixes[i];
        }
    }
    return NULL;
}

/* ---- single options ---- */

/* Takes nothing; `text` is valid for the option. */
static void assign(value_t *value, pdi_config_rank_t rank, const char *text, const char *origin,
                   int64_t number)
{
    pd_free(value->text);
    pd_free(value->origin);
    value->rank = rank;
    value->text = pd_strdup(text);
    value->origin = pd_strdup(origin);
    value->number = number;
}

/* What begins the messages about an entry: flags and variables name the option themselves. */
static void describe_where(const pdi_config_entry_t *entry, char *where)
{
    if (entry->rank == PDI_CONFIG_FILE)
        snprintf(where, WHERE_SIZE, "%s: %s", entry->origin, entry->name);
    else
        snprintf(where, WHERE_SIZE, "%s", entry->origin);
}

static pd_status_t refuse_repeat(const pdi_config_entry_t *entry, const char *first,
                                 pd_error_t *error)
{
    return pd_error_set(error, PD_INVALID, "%s: %s was given already at %s", entry->origin,
                        entry->name, first);
}

static pd_status_t set_option(pd_config_t *config, const pd_config_option_t *option,
                              const pdi_config_entry_t *entry, pd_error_t *error)
{
    value_t *value = &config->values[option - config->table->options];
    char where[WHERE_SIZE];
    int64_t number;

    describe_where(entry, where);
    if (!(option->programs & config->program)) {
        if (entry->rank == PDI_CONFIG_ENVIRONMENT)
            return PD_OK;
        return pd_error_set(error, PD_INVALID, "%s: this subcommand has no such option", where);
    }
    if (entry->rank == PDI_CONFIG_FILE && option->not_in_file)
        return pd_error_set(error, PD_INVALID, "%s: only a flag or the environment may say this",
                            where);
    PD_TRY(pdi_config_parse_value(option, entry->value, where, &number, error));
    if (entry->rank == PDI_CONFIG_FILE && value->rank == PDI_CONFIG_FILE)
        return refuse_repeat(entry, value->origin, error);
    if (entry->rank >= value->rank)
        assign(value, entry->rank, entry->value, entry->origin, number);
    return PD_OK;
}

/* ---- pairs and groups ---- */

static pd_status_t set_pair(pd_config_t *config, pair_array_t *array, const char *name,
                            const pdi_config_entry_t *entry, pd_error_t *error)
{
    size_t at = 0;

    while (at < array->count && strcmp(array->pairs[at].name, name) != 0)
        at++;
    if (at < array->count) {
        if (entry->rank == PDI_CONFIG_FILE && array->ranks[at] == PDI_CONFIG_FILE)
            return refuse_repeat(entry, array->pairs[at].origin, error);
        if (entry->rank < array->ranks[at])
            return PD_OK;
        pd_free((char *)array->pairs[at].value);
        pd_free((char *)array->pairs[at].origin);
    } else {
        if (config->pair_count >= PD_CONFIG_PAIR_COUNT_MAX)
            return pd_error_set(error, PD_INVALID, "%s: more than %d settings", entry->origin,
                                PD_CONFIG_PAIR_COUNT_MAX);
        config->pair_count++;
        if (array->count == array->capacity) {
            array->capacity = array->capacity ? 2 * array->capacity : 8;
            array->pairs = pd_realloc(array->pairs, array->capacity * sizeof(array->pairs[0]));
            array->ranks = pd_realloc(array->ranks, array->capacity * sizeof(array->ranks[0]));
        }
        array->pairs[at].name = pd_strdup(name);
        array->count++;
    }
    array->pairs[at].value = pd_strdup(entry->value);
    array->pairs[at].origin = pd_strdup(entry->origin);
    array->ranks[at] = entry->rank;
    return PD_OK;
}

static pd_config_group_t *find_group(prefix_values_t *values, pd_bytes_t name,
                                     const pdi_config_entry_t *entry)
{
    pd_config_group_t *group;

    for (size_t i = 0; i < values->group_count; i++) {
        if (pd_bytes_equal(pd_bytes_str(values->groups[i].name), name))
            return &values->groups[i];
    }
    values->groups =
        pd_realloc(values->groups, (values->group_count + 1) * sizeof(values->groups[0]));
    values->group_pairs =
        pd_realloc(values->group_pairs, (values->group_count + 1) * sizeof(values->group_pairs[0]));
    group = &values->groups[values->group_count];
    memset(&values->group_pairs[values->group_count], 0, sizeof(values->group_pairs[0]));
    values->group_count++;
    memset(group, 0, sizeof(*group));
    group->name = memcpy(pd_calloc(1, name.size + 1), name.data, name.size);
    group->origin = pd_strdup(entry->origin);
    return group;
}

static const pd_config_option_t *find_key(const pd_config_prefix_t *prefix, const char *key)
{
    for (size_t i = 0; i < prefix->key_count; i++) {
        if (strcmp(prefix->keys[i].name, key) == 0)
            return &prefix->keys[i];
    }
    return NULL;
}

/* `rest` is NAME.key. */
static pd_status_t set_in_group(pd_config_t *config, const pd_config_prefix_t *prefix,
                                const char *rest, const pdi_config_entry_t *entry,
                                pd_error_t *error)
{
    prefix_values_t *values = &config->prefixes[prefix - config->table->prefixes];
    const char *dot = strchr(rest, '.');
    const pd_config_option_t *key = dot ? find_key(prefix, dot + 1) : NULL;
    pd_config_table_t keys = {.options = prefix->keys, .option_count = prefix->key_count};
    const char *nearest;
    char where[WHERE_SIZE];
    pd_config_group_t *group;
    pair_array_t *pairs;
    int64_t number;

    if (!dot || dot == rest)
        return pd_error_set(error, PD_INVALID, "%s: %s: write %s.NAME.KEY", entry->origin,
                            entry->name, prefix->name);
    if (!key) {
        nearest = pdi_config_nearest(&keys, 0, dot + 1);
        return pd_error_set(error, PD_INVALID, "%s: %s: there is no key \"%s\"%s%s%s",
                            entry->origin, entry->name, dot + 1, nearest ? "; did you mean \"" : "",
                            nearest ? nearest : "", nearest ? "\"?" : "");
    }
    describe_where(entry, where);
    PD_TRY(pdi_config_parse_value(key, entry->value, where, &number, error));
    group = find_group(values, pd_bytes(rest, (size_t)(dot - rest)), entry);
    pairs = &values->group_pairs[group - values->groups];
    PD_TRY(set_pair(config, pairs, dot + 1, entry, error));
    group->pairs = pairs->pairs;
    group->pair_count = pairs->count;
    return PD_OK;
}

static pd_status_t set_in_prefix(pd_config_t *config, const pd_config_prefix_t *prefix,
                                 const char *rest, const pdi_config_entry_t *entry,
                                 pd_error_t *error)
{
    if (!(prefix->programs & config->program)) {
        if (entry->rank == PDI_CONFIG_ENVIRONMENT)
            return PD_OK;
        return pd_error_set(error, PD_INVALID, "%s: this subcommand has no %s.* options",
                            entry->origin, prefix->name);
    }
    if (!*rest)
        return pd_error_set(error, PD_INVALID, "%s: a name is missing behind \"%s.\"",
                            entry->origin, prefix->name);
    if (prefix->keys)
        return set_in_group(config, prefix, rest, entry, error);
    return set_pair(config, &config->prefixes[prefix - config->table->prefixes].pairs, rest, entry,
                    error);
}

/* ---- anything ---- */

static pd_status_t check_sizes(const pdi_config_entry_t *entry, pd_error_t *error)
{
    if (strlen(entry->name) > PD_CONFIG_NAME_SIZE_MAX)
        return pd_error_set(error, PD_INVALID, "%.200s: a name has at most %d bytes", entry->origin,
                            PD_CONFIG_NAME_SIZE_MAX);
    if (strlen(entry->value) > PD_CONFIG_VALUE_SIZE_MAX)
        return pd_error_set(error, PD_INVALID, "%.200s: a value has at most %d bytes",
                            entry->origin, PD_CONFIG_VALUE_SIZE_MAX);
    return PD_OK;
}

pd_status_t pdi_config_set(pd_config_t *config, const pdi_config_entry_t *entry, pd_error_t *error)
{
    const pd_config_option_t *option;
    const pd_config_prefix_t *prefix;
    const char *rest, *nearest;

    PD_TRY(check_sizes(entry, error));
    option = pdi_config_find(config->table, entry->name);
    if (option)
        return set_option(config, option, entry, error);
    prefix = pdi_config_find_prefix(config->table, entry->name, &rest);
    if (prefix)
        return set_in_prefix(config, prefix, rest, entry, error);
    nearest = pdi_config_nearest(config->table, config->program, entry->name);
    return pd_error_set(error, PD_INVALID, "%s: there is no option \"%s\"%s%s%s", entry->origin,
                        entry->name, nearest ? "; did you mean \"" : "", nearest ? nearest : "",
                        nearest ? "\"?" : "");
}

pd_status_t pd_config_check(const pd_config_t *config, pd_error_t *error)
{
    for (size_t i = 0; i < config->table->prefix_count; i++) {
        const pd_config_prefix_t *prefix = &config->table->prefixes[i];
        const prefix_values_t *values = &config->prefixes[i];

        for (size_t j = 0; j < values->group_count; j++) {
            for (size_t k = 0; k < prefix->key_count; k++) {
                if (prefix->keys[k].required &&
                    !pd_config_group_value(config, i, &values->groups[j], prefix->keys[k].name))
                    return pd_error_set(error, PD_INVALID, "%s: %s.%s.%s is missing",
                                        values->groups[j].origin, prefix->name,
                                        values->groups[j].name, prefix->keys[k].name);
            }
        }
    }
    return PD_OK;
}

/* ---- life and getters ---- */

pd_config_t *pd_config_new(const pd_config_table_t *table, uint32_t program)
{
    pd_config_t *config = PD_NEW(pd_config_t);

    config->table = table;
    config->program = program;
    config->values = pd_calloc(table->option_count, sizeof(config->values[0]));
    config->prefixes = pd_calloc(table->prefix_count, sizeof(config->prefixes[0]));
    for (size_t i = 0; i < table->option_count; i++) {
        const pd_config_option_t *option = &table->options[i];
        int64_t number;

        if (!option->default_text)
            continue;
        PD_ASSERT(pdi_config_parse_value(option, option->default_text, option->name, &number,
                                         NULL) == PD_OK);
        assign(&config->values[i], PDI_CONFIG_DEFAULT, option->default_text, NULL, number);
    }
    return config;
}

static void free_pairs(pair_array_t *array)
{
    for (size_t i = 0; i < array->count; i++) {
        pd_free((char *)array->pairs[i].name);
        pd_free((char *)array->pairs[i].value);
        pd_free((char *)array->pairs[i].origin);
    }
    pd_free(array->pairs);
    pd_free(array->ranks);
}

static void free_prefix(prefix_values_t *values)
{
    free_pairs(&values->pairs);
    for (size_t i = 0; i < values->group_count; i++) {
        pd_free((char *)values->groups[i].name);
        pd_free((char *)values->groups[i].origin);
        free_pairs(&values->group_pairs[i]);
    }
    pd_free(values->groups);
    pd_free(values->group_pairs);
}

void pd_config_free(pd_config_t *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->table->option_count; i++) {
        pd_free(config->values[i].text);
        pd_free(config->values[i].origin);
    }
    for (size_t i = 0; i < config->table->prefix_count; i++)
        free_prefix(&config->prefixes[i]);
    pd_free(config->values);
    pd_free(config->prefixes);
    pd_free(config);
}

const char *pd_config_origin(const pd_config_t *config, size_t option)
{
    PD_ASSERT(option < config->table->option_count);
    return config->values[option].origin ? config->values[option].origin : "default";
}

const char *pd_config_text(const pd_config_t *config, size_t option)
{
    PD_ASSERT(option < config->table->option_count);
    return config->values[option].text;
}

int64_t pd_config_number(const pd_config_t *config, size_t option)
{
    PD_ASSERT(option < config->table->option_count);
    return config->values[option].number;
}

size_t pd_config_pairs(const pd_config_t *config, size_t prefix, const pd_config_pair_t **pairs)
{
    PD_ASSERT(prefix < config->table->prefix_count);
    *pairs = config->prefixes[prefix].pairs.pairs;
    return config->prefixes[prefix].pairs.count;
}

size_t pd_config_groups(const pd_config_t *config, size_t prefix, const pd_config_group_t **groups)
{
    PD_ASSERT(prefix < config->table->prefix_count);
    *groups = config->prefixes[prefix].groups;
    return config->prefixes[prefix].group_count;
}

const char *pd_config_group_value(const pd_config_t *config, size_t prefix,
                                  const pd_config_group_t *group, const char *key)
{
    const pd_config_option_t *option;

    for (size_t i = 0; i < group->pair_count; i++) {
        if (strcmp(group->pairs[i].name, key) == 0)
            return group->pairs[i].value;
    }
    option = find_key(&config->table->prefixes[prefix], key);
    return option ? option->default_text : NULL;
}
