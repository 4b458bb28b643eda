#include "state/snapshot/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/memory.h"

enum { CHUNK_SIZE = 256 * 1024, DESCRIPTORS_MAX = 16, PATH_SIZE = 4096 };

static pd_status_t failed(const char *doing, const char *path, pd_error_t *error)
{
    int number = errno;

    return pd_error_set(error, number == ENOENT ? PD_NOT_FOUND : PD_IO, "%s %s: %s", doing, path,
                        strerror(number));
}

/* ---- reading ---- */

/* Calls `take` for every chunk. */
static pd_status_t each_chunk(const char *path,
                              pd_status_t (*take)(void *ctx, pd_bytes_t chunk, pd_error_t *error),
                              void *ctx, pd_error_t *error)
{
    uint8_t *chunk;
    pd_status_t status = PD_OK;
    ssize_t size;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return failed("cannot open", path, error);
    chunk = pd_alloc(CHUNK_SIZE);
    while (status == PD_OK && (size = read(fd, chunk, CHUNK_SIZE)) != 0) {
        if (size > 0)
            status = take(ctx, pd_bytes(chunk, (size_t)size), error);
        else if (errno != EINTR)
            status = failed("cannot read", path, error);
    }
    pd_free(chunk);
    close(fd);
    return status;
}

typedef struct hashing {
    EVP_MD_CTX *context;
    uint64_t size;
} hashing_t;

static pd_status_t hash_chunk(void *ctx, pd_bytes_t chunk, pd_error_t *error)
{
    hashing_t *hashing = ctx;

    hashing->size += chunk.size;
    PD_ASSERT(EVP_DigestUpdate(hashing->context, chunk.data, chunk.size) == 1);
    return PD_OK;
}

pd_status_t pdi_file_hash(const char *path, uint64_t *size, char sha256[PDI_SHA256_TEXT_SIZE],
                          pd_error_t *error)
{
    hashing_t hashing = {.context = EVP_MD_CTX_new()};
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_size = 0;
    pd_status_t status;

    PD_ASSERT(hashing.context && EVP_DigestInit_ex(hashing.context, EVP_sha256(), NULL) == 1);
    status = each_chunk(path, hash_chunk, &hashing, error);
    PD_ASSERT(EVP_DigestFinal_ex(hashing.context, digest, &digest_size) == 1);
    EVP_MD_CTX_free(hashing.context);
    PD_ASSERT(2 * digest_size + 1 == PDI_SHA256_TEXT_SIZE);
    for (unsigned i = 0; i < digest_size; i++)
        snprintf(sha256 + 2 * (size_t)i, 3, "%02x", digest[i]);
    *size = hashing.size;
    return status;
}

static pd_status_t append_chunk(void *ctx, pd_bytes_t chunk, pd_error_t *error)
{
    if (pd_buf_append(ctx, chunk.data, chunk.size) != PD_OK)
        return pd_error_set(error, PD_LIMIT, "the file is too large");
    return PD_OK;
}

pd_status_t pdi_file_read(const char *path, size_t size_max, pd_buf_t *out, pd_error_t *error)
{
    pd_buf_init(out, size_max);
    return each_chunk(path, append_chunk, out, error);
}

/* ---- writing ---- */

static pd_status_t write_all(int fd, const char *path, pd_bytes_t bytes, pd_error_t *error)
{
    while (bytes.size) {
        ssize_t size = write(fd, bytes.data, bytes.size);

        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0) {
            failed("cannot write", path, error);
            return PD_IO;
        }
        bytes.data += size;
        bytes.size -= (size_t)size;
    }
    return PD_OK;
}

typedef struct copying {
    int fd;
    const char *path;
} copying_t;

static pd_status_t copy_chunk(void *ctx, pd_bytes_t chunk, pd_error_t *error)
{
    copying_t *copying = ctx;

    return write_all(copying->fd, copying->path, chunk, error);
}

static pd_status_t open_new(const char *path, int *fd, pd_error_t *error)
{
    *fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (*fd < 0) {
        failed("cannot create", path, error);
        return PD_IO;
    }
    return PD_OK;
}

/* `status` is that of the writing before. */
static pd_status_t sync_and_close(int fd, const char *path, pd_status_t status, pd_error_t *error)
{
    if (status == PD_OK && fsync(fd) != 0) {
        failed("cannot sync", path, error);
        status = PD_IO;
    }
    if (close(fd) != 0 && status == PD_OK) {
        failed("cannot close", path, error);
        status = PD_IO;
    }
    return status;
}

pd_status_t pdi_file_link_or_copy(const char *from, const char *to, bool may_link,
                                  pd_error_t *error)
{
    copying_t copying = {.path = to};

    if (may_link && link(from, to) == 0)
        return PD_OK;
    PD_TRY(open_new(to, &copying.fd, error));
    return sync_and_close(copying.fd, to, each_chunk(from, copy_chunk, &copying, error), error);
}

pd_status_t pdi_file_write(const char *path, pd_bytes_t bytes, pd_error_t *error)
{
    int fd;

    PD_TRY(open_new(path, &fd, error));
    return sync_and_close(fd, path, write_all(fd, path, bytes, error), error);
}

pd_status_t pdi_path_sync(const char *path, pd_error_t *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        failed("cannot open", path, error);
        return PD_IO;
    }
    return sync_and_close(fd, path, PD_OK, error);
}

/* ---- directories ---- */

pd_status_t pdi_path_rename(const char *from, const char *to, pd_error_t *error)
{
    if (rename(from, to) == 0)
        return PD_OK;
    if (errno == EEXIST || errno == ENOTEMPTY)
        return pd_error_set(error, PD_EXISTS, "%s exists", to);
    failed("cannot rename", from, error);
    return PD_IO;
}

pd_status_t pdi_directory_make(const char *path, pd_error_t *error)
{
    char copy[PATH_SIZE];

    if ((size_t)snprintf(copy, sizeof(copy), "%s", path) >= sizeof(copy))
        return pd_error_set(error, PD_IO, "the path is too long: %s", path);
    for (char *at = copy + 1;; at++) {
        char was = *at;

        if (was != '/' && was != '\0')
            continue;
        *at = '\0';
        if (mkdir(copy, 0755) != 0 && errno != EEXIST) {
            failed("cannot make", copy, error);
            return PD_IO;
        }
        *at = was;
        if (was == '\0')
            return PD_OK;
    }
}

static int remove_one(const char *path, const struct stat *stat, int flag, struct FTW *walk)
{
    remove(path); /* what stays is found again at the next start */
    return 0;
}

void pdi_tree_remove(const char *path)
{
    nftw(path, remove_one, DESCRIPTORS_MAX, FTW_DEPTH | FTW_PHYS);
}

pd_status_t pdi_directory_each(const char *path,
                               pd_status_t (*each)(void *ctx, const char *name, pd_error_t *error),
                               void *ctx, pd_error_t *error)
{
    DIR *directory = opendir(path);
    pd_status_t status = PD_OK;
    struct dirent *entry;

    if (!directory)
        return failed("cannot open", path, error);
    while (status == PD_OK && (entry = readdir(directory))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            status = each(ctx, entry->d_name, error);
    }
    closedir(directory);
    return status;
}
