/* fuzz.h -- what a fuzz target defines. One .c file per target, see README.md.
 * Thread: one. Ownership: inputs are borrowed for the call. */
#ifndef PD_TESTS_FUZZ_FUZZ_H
#define PD_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "base/random.h"

/* libFuzzer's entry point: feeds any bytes; aborts when something does not hold. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes a well-formed input, for mutations to begin from. 0: this target has none. */
size_t pd_fuzz_example(pd_random_t *random, uint8_t *out, size_t size_max);

#endif
