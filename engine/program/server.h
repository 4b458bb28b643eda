/* server.h -- a running server, whatever its log: loops, stores, node, frontend, the gRPC port, and
 * its end by SIGTERM or SIGINT.
 *
 * Main's loop serves the sockets; engine loops own partitions and task queues.
 * Thread: main. Ownership: options, log and metrics are borrowed until pd_server_run returns. */
#ifndef PD_ENGINE_PROGRAM_SERVER_H
#define PD_ENGINE_PROGRAM_SERVER_H

#include "base/metrics.h"
#include "engine/program/options.h"
#include "log/log.h"

/* From now on SIGTERM and SIGINT are remembered instead of ending the process, so that a log may
 * take its time to open. Once. */
void pd_server_catch_signals(void);
/* Has one come since? ctx is not used. Fits `stopped` of logs that wait while they open. */
bool pd_server_is_signaled(void *ctx);

/* Makes the data directory and those above it, for the log and the stores. */
pd_status_t pd_server_make_directories(const pd_program_options_t *options,
                                       pd_error_t *error) PD_MUST_USE;

/* Serves until a signal comes. Returns the exit code; what went wrong is on stderr. All readers and
 * writers of the log are closed then. `metrics` are of the table pd_engine_metrics, and may have
 * cells of the log already; they are told no more when this returns, and can only be freed. */
int pd_server_run(const pd_program_options_t *options, pd_log_t *log, pd_metrics_t *metrics);

#endif
