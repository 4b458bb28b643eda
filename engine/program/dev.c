/* `perdure dev`: a whole server in one process. The embedded log commits on a thread of its own. */
#include <stdio.h>

#include "engine/metrics.h"
#include "engine/program/program.h"
#include "engine/program/server.h"
#include "log/embedded/embedded.h"

pd_status_t pd_program_open_embedded(const pd_program_options_t *options, pd_log_t **log,
                                     pd_error_t *error)
{
    char path[4096];
    uint32_t count = options->partition_count;
    pd_log_embedded_options_t log_options = {
        .directory = path,
        .partition_counts = {[PD_LOG_EVENTS] = count,
                             [PD_LOG_COMMANDS] = count,
                             [PD_LOG_MEMBERS] = 1,
                             [PD_LOG_REJECTED] = count},
    };

    PD_TRY(pd_server_make_directories(options, error));
    snprintf(path, sizeof(path), "%s/log", options->data_path);
    return pd_log_embedded_open(&log_options, log, error);
}

int pd_program_dev(int argc, char **argv)
{
    pd_program_options_t options;
    pd_log_t *log = NULL;
    pd_error_t error;
    int exit_code;

    if (!pd_program_options_init(&options, PD_PROGRAM_DEV, argc, argv, &exit_code))
        return exit_code;
    pd_server_catch_signals();
    if (pd_program_open_embedded(&options, &log, &error) == PD_OK) {
        pd_metrics_t *metrics = pd_metrics_new(pd_engine_metrics, PD_METRIC_ENGINE_COUNT);

        exit_code = pd_server_run(&options, log, metrics);
        pd_metrics_free(metrics);
        pd_log_close(log);
    } else {
        fprintf(stderr, "perdure: %s\n", error.text);
        exit_code = 1;
    }
    pd_program_options_deinit(&options);
    return exit_code;
}
