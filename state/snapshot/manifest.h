/* manifest.h -- what a snapshot says of itself, as JSON.
 * Thread: any. Ownership: file names belong to the manifest until _deinit. Private to
 * state/snapshot. */
#ifndef PD_STATE_SNAPSHOT_MANIFEST_H
#define PD_STATE_SNAPSHOT_MANIFEST_H

#include "state/snapshot/files.h"
#include "state/store.h"

enum { PDI_CLUSTER_SIZE = 256, PDI_NODE_SIZE = 256, PDI_FILE_NAME_SIZE = 256 };

typedef struct pdi_manifest_file {
    char name[PDI_FILE_NAME_SIZE]; /* no directories */
    uint64_t size;
    char sha256[PDI_SHA256_TEXT_SIZE];
} pdi_manifest_file_t;

typedef struct pdi_manifest {
    char cluster[PDI_CLUSTER_SIZE];
    char node[PDI_NODE_SIZE]; /* that made it */
    uint32_t partition;
    pd_store_position_t position;
    int64_t time_ns;
    pdi_manifest_file_t *files;
    size_t file_count;
} pdi_manifest_t;

void pdi_manifest_deinit(pdi_manifest_t *manifest);
void pdi_manifest_add_file(pdi_manifest_t *manifest, const pdi_manifest_file_t *file);
pd_status_t pdi_manifest_write(const pdi_manifest_t *manifest, const char *path,
                               pd_error_t *error) PD_MUST_USE;
/* PD_CORRUPT: anything but a manifest of this format. PD_NOT_FOUND, PD_IO. Deinit it in any case.
 */
pd_status_t pdi_manifest_read(pdi_manifest_t *manifest, const char *path,
                              pd_error_t *error) PD_MUST_USE;

#endif
