/* hash.h -- hashes that are the same on every machine and for ever: nodes agree by them.
 * Not for tables that an attacker may fill, nor for anything that must resist forgery. */
#ifndef PD_BASE_HASH_H
#define PD_BASE_HASH_H

#include <stdint.h>

/* FNV-1a, 64 bits, over the text and its terminator (so that "a","bc" and "ab","c" differ); `seed`
 * is 0 or the hash of what comes before. @thread any */
static inline uint64_t pd_hash_text(const char *text, uint64_t seed)
{
    uint64_t hash = seed ^ UINT64_C(14695981039346656037);

    do {
        hash = (hash ^ (uint8_t)*text) * UINT64_C(1099511628211);
    } while (*text++);
    return hash;
}

/* Spreads what FNV leaves similar: every bit of the input changes half of the output's (the
 * finalizer of MurmurHash3). @thread any */
static inline uint64_t pd_hash_mix(uint64_t hash)
{
    hash ^= hash >> 33;
    hash *= UINT64_C(0xff51afd7ed558ccd);
    hash ^= hash >> 33;
    hash *= UINT64_C(0xc4ceb9fe1a85ec53);
    return hash ^ (hash >> 33);
}

#endif
