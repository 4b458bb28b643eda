#include "state/snapshot/manifest.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "state/snapshot/snapshot.h"

enum { FORMAT = 1, HASH_SIZE = 32 };

void pdi_manifest_deinit(pdi_manifest_t *manifest)
{
    pd_free(manifest->files);
    manifest->files = NULL;
    manifest->file_count = 0;
}

void pdi_manifest_add_file(pdi_manifest_t *manifest, const pdi_manifest_file_t *file)
{
    manifest->files =
        pd_realloc(manifest->files, (manifest->file_count + 1) * sizeof(manifest->files[0]));
    manifest->files[manifest->file_count++] = *file;
}

/* ---- writing ---- */

static void hex(const uint8_t bytes[HASH_SIZE], char text[2 * HASH_SIZE + 1])
{
    for (int i = 0; i < HASH_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

pd_status_t pdi_manifest_write(const pdi_manifest_t *manifest, const char *path, pd_error_t *error)
{
    const pd_store_position_t *position = &manifest->position;
    char hash[2 * HASH_SIZE + 1];
    json_t *files = json_array(), *root;
    pd_status_t status;
    char *text;

    hex(position->running_hash, hash);
    for (size_t i = 0; i < manifest->file_count; i++)
        json_array_append_new(files, json_pack("{s:s,s:I,s:s}", "name", manifest->files[i].name,
                                               "size", (json_int_t)manifest->files[i].size,
                                               "sha256", manifest->files[i].sha256));
    root =
        json_pack("{s:i,s:s,s:I,s:I,s:I,s:s,s:I,s:s,s:I,s:o}", "perdureSnapshot", FORMAT, "cluster",
                  manifest->cluster, "partition", (json_int_t)manifest->partition, "appliedOffset",
                  (json_int_t)position->applied_offset, "epoch", (json_int_t)position->epoch,
                  "runningHash", hash, "commandsThrough", (json_int_t)position->commands_through,
                  "node", manifest->node, "timeNs", (json_int_t)manifest->time_ns, "files", files);
    if (!root)
        return pd_error_set(error, PD_INVALID, "the names of cluster and node must be UTF-8");
    text = json_dumps(root, JSON_INDENT(1));
    PD_ASSERT(text);
    status = pdi_file_write(path, pd_bytes_str(text), error);
    json_decref(root);
    pd_free(text);
    return status;
}

/* ---- reading ---- */

static bool unhex(const char *text, uint8_t bytes[HASH_SIZE])
{
    static const char digits[] = "0123456789abcdef";

    if (strlen(text) != 2 * HASH_SIZE)
        return false;
    for (int i = 0; i < 2 * HASH_SIZE; i++) {
        const char *digit = strchr(digits, text[i]);

        if (!digit)
            return false;
        bytes[i / 2] = (uint8_t)(bytes[i / 2] << 4 | (digit - digits));
    }
    return true;
}

static bool copy_text(char *out, size_t size, const char *text)
{
    return (size_t)snprintf(out, size, "%s", text) < size;
}

static bool read_file(json_t *json, pdi_manifest_file_t *file)
{
    const char *name, *sha256;
    json_int_t size;

    if (json_unpack(json, "{s:s,s:I,s:s}", "name", &name, "size", &size, "sha256", &sha256) != 0)
        return false;
    file->size = (uint64_t)size;
    return size >= 0 && !strchr(name, '/') && name[0] != '.' && name[0] != '\0' &&
           copy_text(file->name, sizeof(file->name), name) &&
           copy_text(file->sha256, sizeof(file->sha256), sha256);
}

static bool read_files(json_t *files, pdi_manifest_t *manifest)
{
    size_t count = json_array_size(files);

    if (count == 0 || count > PD_SNAPSHOT_FILES_MAX)
        return false;
    manifest->files = pd_calloc(count, sizeof(manifest->files[0]));
    for (; manifest->file_count < count; manifest->file_count++) {
        if (!read_file(json_array_get(files, manifest->file_count),
                       &manifest->files[manifest->file_count]))
            return false;
    }
    return true;
}

static bool read_root(json_t *root, pdi_manifest_t *manifest)
{
    json_int_t format, partition, applied, epoch, commands_through, time_ns;
    const char *cluster, *node, *hash;
    json_t *files;

    if (json_unpack(root, "{s:I,s:s,s:I,s:I,s:I,s:s,s:I,s:s,s:I,s:o}", "perdureSnapshot", &format,
                    "cluster", &cluster, "partition", &partition, "appliedOffset", &applied,
                    "epoch", &epoch, "runningHash", &hash, "commandsThrough", &commands_through,
                    "node", &node, "timeNs", &time_ns, "files", &files) != 0)
        return false;
    manifest->partition = (uint32_t)partition;
    manifest->position.applied_offset = applied;
    manifest->position.epoch = epoch;
    manifest->position.commands_through = commands_through;
    manifest->time_ns = time_ns;
    return format == FORMAT && partition >= 0 && partition <= UINT32_MAX && applied >= 0 &&
           epoch >= 0 && epoch <= applied && commands_through >= -1 &&
           unhex(hash, manifest->position.running_hash) &&
           copy_text(manifest->cluster, sizeof(manifest->cluster), cluster) &&
           copy_text(manifest->node, sizeof(manifest->node), node) && read_files(files, manifest);
}

pd_status_t pdi_manifest_read(pdi_manifest_t *manifest, const char *path, pd_error_t *error)
{
    json_error_t json_error;
    pd_status_t status;
    json_t *root = NULL;
    pd_buf_t text;

    memset(manifest, 0, sizeof(*manifest));
    status = pdi_file_read(path, PD_SNAPSHOT_MANIFEST_SIZE_MAX, &text, error);
    if (status == PD_OK) {
        root = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &json_error);
        if (!root)
            status = pd_error_set(error, PD_CORRUPT, "%s, line %d: %s", path, json_error.line,
                                  json_error.text);
        else if (!read_root(root, manifest))
            status =
                pd_error_set(error, PD_CORRUPT, "%s is not a manifest of format %d", path, FORMAT);
    } else if (status == PD_LIMIT) {
        status = pd_error_set(error, PD_CORRUPT, "%s is too large", path);
    }
    json_decref(root);
    pd_buf_deinit(&text);
    return status;
}
