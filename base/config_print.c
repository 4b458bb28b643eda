/* What a table says about itself: `--help`, the reference page, the example file. */
#include "base/config_private.h"

#include <string.h>

#include "base/assert.h"

enum { HELP_COLUMN = 30, LINE_SIZE = 98 };

static const char *value_name(const pd_config_option_t *option)
{
    if (option->value_name)
        return option->value_name;
    switch (option->type) {
    case PD_CONFIG_STRING:
        return "TEXT";
    case PD_CONFIG_INT:
        return "N";
    case PD_CONFIG_BOOL:
        return "";
    case PD_CONFIG_DURATION:
        return "DURATION";
    case PD_CONFIG_SIZE:
        return "SIZE";
    case PD_CONFIG_CHOICE:
        return option->choices;
    case PD_CONFIG_ADDRESS:
        return "HOST:PORT";
    }
    PD_UNREACHABLE();
}

/* Words of `text` in lines of at most LINE_SIZE columns, each new line after `lead`. */
static void print_wrapped(const char *text, size_t column, const char *lead, FILE *out)
{
    bool begins_line = true; /* else a blank is due before the next word */

    while (*text) {
        size_t size = strcspn(text, " \n");

        if (!begins_line && column + 1 + size > LINE_SIZE) {
            fprintf(out, "\n%s", lead);
            column = strlen(lead);
            begins_line = true;
        }
        fprintf(out, "%s%.*s", begins_line ? "" : " ", (int)size, text);
        column += size + !begins_line;
        begins_line = false;
        text += size;
        text += strspn(text, " \n");
    }
    fputc('\n', out);
}

static bool begins_section(const pd_config_option_t *option, const char **section)
{
    bool begins = !*section || strcmp(*section, option->section) != 0;

    *section = option->section;
    return begins;
}

/* ---- --help ---- */

static void print_help_line(const char *left, const char *help, FILE *out)
{
    static const char lead[] = "                              ";
    int printed = fprintf(out, "  %s", left);

    _Static_assert(sizeof(lead) == HELP_COLUMN + 1, "as wide as the left column");
    if (printed > HELP_COLUMN - 2) {
        fputc('\n', out);
        printed = 0;
    }
    fprintf(out, "%*s", HELP_COLUMN - printed, "");
    print_wrapped(help, HELP_COLUMN, lead, out);
}

void pd_config_print_help(const pd_config_table_t *table, uint32_t program, FILE *out)
{
    const char *section = NULL;
    char left[120], help[1000];

    for (size_t i = 0; i < table->option_count; i++) {
        const pd_config_option_t *option = &table->options[i];

        if (option->hidden || !(option->programs & program))
            continue;
        if (begins_section(option, &section))
            fprintf(out, "\n%s\n", option->section);
        snprintf(left, sizeof(left), "--%s %s", option->name, value_name(option));
        snprintf(help, sizeof(help), "%s%s%s%s", option->help,
                 option->default_text ? " (default: " : "",
                 option->default_text ? option->default_text : "", option->default_text ? ")" : "");
        print_help_line(left, help, out);
    }
    for (size_t i = 0; i < table->prefix_count; i++) {
        const pd_config_prefix_t *prefix = &table->prefixes[i];

        if (!(prefix->programs & program))
            continue;
        snprintf(left, sizeof(left), "--%s.%s VALUE", prefix->name,
                 prefix->keys ? "NAME.KEY" : "*");
        fputc('\n', out);
        print_help_line(left, prefix->help, out);
    }
}

/* ---- the reference page ---- */

static void print_variable(const pd_config_table_t *table, const char *name, FILE *out)
{
    fprintf(out, "`%s", table->environment_prefix);
    for (; *name; name++) {
        char c = *name;

        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        fputc(c == '-' ? '_' : c, out);
    }
    fputc('`', out);
}

static void print_option_row(const pd_config_table_t *table, const pd_config_option_t *option,
                             const char *const *program_names, size_t program_count, FILE *out)
{
    char range[200];
    const char *comma = "";

    pdi_config_describe_range(option, range, sizeof(range));
    fprintf(out, "| `%s` | %s | ", option->name, range);
    if (option->default_text)
        fprintf(out, "`%s`", option->default_text);
    fprintf(out, " | ");
    for (size_t i = 0; i < program_count; i++) {
        if (option->programs & (1u << i)) {
            fprintf(out, "%s`%s`", comma, program_names[i]);
            comma = ", ";
        }
    }
    fprintf(out, " | %s%s ", option->help, option->not_in_file ? " Not in a file." : "");
    print_variable(table, option->name, out);
    fprintf(out, "%s. Since %s. |\n", option->is_mutable ? ". May change while it runs" : "",
            option->since);
}

static void print_key_rows(const pd_config_prefix_t *prefix, FILE *out)
{
    char range[200];

    fprintf(out, "\n| key | value | default | what it does |\n|---|---|---|---|\n");
    for (size_t i = 0; i < prefix->key_count; i++) {
        const pd_config_option_t *key = &prefix->keys[i];

        pdi_config_describe_range(key, range, sizeof(range));
        fprintf(out, "| `%s` | %s | ", key->name, range);
        if (key->default_text)
            fprintf(out, "`%s`", key->default_text);
        else if (key->required)
            fprintf(out, "(required)");
        fprintf(out, " | %s |\n", key->help);
    }
}

void pd_config_print_reference(const pd_config_table_t *table, const char *const *program_names,
                               size_t program_count, FILE *out)
{
    const char *section = NULL;

    for (size_t i = 0; i < table->option_count; i++) {
        const pd_config_option_t *option = &table->options[i];

        if (option->hidden)
            continue;
        if (begins_section(option, &section))
            fprintf(out,
                    "\n## %s\n\n| option | value | default | of | what it does; its variable |\n"
                    "|---|---|---|---|---|\n",
                    option->section);
        print_option_row(table, option, program_names, program_count, out);
    }
    for (size_t i = 0; i < table->prefix_count; i++) {
        const pd_config_prefix_t *prefix = &table->prefixes[i];

        fprintf(out, "\n## `%s.%s`\n\n", prefix->name, prefix->keys ? "NAME.KEY" : "*");
        print_wrapped(prefix->help, 0, "", out);
        if (prefix->keys)
            print_key_rows(prefix, out);
        if (prefix->example)
            fprintf(out, "\n```\n%s```\n", prefix->example);
    }
}

/* ---- the example file ---- */

static void print_commented(const char *lines, FILE *out)
{
    while (*lines) {
        size_t size = strcspn(lines, "\n");

        fprintf(out, "%s%.*s\n", size ? "# " : "#", (int)size, lines);
        lines += size + (lines[size] == '\n');
    }
}

void pd_config_print_example(const pd_config_table_t *table, uint32_t program, FILE *out)
{
    const char *section = NULL;
    char range[200];

    for (size_t i = 0; i < table->option_count; i++) {
        const pd_config_option_t *option = &table->options[i];

        if (option->hidden || option->not_in_file || !(option->programs & program))
            continue;
        if (begins_section(option, &section))
            fprintf(out, "\n# ---- %s ----\n", option->section);
        fprintf(out, "\n# ");
        print_wrapped(option->help, 2, "# ", out);
        pdi_config_describe_range(option, range, sizeof(range));
        fprintf(out, "# It is %s.\n# %s =%s%s\n", range, option->name,
                option->default_text ? " " : "", option->default_text ? option->default_text : "");
    }
    for (size_t i = 0; i < table->prefix_count; i++) {
        const pd_config_prefix_t *prefix = &table->prefixes[i];

        if (!(prefix->programs & program))
            continue;
        fprintf(out, "\n# ---- %s.* ----\n\n# ", prefix->name);
        print_wrapped(prefix->help, 2, "# ", out);
        if (prefix->example)
            print_commented(prefix->example, out);
    }
}
