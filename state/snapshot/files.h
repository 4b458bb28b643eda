/* files.h -- files and directories as snapshots need them: durable, checked, removed as a whole.
 * Thread: any that may block. Private to state/snapshot. */
#ifndef PD_STATE_SNAPSHOT_FILES_H
#define PD_STATE_SNAPSHOT_FILES_H

#include <stdint.h>

#include "base/buf.h"

enum { PDI_SHA256_TEXT_SIZE = 65 };

/* PD_NOT_FOUND, PD_IO. */
pd_status_t pdi_file_hash(const char *path, uint64_t *size, char sha256[PDI_SHA256_TEXT_SIZE],
                          pd_error_t *error) PD_MUST_USE;
/* A hard link where that can be, else a copy that is synced. */
pd_status_t pdi_file_link_or_copy(const char *from, const char *to, bool may_link,
                                  pd_error_t *error) PD_MUST_USE;
pd_status_t pdi_file_write(const char *path, pd_bytes_t bytes, pd_error_t *error) PD_MUST_USE;
/* PD_LIMIT when it is larger. */
pd_status_t pdi_file_read(const char *path, size_t size_max, pd_buf_t *out,
                          pd_error_t *error) PD_MUST_USE;
/* A file's, or a directory's entries, to the disk. */
pd_status_t pdi_path_sync(const char *path, pd_error_t *error) PD_MUST_USE;
pd_status_t pdi_path_rename(const char *from, const char *to, pd_error_t *error) PD_MUST_USE;
/* With its parents. */
pd_status_t pdi_directory_make(const char *path, pd_error_t *error) PD_MUST_USE;
/* Whatever is there, and below; nothing there is fine. */
void pdi_tree_remove(const char *path);
/* Each name but . and ..; PD_NOT_FOUND when there is no such directory. */
pd_status_t pdi_directory_each(const char *path,
                               pd_status_t (*each)(void *ctx, const char *name, pd_error_t *error),
                               void *ctx, pd_error_t *error) PD_MUST_USE;

#endif
