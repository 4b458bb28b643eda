/* The three sources: a file's text, flags, environment variables. Each becomes entries. */
#include "base/config_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/memory.h"

static bool is_name(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char c = text[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '-' || c == '_'))
            return false;
    }
    return size > 0;
}

/* ---- files ---- */

typedef struct file_reader {
    pd_config_t *config;
    const char *file_name;
    unsigned line_number;
    char section[PD_CONFIG_NAME_SIZE_MAX + 1]; /* "" before the first */
} file_reader_t;

static pd_bytes_t trim(const uint8_t *begin, const uint8_t *end)
{
    while (begin < end && (*begin == ' ' || *begin == '\t'))
        begin++;
    while (end > begin && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
        end--;
    return pd_bytes(begin, (size_t)(end - begin));
}

static pd_status_t line_error(const file_reader_t *reader, const char *what, pd_error_t *error)
{
    return pd_error_set(error, PD_INVALID, "%s:%u: %s", reader->file_name, reader->line_number,
                        what);
}

static pd_status_t read_section(file_reader_t *reader, pd_bytes_t line, pd_error_t *error)
{
    pd_bytes_t name;

    if (line.data[line.size - 1] != ']')
        return line_error(reader, "a section is written [name]", error);
    name = trim(line.data + 1, line.data + line.size - 1);
    if (!is_name((const char *)name.data, name.size) || name.size > PD_CONFIG_NAME_SIZE_MAX)
        return line_error(reader,
                          "a section is written [name], with a short name of letters, "
                          "digits, '.', '-' and '_'",
                          error);
    memcpy(reader->section, name.data, name.size);
    reader->section[name.size] = '\0';
    return PD_OK;
}

static pd_status_t read_setting(file_reader_t *reader, pd_bytes_t line, pd_error_t *error)
{
    const uint8_t *equals = memchr(line.data, '=', line.size);
    char name[2 * PD_CONFIG_NAME_SIZE_MAX + 3], origin[256];
    pdi_config_entry_t entry = {.rank = PDI_CONFIG_FILE, .origin = origin, .name = name};
    pd_bytes_t key, value;
    char *value_text;
    pd_status_t status;

    if (!equals)
        return line_error(reader, "this is neither `name = value` nor [section] nor # comment",
                          error);
    key = trim(line.data, equals);
    value = trim(equals + 1, line.data + line.size);
    if (!is_name((const char *)key.data, key.size) || key.size > PD_CONFIG_NAME_SIZE_MAX)
        return line_error(reader,
                          "an option's name has letters, digits, '.', '-' and '_', and is "
                          "short",
                          error);
    if (memchr(value.data, '\0', value.size))
        return line_error(reader, "a NUL byte", error);
    snprintf(name, sizeof(name), "%s%s%.*s", reader->section, reader->section[0] ? "." : "",
             (int)key.size, (const char *)key.data);
    snprintf(origin, sizeof(origin), "%.200s:%u", reader->file_name, reader->line_number);
    value_text = pd_calloc(1, value.size + 1);
    memcpy(value_text, value.data, value.size);
    entry.value = value_text;
    status = pdi_config_set(reader->config, &entry, error);
    pd_free(value_text);
    return status;
}

pd_status_t pd_config_parse_text(pd_config_t *config, const char *file_name, pd_bytes_t text,
                                 pd_error_t *error)
{
    file_reader_t reader = {.config = config, .file_name = file_name};
    const uint8_t *at = text.data, *end = at + text.size;

    if (text.size > PD_CONFIG_FILE_SIZE_MAX)
        return pd_error_set(error, PD_INVALID, "%s: a configuration has at most %d bytes",
                            file_name, PD_CONFIG_FILE_SIZE_MAX);
    while (at < end) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
        const uint8_t *line_end = newline ? newline : end;
        pd_bytes_t line = trim(at, line_end);

        reader.line_number++;
        at = newline ? newline + 1 : end;
        if (line.size == 0 || line.data[0] == '#')
            continue;
        if (line.data[0] == '[')
            PD_TRY(read_section(&reader, line, error));
        else
            PD_TRY(read_setting(&reader, line, error));
    }
    return PD_OK;
}

pd_status_t pd_config_load(pd_config_t *config, const char *path, pd_error_t *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t *text;
    size_t size = 0;
    ssize_t got = 0;
    pd_status_t status;

    if (fd < 0)
        return pd_error_set(error, errno == ENOENT ? PD_NOT_FOUND : PD_IO,
                            "cannot open configuration %s: %s", path, strerror(errno));
    text = pd_alloc(PD_CONFIG_FILE_SIZE_MAX + 1);
    while (size <= PD_CONFIG_FILE_SIZE_MAX &&
           (got = read(fd, text + size, PD_CONFIG_FILE_SIZE_MAX + 1 - size)) > 0)
        size += (size_t)got;
    if (got < 0)
        status =
            pd_error_set(error, PD_IO, "cannot read configuration %s: %s", path, strerror(errno));
    else
        status = pd_config_parse_text(config, path, pd_bytes(text, size), error);
    pd_free(text);
    close(fd);
    return status;
}

/* ---- flags ---- */

static bool is_bool(const pd_config_t *config, const char *name)
{
    const pd_config_option_t *option = pdi_config_find(pdi_config_table(config), name);

    return option && option->type == PD_CONFIG_BOOL;
}

pd_status_t pd_config_parse_flags(pd_config_t *config, int argc, char *const *argv,
                                  pd_error_t *error)
{
    for (int i = 0; i < argc; i++) {
        char name[PD_CONFIG_NAME_SIZE_MAX + 1], origin[PD_CONFIG_NAME_SIZE_MAX + 3];
        pdi_config_entry_t entry = {.rank = PDI_CONFIG_FLAG, .origin = origin, .name = name};
        size_t size;

        if (strncmp(argv[i], "--", 2) != 0)
            return pd_error_set(error, PD_INVALID, "unexpected argument \"%.200s\"", argv[i]);
        size = strcspn(argv[i] + 2, "=");
        if (!is_name(argv[i] + 2, size) || size > PD_CONFIG_NAME_SIZE_MAX)
            return pd_error_set(error, PD_INVALID, "\"%.200s\" is no option", argv[i]);
        snprintf(name, sizeof(name), "%.*s", (int)size, argv[i] + 2);
        snprintf(origin, sizeof(origin), "--%s", name);
        if (argv[i][2 + size] == '=')
            entry.value = argv[i] + 2 + size + 1;
        else if (is_bool(config, name))
            entry.value = "true";
        else if (i + 1 < argc && pdi_config_find(pdi_config_table(config), name))
            entry.value = argv[++i];
        else if (i + 1 < argc && strchr(name, '.'))
            entry.value = argv[++i];
        else
            entry.value = "";
        PD_TRY(pdi_config_set(config, &entry, error));
    }
    return PD_OK;
}

/* ---- the environment ---- */

/* Options: PERDURE_ENGINE_THREADS is engine-threads. Behind a prefix a '_' stands for '.', and two
 * for '_': PERDURE_INGEST_ORDERS_WORKFLOW__ID is ingest.orders.workflow_id. */
static void name_of_variable(const pd_config_table_t *table, const char *variable, size_t size,
                             char *name)
{
    const char *rest;
    size_t at = 0;

    PD_ASSERT(size <= PD_CONFIG_NAME_SIZE_MAX);
    for (size_t i = 0; i < size; i++) {
        char c = variable[i];
        bool twice = c == '_' && i + 1 < size && variable[i + 1] == '_';

        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        name[at++] = c == '_' && !twice ? '.' : c;
        i += twice;
    }
    name[at] = '\0';
    if (pdi_config_find_prefix(table, name, &rest))
        return;
    for (at = 0; name[at]; at++) {
        if (name[at] == '.')
            name[at] = '-';
    }
}

static bool is_known(const pd_config_t *config, const char *name)
{
    const char *rest;

    return pdi_config_find(pdi_config_table(config), name) ||
           pdi_config_find_prefix(pdi_config_table(config), name, &rest);
}

pd_status_t pd_config_parse_environment(pd_config_t *config, char *const *environment,
                                        void (*unknown)(const char *name, const char *nearest),
                                        pd_error_t *error)
{
    const char *prefix = pdi_config_table(config)->environment_prefix;
    size_t prefix_size = strlen(prefix);

    for (; *environment; environment++) {
        const char *variable = *environment, *equals = strchr(variable, '=');
        char name[PD_CONFIG_NAME_SIZE_MAX + 1], origin[PD_CONFIG_NAME_SIZE_MAX + 1];
        pdi_config_entry_t entry = {.rank = PDI_CONFIG_ENVIRONMENT, .origin = origin, .name = name};

        if (!equals || strncmp(variable, prefix, prefix_size) != 0 ||
            (size_t)(equals - variable) > PD_CONFIG_NAME_SIZE_MAX)
            continue;
        snprintf(origin, sizeof(origin), "%.*s", (int)(equals - variable), variable);
        name_of_variable(pdi_config_table(config), variable + prefix_size,
                         (size_t)(equals - variable) - prefix_size, name);
        entry.value = equals + 1;
        if (is_known(config, name))
            PD_TRY(pdi_config_set(config, &entry, error));
        else if (unknown)
            unknown(origin,
                    pdi_config_nearest(pdi_config_table(config), pdi_config_program(config), name));
    }
    return PD_OK;
}
