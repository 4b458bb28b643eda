/* aside.c -- states that cannot be used are kept for whoever wants to know why; not without bound,
 * since what damages them may do so again and again. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "state/snapshot/files.h"
#include "state/snapshot/paths.h"

enum { KEEP_COUNT = 2 };

/* The newest ones of a state, oldest first; what drops out is removed. */
typedef struct asides {
    pdi_path_t parent;
    const char *prefix; /* "<name of the state>.aside-" */
    int64_t times[KEEP_COUNT + 1];
    size_t count;
} asides_t;

static void remove_one(const asides_t *asides, int64_t time)
{
    char name[PD_SNAPSHOT_PATH_SIZE];
    pdi_path_t path;

    snprintf(name, sizeof(name), "%s%" PRId64, asides->prefix, time);
    pdi_path_join(asides->parent, name, path);
    PD_DIAG(PD_DIAG_INFO, "old state set aside is removed", "path=\"%s\"", path);
    pdi_tree_remove(path);
}

static pd_status_t look_at(void *ctx, const char *name, pd_error_t *error)
{
    asides_t *asides = ctx;
    size_t size = strlen(asides->prefix), at;
    int64_t time;
    char *end;

    if (strncmp(name, asides->prefix, size) != 0)
        return PD_OK;
    time = strtoll(name + size, &end, 10);
    if (end == name + size || *end)
        return PD_OK;
    for (at = asides->count++; at > 0 && asides->times[at - 1] > time; at--)
        asides->times[at] = asides->times[at - 1];
    asides->times[at] = time;
    if (asides->count <= KEEP_COUNT)
        return PD_OK;
    remove_one(asides, asides->times[0]);
    asides->count--;
    memmove(asides->times, asides->times + 1, asides->count * sizeof(asides->times[0]));
    return PD_OK;
}

pd_status_t pd_snapshot_set_aside(const char *store_path, int64_t now_ns, pd_error_t *error)
{
    const char *slash = strrchr(store_path, '/');
    const char *name = slash ? slash + 1 : store_path;
    char prefix[PD_SNAPSHOT_PATH_SIZE];
    asides_t asides = {.prefix = prefix};
    pdi_path_t aside;

    snprintf(aside, sizeof(aside), "%s.aside-%" PRId64, store_path, now_ns / 1000000);
    PD_TRY(pdi_path_rename(store_path, aside, error));
    snprintf(prefix, sizeof(prefix), "%s.aside-", name);
    snprintf(asides.parent, sizeof(asides.parent), "%.*s", slash ? (int)(slash - store_path) : 1,
             slash ? store_path : ".");
    return pdi_directory_each(asides.parent, look_at, &asides, error);
}
