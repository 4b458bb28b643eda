/* snapshot.c -- making, listing and removing snapshots. */
#include "state/snapshot/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/diag.h"
#include "base/memory.h"
#include "state/snapshot/manifest.h"
#include "state/snapshot/paths.h"
#include "state/store_private.h"

/* ---- making ---- */

typedef struct making {
    pdi_manifest_t manifest;
    pdi_path_t temporary, state;
} making_t;

static pd_status_t add_file(void *ctx, const char *name, pd_error_t *error)
{
    making_t *making = ctx;
    pdi_manifest_file_t file;
    pdi_path_t path;

    if ((size_t)snprintf(file.name, sizeof(file.name), "%s", name) >= sizeof(file.name) ||
        making->manifest.file_count == PD_SNAPSHOT_FILES_MAX)
        return pd_error_set(error, PD_IO, "RocksDB made a file that does not fit the manifest");
    pdi_path_join(making->state, name, path);
    PD_TRY(pdi_path_sync(path, error));
    PD_TRY(pdi_file_hash(path, &file.size, file.sha256, error));
    pdi_manifest_add_file(&making->manifest, &file);
    return PD_OK;
}

static pd_status_t checkpoint(making_t *making, const pd_snapshot_source_t *source,
                              pd_error_t *error)
{
    pd_status_t status = pdi_directory_make(making->temporary, error);

    pdi_path_join(making->temporary, "state", making->state);
    if (status == PD_OK)
        status = pdi_db_checkpoint(&source->store->db, making->state, error);
    if (source->let_go)
        source->let_go(source->ctx);
    return status;
}

/* Everything but the name. */
static pd_status_t fill(making_t *making, const pd_snapshot_place_t *place,
                        const pd_snapshot_source_t *source, pd_error_t *error)
{
    pdi_path_t scratch, path;

    PD_TRY(checkpoint(making, source, error));
    pdi_path_join(making->temporary, "scratch", scratch);
    PD_TRY(pdi_store_peek(making->state, scratch, place->partition, source->shared,
                          &making->manifest.position, error));
    pdi_tree_remove(scratch);
    if (making->manifest.position.applied_offset < 0)
        return pd_error_set(error, PD_NOT_FOUND, "nothing was ever committed");
    PD_TRY(pdi_directory_each(making->state, add_file, making, error));
    PD_TRY(pdi_path_sync(making->state, error));
    pdi_path_join(making->temporary, "MANIFEST", path);
    PD_TRY(pdi_manifest_write(&making->manifest, path, error));
    return pdi_path_sync(making->temporary, error);
}

static pd_status_t give_name(making_t *making, const pd_snapshot_place_t *place,
                             const pd_snapshot_entry_t *entry, pd_error_t *error)
{
    pdi_path_t final, parent;

    pdi_entry_path(place, entry, NULL, final);
    pdi_place_path(place, NULL, parent);
    PD_TRY(pdi_path_rename(making->temporary, final, error));
    return pdi_path_sync(parent, error);
}

static pd_status_t make(making_t *making, const pd_snapshot_place_t *place,
                        const pd_snapshot_source_t *source, pd_snapshot_entry_t *entry,
                        pd_error_t *error)
{
    pdi_manifest_t *manifest = &making->manifest;
    pd_status_t status;

    snprintf(manifest->cluster, sizeof(manifest->cluster), "%s", place->cluster);
    snprintf(manifest->node, sizeof(manifest->node), "%s", place->node);
    manifest->partition = place->partition;
    manifest->time_ns = source->now_ns;
    pdi_temporary_path(place, making->temporary);
    status = fill(making, place, source, error);
    *entry = (pd_snapshot_entry_t){manifest->position.epoch, manifest->position.applied_offset};
    if (status == PD_OK)
        status = give_name(making, place, entry, error);
    if (status != PD_OK)
        pdi_tree_remove(making->temporary);
    pdi_manifest_deinit(manifest);
    return status;
}

pd_status_t pd_snapshot_make(const pd_snapshot_place_t *place, const pd_snapshot_source_t *source,
                             pd_snapshot_entry_t *entry, pd_error_t *error)
{
    pd_status_t status = pdi_place_check(place, error);
    making_t *making;

    if (status != PD_OK) {
        if (source->let_go)
            source->let_go(source->ctx);
        return status;
    }
    making = PD_NEW(making_t);
    status = make(making, place, source, entry, error);
    pd_free(making);
    return status;
}

/* ---- listing ---- */

static pd_status_t add_entry(void *ctx, const char *name, pd_error_t *error)
{
    pd_snapshot_list_t *list = ctx;
    pd_snapshot_entry_t entry;

    if (!pdi_entry_parse(name, &entry))
        return PD_OK;
    list->entries = pd_realloc(list->entries, (list->count + 1) * sizeof(list->entries[0]));
    list->entries[list->count++] = entry;
    return PD_OK;
}

static int newest_first(const void *a, const void *b)
{
    const pd_snapshot_entry_t *of_a = a, *of_b = b;

    if (of_a->offset != of_b->offset)
        return of_a->offset < of_b->offset ? 1 : -1;
    return (of_a->epoch < of_b->epoch) - (of_a->epoch > of_b->epoch);
}

pd_status_t pd_snapshot_list(const pd_snapshot_place_t *place, pd_snapshot_list_t *list,
                             pd_error_t *error)
{
    pdi_path_t path;
    pd_status_t status;

    *list = (pd_snapshot_list_t){0};
    PD_TRY(pdi_place_check(place, error));
    pdi_place_path(place, NULL, path);
    status = pdi_directory_each(path, add_entry, list, error);
    if (status == PD_NOT_FOUND)
        return PD_OK;
    if (status != PD_OK)
        pd_snapshot_list_free(list);
    else if (list->count)
        qsort(list->entries, list->count, sizeof(list->entries[0]), newest_first);
    return status;
}

void pd_snapshot_list_free(pd_snapshot_list_t *list)
{
    pd_free(list->entries);
    *list = (pd_snapshot_list_t){0};
}

/* ---- removing ---- */

/* Of the right sizes; reading everything to prune is too much. */
static bool looks_right(const pd_snapshot_place_t *place, const pd_snapshot_entry_t *entry)
{
    pdi_manifest_t manifest;
    pdi_path_t path, state;
    struct stat stat_of;
    bool right;

    pdi_entry_path(place, entry, "MANIFEST", path);
    pdi_entry_path(place, entry, "state", state);
    right = pdi_manifest_read(&manifest, path, NULL) == PD_OK &&
            manifest.partition == place->partition &&
            strcmp(manifest.cluster, place->cluster) == 0 &&
            manifest.position.applied_offset == entry->offset;
    for (size_t i = 0; right && i < manifest.file_count; i++) {
        pdi_path_join(state, manifest.files[i].name, path);
        right = stat(path, &stat_of) == 0 && (uint64_t)stat_of.st_size == manifest.files[i].size;
    }
    pdi_manifest_deinit(&manifest);
    return right;
}

/* Loses its name first: half of a snapshot is none. */
static pd_status_t remove_entry(const pd_snapshot_place_t *place, const pd_snapshot_entry_t *entry,
                                pd_error_t *error)
{
    pdi_path_t path, temporary;

    pdi_entry_path(place, entry, NULL, path);
    pdi_temporary_path(place, temporary);
    PD_TRY(pdi_path_rename(path, temporary, error));
    pdi_tree_remove(temporary);
    return PD_OK;
}

pd_status_t pd_snapshot_prune(const pd_snapshot_place_t *place, size_t keep, pd_error_t *error)
{
    pd_snapshot_list_t list;
    pd_status_t status = pd_snapshot_list(place, &list, error);
    size_t kept = 0;

    for (size_t i = 0; status == PD_OK && i < list.count; i++) {
        if (kept >= (keep ? keep : 1))
            status = remove_entry(place, &list.entries[i], error);
        else
            kept += looks_right(place, &list.entries[i]);
    }
    pd_snapshot_list_free(&list);
    return status;
}

/* ---- cleaning ---- */

typedef struct cleaning {
    const pd_snapshot_place_t *place;
    pdi_path_t path;
} cleaning_t;

static pd_status_t clean_one(void *ctx, const char *name, pd_error_t *error)
{
    cleaning_t *cleaning = ctx;
    pdi_path_t path;

    if (!pdi_is_temporary(cleaning->place, name))
        return PD_OK;
    pdi_path_join(cleaning->path, name, path);
    PD_DIAG(PD_DIAG_INFO, "unfinished snapshot removed", "partition=%u path=\"%s\"",
            cleaning->place->partition, path);
    pdi_tree_remove(path);
    return PD_OK;
}

void pd_snapshot_clean(const pd_snapshot_place_t *place, const char *store_path)
{
    cleaning_t cleaning = {.place = place};
    pdi_path_t restoring;

    snprintf(restoring, sizeof(restoring), "%s.restoring", store_path);
    pdi_tree_remove(restoring);
    if (pdi_place_check(place, NULL) != PD_OK)
        return;
    pdi_place_path(place, NULL, cleaning.path);
    if (pdi_directory_each(cleaning.path, clean_one, &cleaning, NULL) != PD_OK)
        return; /* it does not exist yet, or making one will tell */
}
