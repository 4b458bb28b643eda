#include "state/snapshot/paths.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "state/snapshot/files.h"

enum { PATH_REST = 512 }; /* what comes behind the directory, and RocksDB's file names */

static bool is_file_name(const char *name)
{
    return name && name[0] && name[0] != '.' && !strchr(name, '/') && strlen(name) < 200;
}

pd_status_t pdi_place_check(const pd_snapshot_place_t *place, pd_error_t *error)
{
    if (!is_file_name(place->cluster) || !is_file_name(place->node))
        return pd_error_set(error, PD_INVALID,
                            "cluster \"%s\", node \"%s\": not names for directories",
                            place->cluster ? place->cluster : "", place->node ? place->node : "");
    if (strlen(place->directory) + PATH_REST > PD_SNAPSHOT_PATH_SIZE)
        return pd_error_set(error, PD_INVALID, "the snapshot directory's path is too long");
    return PD_OK;
}

void pdi_path_join(const char *path, const char *name, pdi_path_t out)
{
    snprintf(out, sizeof(pdi_path_t), "%s/%s", path, name);
}

void pdi_place_path(const pd_snapshot_place_t *place, const char *name, pdi_path_t path)
{
    snprintf(path, sizeof(pdi_path_t), "%s/%s/%u%s%s", place->directory, place->cluster,
             place->partition, name ? "/" : "", name ? name : "");
}

void pdi_entry_path(const pd_snapshot_place_t *place, const pd_snapshot_entry_t *entry,
                    const char *inside, pdi_path_t path)
{
    char name[PATH_REST];

    snprintf(name, sizeof(name), "%" PRId64 "-%" PRId64 "%s%s", entry->epoch, entry->offset,
             inside ? "/" : "", inside ? inside : "");
    pdi_place_path(place, name, path);
}

void pdi_temporary_path(const pd_snapshot_place_t *place, pdi_path_t path)
{
    static _Atomic(unsigned) counter;
    char name[PATH_REST];

    snprintf(name, sizeof(name), ".tmp-%s-%ld-%u", place->node, (long)getpid(),
             atomic_fetch_add(&counter, 1));
    pdi_place_path(place, name, path);
}

bool pdi_is_temporary(const pd_snapshot_place_t *place, const char *name)
{
    size_t size = strlen(place->node);

    /* Behind the node's name come two numbers, so that node "a" leaves those of "a-b" alone. */
    return strncmp(name, ".tmp-", 5) == 0 && strncmp(name + 5, place->node, size) == 0 &&
           name[5 + size] == '-' &&
           strspn(name + 6 + size, "0123456789-") == strlen(name + 6 + size);
}

static bool parse_number(const char **at, int64_t *number)
{
    const char *from = *at;

    *number = 0;
    for (; **at >= '0' && **at <= '9'; ++*at) {
        if (*number > (INT64_MAX - 9) / 10)
            return false;
        *number = *number * 10 + (**at - '0');
    }
    return *at != from;
}

bool pdi_entry_parse(const char *name, pd_snapshot_entry_t *entry)
{
    return parse_number(&name, &entry->epoch) && *name++ == '-' &&
           parse_number(&name, &entry->offset) && *name == '\0';
}

pd_status_t pdi_store_peek(const char *path, const char *scratch, uint32_t partition,
                           pd_store_shared_t *shared, pd_store_position_t *position,
                           pd_error_t *error)
{
    pd_store_options_t options = {
        .path = path,
        .shared = shared,
        .partition = partition,
        .read_only = true,
        .read_only_log_path = scratch,
    };
    pd_store_t *store;

    PD_TRY(pdi_directory_make(scratch, error));
    PD_TRY(pd_store_open(&options, &store, error));
    pd_store_position(store, position);
    pd_store_free(store);
    return PD_OK;
}
