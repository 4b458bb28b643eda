#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/program/metrics_port.h"
#include "engine/program/program.h"

static const char usage[] =
    "perdure: durable execution, compatible with Temporal's API\n"
    "\n"
    "  perdure dev [--data DIR] [--port N] [--ip ADDRESS]   a server with an embedded log\n"
    "  perdure serve --cluster NAME --node ID --listen HOST:PORT --data DIR\n"
    "                --kafka.bootstrap.servers LIST         a node on Kafka\n"
    "  perdure cluster status --cluster NAME …              nodes, partitions, owners, lag\n"
    "  perdure log dump [--data DIR | --cluster NAME …]     the log as JSON lines\n"
    "  perdure log verify                                   prove that it is whole and possible\n"
    "  perdure log rebuild --out DIR [--compare DIR]        the state that it means\n"
    "  perdure log at --workflow-id ID --time TIME          a workflow as it was then\n"
    "  perdure version\n"
    "\n"
    "`perdure dev --help` and so on tell more. perdure --print-configuration-doc,\n"
    "--print-configuration-example and --print-metrics-doc print docs/configuration.md,\n"
    "perdure.conf.example and docs/metrics.md.\n";

static const struct {
    const char *flag;
    void (*print)(FILE *out);
} texts[] = {
    {"--print-configuration-doc", pd_program_print_configuration_doc},
    {"--print-configuration-example", pd_program_print_configuration_example},
    {"--print-metrics-doc", pd_program_print_metrics_doc},
};

static const struct {
    const char *words[2];
    int (*run)(int argc, char **argv);
} subcommands[] = {
    {{"dev", NULL}, pd_program_dev},
    {{"serve", NULL}, pd_program_serve},
    {{"cluster", "status"}, pd_program_cluster_status},
    {{"log", "dump"}, pd_program_log_dump},
    {{"log", "verify"}, pd_program_log_verify},
    {{"log", "rebuild"}, pd_program_log_rebuild},
    {{"log", "at"}, pd_program_log_at},
};

const char *pd_program_default_data_path(void)
{
    static char path[4096];
    const char *base = getenv("XDG_DATA_HOME"), *home = getenv("HOME");

    if (base && base[0])
        snprintf(path, sizeof(path), "%s/perdure", base);
    else
        snprintf(path, sizeof(path), "%s/.local/share/perdure", home ? home : "/tmp");
    return path;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "version") == 0) {
        printf("perdure %s\n", PD_VERSION);
        return 0;
    }
    for (size_t i = 0; argc == 2 && i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strcmp(argv[1], texts[i].flag) == 0) {
            texts[i].print(stdout);
            return 0;
        }
    }
    for (size_t i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]); i++) {
        int words = subcommands[i].words[1] ? 2 : 1;

        if (argc > words && strcmp(argv[1], subcommands[i].words[0]) == 0 &&
            (words == 1 || strcmp(argv[2], subcommands[i].words[1]) == 0))
            return subcommands[i].run(argc - words, argv + words);
    }
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)) {
        fputs(usage, stdout);
        return 0;
    }
    fputs(usage, stderr);
    return 2;
}
