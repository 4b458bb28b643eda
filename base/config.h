/* config.h -- options from one table: a file, environment variables and flags, and the texts that
 * explain them.
 *
 * A table names every option once: type, default, bounds, help. From it come the parser of all
 * three sources, `--help`, the reference page and the example file. Besides single options a table
 * may have *pass-through prefixes* (`kafka.*`: any name, verbatim) and *group prefixes*
 * (`ingest.NAME.key`: any number of named groups with the keys of a table of their own).
 *
 * Precedence, whatever the order of reading: flag, environment, file, default. Among flags the last
 * one wins; a file may say a thing once.
 *
 * Errors are PD_INVALID (PD_NOT_FOUND, PD_IO of pd_config_load), and their texts say where (file
 * and line, variable, flag), which option, and what would be right.
 *
 * Thread: one at a time; the table may be shared. Ownership: the table is borrowed until _free;
 * everything else is copied, and lent out until _free. */
#ifndef PD_BASE_CONFIG_H
#define PD_BASE_CONFIG_H

#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"

enum {
    PD_CONFIG_FILE_SIZE_MAX = 1024 * 1024,
    PD_CONFIG_NAME_SIZE_MAX = 200,
    PD_CONFIG_VALUE_SIZE_MAX = 16 * 1024,
    PD_CONFIG_PAIR_COUNT_MAX = 10000, /* pass-through pairs and keys of groups, together */
};

typedef enum pd_config_type {
    PD_CONFIG_STRING,
    PD_CONFIG_INT,
    PD_CONFIG_BOOL,     /* true, false; a flag alone is true */
    PD_CONFIG_DURATION, /* in ns; 500us, 20ms, 1s, 5m, 2h, 7d */
    PD_CONFIG_SIZE,     /* in bytes; 512, 64KiB, 16MiB, 1GiB */
    PD_CONFIG_CHOICE,   /* one of `choices` */
    PD_CONFIG_ADDRESS,  /* HOST:PORT, [V6]:PORT */
} pd_config_type_t;

typedef struct pd_config_option {
    const char *name; /* lower case, words joined by '-' (by '_' in groups) */
    pd_config_type_t type;
    const char *default_text; /* as a file would say it; NULL: none */
    int64_t min, max;         /* of INT, DURATION (ns), SIZE (bytes); both inclusive */
    const char *choices;      /* of CHOICE: "a|b|c" */
    uint32_t programs;        /* bits: who has this option; others refuse it */
    bool required;            /* of groups: a group without it is an error */
    bool is_mutable;          /* may change while the server runs */
    bool hidden;              /* works, but is not told */
    bool not_in_file;         /* flag and environment only */
    const char *since;        /* version */
    const char *section;      /* heading; options of one section stand together */
    const char *value_name;   /* e.g. "DIR"; NULL: by type */
    const char *help;         /* sentences */
} pd_config_option_t;

typedef struct pd_config_prefix {
    const char *name; /* without the dot */
    uint32_t programs;
    /* NULL: pass-through. Else NAME.key, with these keys. */
    const pd_config_option_t *keys;
    size_t key_count;
    const char *since;
    const char *help;
    const char *example; /* lines for the example file, without "# " */
} pd_config_prefix_t;

typedef struct pd_config_table {
    const char *environment_prefix; /* e.g. "PERDURE_" */
    const pd_config_option_t *options;
    size_t option_count;
    const pd_config_prefix_t *prefixes;
    size_t prefix_count;
} pd_config_table_t;

typedef struct pd_config_pair {
    const char *name; /* behind the prefix, e.g. "bootstrap.servers", or the key of a group */
    const char *value;
    const char *origin; /* for messages, e.g. "perdure.conf:12", "--kafka.acks" */
} pd_config_pair_t;

typedef struct pd_config_group {
    const char *name;
    const char *origin; /* of its first key */
    const pd_config_pair_t *pairs;
    size_t pair_count;
} pd_config_group_t;

typedef struct pd_config pd_config_t;

/* `program`: one bit of pd_config_option_t.programs. */
pd_config_t *pd_config_new(const pd_config_table_t *table, uint32_t program);
void pd_config_free(pd_config_t *config);

/* The text of a file; `file_name` is for messages. */
pd_status_t pd_config_parse_text(pd_config_t *config, const char *file_name, pd_bytes_t text,
                                 pd_error_t *error) PD_MUST_USE;
pd_status_t pd_config_load(pd_config_t *config, const char *path, pd_error_t *error) PD_MUST_USE;
/* argv without the program's name. */
pd_status_t pd_config_parse_flags(pd_config_t *config, int argc, char *const *argv,
                                  pd_error_t *error) PD_MUST_USE;
/* `environment` ends with NULL. Variables that begin with the prefix but name no option are no
 * error (orchestrators set such ones): `unknown` (may be NULL) is told. */
pd_status_t pd_config_parse_environment(pd_config_t *config, char *const *environment,
                                        void (*unknown)(const char *name, const char *nearest),
                                        pd_error_t *error) PD_MUST_USE;
/* When all sources are read: required keys of groups. */
pd_status_t pd_config_check(const pd_config_t *config, pd_error_t *error) PD_MUST_USE;

/* `option`: index in the table. */
/* Who said it, for messages; "default": nobody. */
const char *pd_config_origin(const pd_config_t *config, size_t option);
/* As it was written, or the default; NULL: neither. */
const char *pd_config_text(const pd_config_t *config, size_t option);
/* INT, DURATION in ns, SIZE in bytes, BOOL 0 or 1, CHOICE its index. Without a value: 0. */
int64_t pd_config_number(const pd_config_t *config, size_t option);
/* Pass-through pairs of a prefix (index in the table), in order of first appearance. */
size_t pd_config_pairs(const pd_config_t *config, size_t prefix, const pd_config_pair_t **pairs);
size_t pd_config_groups(const pd_config_t *config, size_t prefix, const pd_config_group_t **groups);
/* The value of a key, its default, or NULL. */
const char *pd_config_group_value(const pd_config_t *config, size_t prefix,
                                  const pd_config_group_t *group, const char *key);

/* Splits HOST:PORT or [V6]:PORT. `host` has room for host_size bytes. PD_INVALID. @thread any */
pd_status_t pd_config_split_address(const char *text, char *host, size_t host_size,
                                    uint16_t *port) PD_MUST_USE;

/* The texts. `--help` of one program; the reference page's tables; an example file in which
 * everything is commented out. */
void pd_config_print_help(const pd_config_table_t *table, uint32_t program, FILE *out);
void pd_config_print_reference(const pd_config_table_t *table, const char *const *program_names,
                               size_t program_count, FILE *out);
void pd_config_print_example(const pd_config_table_t *table, uint32_t program, FILE *out);

#endif
