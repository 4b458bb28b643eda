/* paths.h -- where the parts of a snapshot lie.
 * Thread: any. Ownership: paths are the caller's arrays. Private to state/snapshot. */
#ifndef PD_STATE_SNAPSHOT_PATHS_H
#define PD_STATE_SNAPSHOT_PATHS_H

#include "state/snapshot/snapshot.h"

typedef char pdi_path_t[PD_SNAPSHOT_PATH_SIZE];

/* PD_INVALID: a name of cluster or node that cannot be a file's, or a path that is too long. */
pd_status_t pdi_place_check(const pd_snapshot_place_t *place, pd_error_t *error) PD_MUST_USE;
/* <directory>/<cluster>/<partition>[/<name>] */
void pdi_place_path(const pd_snapshot_place_t *place, const char *name, pdi_path_t path);
/* …/<epoch>-<offset>[/<inside>] */
void pdi_entry_path(const pd_snapshot_place_t *place, const pd_snapshot_entry_t *entry,
                    const char *inside, pdi_path_t path);
/* A name for something unfinished, which nobody else has. */
void pdi_temporary_path(const pd_snapshot_place_t *place, pdi_path_t path);
bool pdi_is_temporary(const pd_snapshot_place_t *place, const char *name);
/* Like <path>/<name>; cut when too long, which place_check excludes. */
void pdi_path_join(const char *path, const char *name, pdi_path_t out);
/* "<epoch>-<offset>" */
bool pdi_entry_parse(const char *name, pd_snapshot_entry_t *entry);

/* The meta row of the store in `path`, opened read-only. PD_CORRUPT, PD_IO. */
pd_status_t pdi_store_peek(const char *path, const char *scratch, uint32_t partition,
                           pd_store_shared_t *shared, pd_store_position_t *position,
                           pd_error_t *error) PD_MUST_USE;

#endif
