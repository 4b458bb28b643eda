/* hash.c -- the running hash. Making an OpenSSL context costs more than hashing a record, so each
 * thread keeps one. */
#include <openssl/evp.h>
#include <pthread.h>

#include "base/assert.h"
#include "log/record/record.h"

typedef struct hasher {
    EVP_MD_CTX *start; /* SHA-256 of nothing: copied, which is cheaper than beginning anew */
    EVP_MD_CTX *running;
} hasher_t;

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static _Thread_local hasher_t hasher;

static void free_hasher(void *ptr)
{
    hasher_t *mine = ptr;

    EVP_MD_CTX_free(mine->start);
    EVP_MD_CTX_free(mine->running);
    mine->start = mine->running = NULL;
}

static void make_key(void)
{
    PD_ASSERT(pthread_key_create(&key, free_hasher) == 0);
}

static void make_hasher(void)
{
    PD_ASSERT(pthread_once(&key_once, make_key) == 0);
    hasher.start = EVP_MD_CTX_new();
    hasher.running = EVP_MD_CTX_new();
    PD_ASSERT(hasher.start && hasher.running);
    PD_ASSERT(EVP_DigestInit_ex(hasher.start, EVP_sha256(), NULL) == 1);
    PD_ASSERT(pthread_setspecific(key, &hasher) == 0);
}

void pd_record_hash(const uint8_t prev[PD_RECORD_HASH_SIZE], pd_bytes_t record,
                    uint8_t out[PD_RECORD_HASH_SIZE])
{
    unsigned size = 0;

    if (!hasher.start)
        make_hasher();
    PD_ASSERT(EVP_MD_CTX_copy_ex(hasher.running, hasher.start) == 1);
    PD_ASSERT(EVP_DigestUpdate(hasher.running, prev, PD_RECORD_HASH_SIZE) == 1);
    PD_ASSERT(EVP_DigestUpdate(hasher.running, record.data, record.size) == 1);
    PD_ASSERT(EVP_DigestFinal_ex(hasher.running, out, &size) == 1);
    PD_ASSERT(size == PD_RECORD_HASH_SIZE);
}
