/* restore.c -- a snapshot becomes the state; nothing in it is believed. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "state/snapshot/manifest.h"
#include "state/snapshot/paths.h"
#include "state/snapshot/snapshot.h"

static pd_status_t read_manifest(const pd_snapshot_place_t *place, const pd_snapshot_entry_t *entry,
                                 pdi_manifest_t *manifest, pd_error_t *error)
{
    pdi_path_t path;
    pd_status_t status;

    memset(manifest, 0, sizeof(*manifest));
    PD_TRY(pdi_place_check(place, error));
    pdi_entry_path(place, entry, "MANIFEST", path);
    status = pdi_manifest_read(manifest, path, error);
    if (status == PD_NOT_FOUND)
        return pd_error_set(error, PD_CORRUPT, "%s is missing", path);
    PD_TRY(status);
    if (strcmp(manifest->cluster, place->cluster) != 0 || manifest->partition != place->partition)
        return pd_error_set(error, PD_INVALID, "%s is of cluster %s, partition %u", path,
                            manifest->cluster, manifest->partition);
    if (manifest->position.applied_offset != entry->offset ||
        manifest->position.epoch != entry->epoch)
        return pd_error_set(error, PD_CORRUPT, "%s is of another offset than its name says", path);
    return PD_OK;
}

/* RocksDB never changes such a file, and removing it elsewhere leaves the link. */
static bool is_immutable(const char *name)
{
    size_t size = strlen(name);

    return size > 4 && strcmp(name + size - 4, ".sst") == 0;
}

static pd_status_t take_file(const char *from, const char *to, const pdi_manifest_file_t *file,
                             pd_error_t *error)
{
    char sha256[PDI_SHA256_TEXT_SIZE];
    pdi_path_t source, target;
    pd_status_t status;
    uint64_t size;

    pdi_path_join(from, file->name, source);
    pdi_path_join(to, file->name, target);
    status = pdi_file_link_or_copy(source, target, is_immutable(file->name), error);
    if (status == PD_NOT_FOUND)
        return pd_error_set(error, PD_CORRUPT, "%s is missing", source);
    PD_TRY(status);
    PD_TRY(pdi_file_hash(target, &size, sha256, error));
    if (size != file->size)
        return pd_error_set(error, PD_CORRUPT, "%s has %" PRIu64 " bytes, not %" PRIu64, source,
                            size, file->size);
    if (strcmp(sha256, file->sha256) != 0)
        return pd_error_set(error, PD_CORRUPT, "%s was altered: its SHA-256 is not the manifest's",
                            source);
    return PD_OK;
}

static pd_status_t take_files(const pd_snapshot_place_t *place, const pd_snapshot_entry_t *entry,
                              const pdi_manifest_t *manifest, const char *to, pd_error_t *error)
{
    pdi_path_t from;

    pdi_entry_path(place, entry, "state", from);
    PD_TRY(pdi_directory_make(to, error));
    for (size_t i = 0; i < manifest->file_count; i++)
        PD_TRY(take_file(from, to, &manifest->files[i], error));
    return pdi_path_sync(to, error);
}

/* The store inside says the same as the manifest, whose own bytes nothing guards. */
static pd_status_t check_position(const char *path, const pdi_manifest_t *manifest,
                                  pd_store_shared_t *shared, pd_error_t *error)
{
    pd_store_position_t position;
    pdi_path_t scratch;
    pd_status_t status;

    pdi_path_join(path, "scratch", scratch);
    status = pdi_store_peek(path, scratch, manifest->partition, shared, &position, error);
    pdi_tree_remove(scratch);
    PD_TRY(status);
    if (position.applied_offset != manifest->position.applied_offset ||
        position.epoch != manifest->position.epoch ||
        position.commands_through != manifest->position.commands_through ||
        memcmp(position.running_hash, manifest->position.running_hash,
               sizeof(position.running_hash)) != 0)
        return pd_error_set(error, PD_CORRUPT,
                            "the state inside stands at offset %" PRId64
                            " or another hash, not where the manifest says",
                            position.applied_offset);
    return PD_OK;
}

static pd_status_t restore(const pd_snapshot_place_t *place, const pd_snapshot_entry_t *entry,
                           const pdi_manifest_t *manifest, const char *store_path,
                           pd_store_shared_t *shared, pd_error_t *error)
{
    pdi_path_t restoring, parent;
    pd_status_t status;
    char *slash;

    snprintf(restoring, sizeof(restoring), "%s.restoring", store_path);
    snprintf(parent, sizeof(parent), "%s", store_path);
    slash = strrchr(parent, '/');
    if (slash)
        *slash = '\0';
    pdi_tree_remove(restoring);
    status = take_files(place, entry, manifest, restoring, error);
    if (status == PD_OK)
        status = check_position(restoring, manifest, shared, error);
    if (status == PD_OK)
        status = pdi_path_rename(restoring, store_path, error);
    if (status == PD_OK)
        status = pdi_path_sync(slash ? parent : ".", error);
    if (status != PD_OK)
        pdi_tree_remove(restoring);
    return status;
}

pd_status_t pd_snapshot_restore(const pd_snapshot_place_t *place, const pd_snapshot_entry_t *entry,
                                const char *store_path, pd_store_shared_t *shared,
                                pd_error_t *error)
{
    pdi_manifest_t manifest;
    pd_status_t status = read_manifest(place, entry, &manifest, error);

    if (status == PD_OK)
        status = restore(place, entry, &manifest, store_path, shared, error);
    pdi_manifest_deinit(&manifest);
    return status;
}
