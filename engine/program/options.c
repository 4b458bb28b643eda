#include "engine/program/options.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/memory.h"
#include "engine/program/option_table.h"
#include "engine/program/program.h"

static const char *program_name(uint32_t program)
{
    return program == PD_PROGRAM_DEV ? "dev" : "serve";
}

static void print_help(uint32_t program, FILE *out)
{
    static const char *const about[] = {
        [PD_PROGRAM_DEV] =
            "perdure dev [options]: a durable-execution server with an embedded log, on this "
            "machine\n",
        [PD_PROGRAM_SERVE] =
            "perdure serve --cluster NAME --node ID --listen HOST:PORT --data DIR\n"
            "              --kafka.bootstrap.servers LIST [options]: a node on Kafka\n",
    };

    fputs(about[program], out);
    pd_config_print_help(&pdi_option_table, program, out);
    fputs("\nEvery option may also stand in the --config file, or in an environment variable\n"
          "(PERDURE_ENGINE_THREADS for engine-threads). docs/configuration.md tells more.\n",
          out);
}

/* ---- reading ---- */

static void tell_unknown_variable(const char *name, const char *nearest)
{
    PD_DIAG(PD_DIAG_WARN, "unknown environment variable", "name=%s nearest=%s", name,
            nearest ? nearest : "-");
}

static pd_status_t read_all(pd_config_t *config, int argc, char **argv, pd_error_t *error)
{
    extern char **environ;
    const char *path;

    PD_TRY(pd_config_parse_flags(config, argc - 1, argv + 1, error));
    PD_TRY(pd_config_parse_environment(config, environ, tell_unknown_variable, error));
    path = pd_config_text(config, PDI_OPTION_CONFIG);
    if (path)
        PD_TRY(pd_config_load(config, path, error));
    return pd_config_check(config, error);
}

/* ---- resolving ---- */

static pd_status_t require(const pd_config_t *config, pdi_option_t option, pd_error_t *error)
{
    if (pd_config_text(config, option))
        return PD_OK;
    return pd_error_set(error, PD_INVALID, "--%s is missing",
                        pdi_option_table.options[option].name);
}

static void resolve_address(const pd_config_t *config, pdi_option_t option,
                            pd_program_address_t *address)
{
    const char *text = pd_config_text(config, option);

    address->host[0] = '\0';
    address->port = 0;
    if (text) /* the table has checked it */
        PD_ASSERT(pd_config_split_address(text, address->host, sizeof(address->host),
                                          &address->port) == PD_OK);
}

static pd_status_t check_name(const pd_config_t *config, pdi_option_t option, size_t size_max,
                              pd_error_t *error)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "._-";
    const char *text = pd_config_text(config, option);

    PD_TRY(require(config, option, error));
    if (strlen(text) <= size_max && text[strspn(text, letters)] == '\0')
        return PD_OK;
    return pd_error_set(error, PD_INVALID,
                        "%s: a name of at most %zu letters, digits, '.', '_' or '-' is wanted",
                        pd_config_origin(config, option), size_max);
}

static pd_status_t resolve_dev(pd_program_options_t *self, pd_error_t *error)
{
    const char *ip = pd_config_text(self->config, PDI_OPTION_IP);

    self->log = PD_PROGRAM_LOG_EMBEDDED;
    self->node = "dev";
    self->partition_count = PD_PROGRAM_PARTITION_COUNT;
    if (strlen(ip) >= sizeof(self->listen.host))
        return pd_error_set(error, PD_INVALID, "%s: the address is too long",
                            pd_config_origin(self->config, PDI_OPTION_IP));
    snprintf(self->listen.host, sizeof(self->listen.host), "%s", ip);
    self->listen.port = (uint16_t)pd_config_number(self->config, PDI_OPTION_PORT);
    if (!self->data_path)
        self->data_path = pd_program_default_data_path();
    return PD_OK;
}

static pd_status_t resolve_kafka(pd_program_options_t *self, pd_error_t *error)
{
    self->kafka_pair_count = pd_config_pairs(self->config, PDI_PREFIX_KAFKA, &self->kafka_pairs);
    for (size_t i = 0; i < self->kafka_pair_count; i++) {
        if (strcmp(self->kafka_pairs[i].name, "bootstrap.servers") == 0)
            self->bootstrap_servers = self->kafka_pairs[i].value;
    }
    if (self->log == PD_PROGRAM_LOG_KAFKA && !self->bootstrap_servers)
        return pd_error_set(error, PD_INVALID, "--kafka.bootstrap.servers is missing");
    return PD_OK;
}

static pd_status_t check_serve(const pd_program_options_t *self, pd_error_t *error)
{
    const pd_config_t *config = self->config;

    if (self->min_insync_replicas > self->replication_factor)
        return pd_error_set(
            error, PD_INVALID,
            "min-insync-replicas = %u (%s) is more than replication-factor = %u "
            "(%s)",
            self->min_insync_replicas, pd_config_origin(config, PDI_OPTION_MIN_INSYNC_REPLICAS),
            self->replication_factor, pd_config_origin(config, PDI_OPTION_REPLICATION_FACTOR));
    if (self->node_timeout_ns < 2 * self->heartbeat_interval_ns)
        return pd_error_set(error, PD_INVALID,
                            "node-timeout (%s) is less than twice heartbeat-interval (%s)",
                            pd_config_origin(config, PDI_OPTION_NODE_TIMEOUT),
                            pd_config_origin(config, PDI_OPTION_HEARTBEAT_INTERVAL));
    return PD_OK;
}

static pd_status_t resolve_serve(pd_program_options_t *self, pd_error_t *error)
{
    const pd_config_t *config = self->config;

    PD_TRY(check_name(config, PDI_OPTION_CLUSTER, 200, error));
    PD_TRY(check_name(config, PDI_OPTION_NODE, 200, error));
    PD_TRY(require(config, PDI_OPTION_LISTEN, error));
    PD_TRY(require(config, PDI_OPTION_DATA, error));
    self->cluster = pd_config_text(config, PDI_OPTION_CLUSTER);
    self->node = pd_config_text(config, PDI_OPTION_NODE);
    self->log = (pd_program_log_t)pd_config_number(config, PDI_OPTION_LOG);
    resolve_address(config, PDI_OPTION_LISTEN, &self->listen);
    resolve_address(config, PDI_OPTION_ADVERTISE, &self->advertise);
    if (!self->advertise.host[0])
        self->advertise = self->listen;
    self->partition_count = (uint32_t)pd_config_number(config, PDI_OPTION_PARTITIONS);
    self->replication_factor = (uint32_t)pd_config_number(config, PDI_OPTION_REPLICATION_FACTOR);
    self->min_insync_replicas = (uint32_t)pd_config_number(config, PDI_OPTION_MIN_INSYNC_REPLICAS);
    self->commands_retention_ns = pd_config_number(config, PDI_OPTION_COMMANDS_RETENTION);
    self->heartbeat_interval_ns = pd_config_number(config, PDI_OPTION_HEARTBEAT_INTERVAL);
    self->node_timeout_ns = pd_config_number(config, PDI_OPTION_NODE_TIMEOUT);
    self->standstill_timeout_ns = pd_config_number(config, PDI_OPTION_STANDSTILL_TIMEOUT);
    self->snapshot_path = pd_config_text(config, PDI_OPTION_SNAPSHOT_DIRECTORY);
    self->snapshot_interval_ns = pd_config_number(config, PDI_OPTION_SNAPSHOT_INTERVAL);
    self->snapshot_size = (size_t)pd_config_number(config, PDI_OPTION_SNAPSHOT_BYTES);
    self->snapshots_kept = (uint32_t)pd_config_number(config, PDI_OPTION_SNAPSHOTS_KEPT);
    self->command_id_keep_ns = pd_config_number(config, PDI_OPTION_COMMAND_ID_TIME);
    PD_TRY(pd_mappings_init(&self->mappings, config, PDI_PREFIX_INGEST, error));
    PD_TRY(resolve_kafka(self, error));
    return check_serve(self, error);
}

static pd_status_t resolve(pd_program_options_t *self, uint32_t program, pd_error_t *error)
{
    const pd_config_t *config = self->config;

    self->data_path = pd_config_text(config, PDI_OPTION_DATA);
    self->engine_thread_count = (uint32_t)pd_config_number(config, PDI_OPTION_ENGINE_THREADS);
    self->store_cache_size_max = (size_t)pd_config_number(config, PDI_OPTION_PARTITION_CACHE_SIZE);
    self->block_cache_size = (size_t)pd_config_number(config, PDI_OPTION_BLOCK_CACHE_SIZE);
    self->write_buffer_size = (size_t)pd_config_number(config, PDI_OPTION_WRITE_BUFFER_SIZE);
    self->flush_size = (size_t)pd_config_number(config, PDI_OPTION_FLUSH_SIZE);
    self->dirty_size_max = (size_t)pd_config_number(config, PDI_OPTION_DIRTY_SIZE_MAX);
    self->flush_delay_ns = pd_config_number(config, PDI_OPTION_FLUSH_DELAY);
    self->log_level = (pd_diag_level_t)pd_config_number(config, PDI_OPTION_LOG_LEVEL);
    if (pd_config_number(config, PDI_OPTION_VERBOSE))
        self->log_level = PD_DIAG_DEBUG;
    resolve_address(config, PDI_OPTION_METRICS_LISTEN, &self->metrics_listen);
    PD_TRY(program == PD_PROGRAM_DEV ? resolve_dev(self, error) : resolve_serve(self, error));
    if (self->engine_thread_count > self->partition_count)
        return pd_error_set(error, PD_INVALID,
                            "%s: engine-threads = %u is more than the %u partitions",
                            pd_config_origin(config, PDI_OPTION_ENGINE_THREADS),
                            self->engine_thread_count, self->partition_count);
    return PD_OK;
}

/* Anywhere among the flags, before anything else is looked at. */
static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0)
            return true;
    }
    return false;
}

bool pd_program_options_init(pd_program_options_t *options, uint32_t program, int argc, char **argv,
                             int *exit_code)
{
    pd_error_t error;

    memset(options, 0, sizeof(*options));
    if (asks_for_help(argc, argv)) {
        print_help(program, stdout);
        *exit_code = 0;
        return false;
    }
    options->config = pd_config_new(&pdi_option_table, program);
    if (read_all(options->config, argc, argv, &error) == PD_OK &&
        resolve(options, program, &error) == PD_OK) {
        pd_diag_set_level(options->log_level);
        return true;
    }
    fprintf(stderr, "perdure %s: %s\n`perdure %s --help` lists the options.\n",
            program_name(program), error.text, program_name(program));
    *exit_code = error.status == PD_INVALID ? 2 : 1;
    pd_program_options_deinit(options);
    return false;
}

void pd_program_options_deinit(pd_program_options_t *options)
{
    pd_mappings_deinit(&options->mappings);
    pd_config_free(options->config);
    options->config = NULL;
}

/* ---- texts ---- */

void pd_program_print_configuration_doc(FILE *out)
{
    static const char *const names[] = {"dev", "serve"}; /* by bit */

    fputs("# Configuration\n"
          "\n"
          "<!-- Printed by `perdure --print-configuration-doc` from the table in\n"
          "engine/program/option_table.c; a test compares. Change it there. -->\n"
          "\n"
          "Every option can be given in three ways; the first of these that names it wins:\n"
          "\n"
          "1. a flag: `--engine-threads 2` or `--engine-threads=2`; among flags the last one;\n"
          "2. an environment variable: `PERDURE_ENGINE_THREADS=2`. In names with dots a `.` is\n"
          "   written `_`, and a `_` is written twice: `PERDURE_KAFKA_BOOTSTRAP_SERVERS`,\n"
          "   `PERDURE_INGEST_ORDERS_WORKFLOW__ID`. Variables that name no option are reported,\n"
          "   and otherwise ignored;\n"
          "3. the file that `--config` or `PERDURE_CONFIG` names.\n"
          "\n"
          "The file has one `name = value` a line. The value is everything behind the `=`,\n"
          "without the blanks at both ends. A line that begins with `#` is a comment. `[kafka]`\n"
          "on a line of its own puts `kafka.` before the names that follow it. A name that is\n"
          "given twice, or that is no option, is an error, which tells file, line, option and\n"
          "what would be right. Secrets belong into the file or the environment: flags are seen\n"
          "by everybody on the machine. `perdure.conf.example` has every option of `serve`.\n"
          "\n"
          "Durations have a unit (`200ms`, `1s`, `5m`, `2h`, `7d`), sizes may have one (`64KiB`,\n"
          "`16MiB`, `1GiB`). The least for a node is\n"
          "\n"
          "    perdure serve --cluster NAME --node ID --listen HOST:PORT --data DIR \\\n"
          "        --kafka.bootstrap.servers LIST\n",
          out);
    pd_config_print_reference(&pdi_option_table, names, PD_ARRAY_COUNT(names), out);
}

void pd_program_print_configuration_example(FILE *out)
{
    fputs(
        "# perdure.conf: options of `perdure serve --config perdure.conf`. Everything here is\n"
        "# commented out and shows the default, if there is one. docs/configuration.md explains.\n"
        "# Printed by `perdure --print-configuration-example`.\n",
        out);
    pd_config_print_example(&pdi_option_table, PD_PROGRAM_SERVE, out);
}
