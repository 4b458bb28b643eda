#include "base/random.h"

#include "base/assert.h"

static uint64_t rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

/* splitmix64 spreads a small seed over the whole state. */
void pd_random_init(pd_random_t *random, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        uint64_t z = (seed += 0x9e3779b97f4a7c15u);

        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        random->s[i] = z ^ (z >> 31);
    }
}

uint64_t pd_random_u64(pd_random_t *random)
{
    uint64_t *s = random->s;
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

uint64_t pd_random_below(pd_random_t *random, uint64_t bound)
{
    PD_ASSERT(bound > 0);
    return (uint64_t)(((unsigned __int128)pd_random_u64(random) * bound) >> 64);
}

bool pd_random_chance(pd_random_t *random, uint64_t numerator, uint64_t denominator)
{
    return pd_random_below(random, denominator) < numerator;
}

void pd_random_uuid(pd_random_t *random, int64_t time_ns, char uuid[PD_UUID_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    uint64_t high = ((uint64_t)(time_ns / 1000000) << 16) | 0x7000u | (pd_random_u64(random) >> 52);
    uint64_t low = (pd_random_u64(random) >> 2) | ((uint64_t)1 << 63);
    int at = 0;

    for (int nibble = 0; nibble < 32; nibble++) {
        uint64_t half = nibble < 16 ? high : low;

        if (nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20)
            uuid[at++] = '-';
        uuid[at++] = digits[(half >> (60 - 4 * (nibble % 16))) & 15];
    }
    uuid[at] = '\0';
    PD_ASSERT(at == PD_UUID_SIZE - 1);
}
