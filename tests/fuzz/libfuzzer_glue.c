/* libfuzzer_glue.c -- begins from a fresh well-formed input now and then, so no corpus is needed.
 */
#include <string.h>

#include "tests/fuzz/fuzz.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    if (seed % 64 == 0) {
        pd_random_t random;
        size_t example_size;

        pd_random_init(&random, seed);
        example_size = pd_fuzz_example(&random, data, size_max);
        if (example_size > 0)
            return example_size;
    }
    return LLVMFuzzerMutate(data, size, size_max);
}
