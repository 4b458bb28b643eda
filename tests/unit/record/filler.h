/* filler.h -- random messages of any type, for tests. Thread: one at a time. Ownership: arena. */
#ifndef PD_TESTS_UNIT_RECORD_FILLER_H
#define PD_TESTS_UNIT_RECORD_FILLER_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/random.h"

typedef struct pd_filler {
    pd_random_t *random;
    pd_arena_t *arena;
    uint64_t present_chance; /* of 100: how often a sub-message, an optional, an item is there */
    int depth_max;
} pd_filler_t;

ProtobufCMessage *pd_filler_make(pd_filler_t *filler, const ProtobufCMessageDescriptor *type);

/* --seed N from the command line, else PD_SEED, else a fixed one; printed. */
uint64_t pd_filler_seed(int argc, char **argv);

#endif
