#include "engine/program/mappings.h"

#include <errno.h>
#include <stdio.h>

#include "base/memory.h"

enum { SCHEMA_SIZE_MAX = 4 << 20 };

static pd_status_t read_schema(const char *path, pd_buf_t *text, pd_error_t *error)
{
    FILE *file = fopen(path, "re");
    char chunk[8192];
    size_t size;
    pd_status_t status = PD_OK;

    if (!file)
        return pd_error_set(error, PD_INVALID, "%s: %s", path, strerror(errno));
    while (status == PD_OK && (size = fread(chunk, 1, sizeof(chunk), file)) > 0)
        status = pd_buf_append(text, chunk, size);
    if (status != PD_OK || ferror(file))
        status = pd_error_set(error, PD_INVALID, "%s: cannot be read, or is larger than %d bytes",
                              path, SCHEMA_SIZE_MAX);
    fclose(file);
    if (status == PD_OK)
        status = pd_buf_append(text, "", 1);
    return status;
}

static pd_mapping_format_t format_of(const char *text)
{
    if (strcmp(text, "avro") == 0)
        return PD_MAPPING_AVRO;
    return strcmp(text, "json") == 0 ? PD_MAPPING_JSON : PD_MAPPING_RAW;
}

static pd_status_t compile(const pd_config_t *config, size_t prefix, const pd_config_group_t *group,
                           pd_mapping_t **mapping, pd_error_t *error)
{
    const char *schema = pd_config_group_value(config, prefix, group, "schema");
    pd_mapping_options_t options = {
        .name = group->name,
        .topic = pd_config_group_value(config, prefix, group, "topic"),
        .format = format_of(pd_config_group_value(config, prefix, group, "format")),
        .namespace_name = pd_config_group_value(config, prefix, group, "namespace"),
        .workflow_id = pd_config_group_value(config, prefix, group, "workflow_id"),
        .workflow_type = pd_config_group_value(config, prefix, group, "workflow_type"),
        .task_queue = pd_config_group_value(config, prefix, group, "task_queue"),
        .signal_name = pd_config_group_value(config, prefix, group, "signal_name"),
        .signal_input = pd_config_group_value(config, prefix, group, "signal_input"),
        .start_input = pd_config_group_value(config, prefix, group, "start_input"),
    };
    pd_status_t status = PD_OK;
    pd_error_t inner;
    pd_buf_t text;

    pd_buf_init(&text, SCHEMA_SIZE_MAX);
    if (schema && schema[0]) {
        status = read_schema(schema, &text, &inner);
        options.schema_json = (const char *)text.data;
        if (status != PD_OK)
            pd_error_set(error, status, "mapping %.100s: schema: %.300s", group->name, inner.text);
    }
    if (status == PD_OK)
        status = pd_mapping_new(&options, mapping, error);
    pd_buf_deinit(&text);
    return status;
}

/* The numbers of its records belong to a topic: two mappings of one would give them out twice. */
static pd_status_t check_topics(const pd_mappings_t *mappings, pd_error_t *error)
{
    for (size_t i = 1; i < mappings->count; i++) {
        for (size_t k = 0; k < i; k++) {
            const char *topic = pd_mapping_topic(mappings->items[i]);

            if (strcmp(topic, pd_mapping_topic(mappings->items[k])) == 0)
                return pd_error_set(error, PD_INVALID, "two mappings read the topic %.200s", topic);
        }
    }
    return PD_OK;
}

pd_status_t pd_mappings_init(pd_mappings_t *mappings, const pd_config_t *config, size_t prefix,
                             pd_error_t *error)
{
    const pd_config_group_t *groups;
    size_t count = pd_config_groups(config, prefix, &groups);
    pd_status_t status = PD_OK;

    *mappings = (pd_mappings_t){.items = pd_calloc(count + 1, sizeof(mappings->items[0]))};
    for (size_t i = 0; i < count && status == PD_OK; i++) {
        status = compile(config, prefix, &groups[i], &mappings->items[i], error);
        mappings->count += status == PD_OK;
    }
    if (status == PD_OK)
        status = check_topics(mappings, error);
    if (status != PD_OK)
        pd_mappings_deinit(mappings);
    return status;
}

void pd_mappings_deinit(pd_mappings_t *mappings)
{
    for (size_t i = 0; i < mappings->count; i++)
        pd_mapping_free(mappings->items[i]);
    pd_free(mappings->items);
    *mappings = (pd_mappings_t){0};
}
