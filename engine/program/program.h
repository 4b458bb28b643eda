/* program.h -- the `perdure` program: its subcommands. The only folder that names every backend.
 * Thread: main. */
#ifndef PD_ENGINE_PROGRAM_PROGRAM_H
#define PD_ENGINE_PROGRAM_PROGRAM_H

#include "engine/program/options.h"
#include "log/log.h"

/* Exit codes: 0 done, 1 failed (the reason is on stderr), 2 wrong usage. argv[0] is the last word
 * of the subcommand. */
int pd_program_dev(int argc, char **argv);
int pd_program_serve(int argc, char **argv);
int pd_program_cluster_status(int argc, char **argv);
int pd_program_log_dump(int argc, char **argv);
int pd_program_log_verify(int argc, char **argv);
int pd_program_log_rebuild(int argc, char **argv);
int pd_program_log_at(int argc, char **argv);

/* $XDG_DATA_HOME/perdure or ~/.local/share/perdure, made when missing; static storage. */
const char *pd_program_default_data_path(void);

/* The embedded log below the data directory, which is made when missing. */
pd_status_t pd_program_open_embedded(const pd_program_options_t *options, pd_log_t **log,
                                     pd_error_t *error) PD_MUST_USE;

#define PD_PROGRAM_PARTITION_COUNT 4 /* of `perdure dev` */

#endif
