/* standalone_main.c -- runs a fuzz target without libFuzzer: the smoke run of the default tests.
 *
 *     fuzz_X [--runs N] [--seed S] [FILE...]     FILEs: inputs to repeat instead */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "tests/fuzz/fuzz.h"

enum { INPUT_SIZE_MAX = 1 << 20 };

static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = pd_memdup(data, size); /* of exactly this size, for the sanitizers */

    PD_ASSERT(LLVMFuzzerTestOneInput(copy, size) == 0);
    pd_free(copy);
}

static size_t mutate(pd_random_t *random, uint8_t *data, size_t size)
{
    for (uint64_t n = pd_random_below(random, 6); n > 0 && size > 0; n--) {
        size_t at = pd_random_below(random, size);

        switch (pd_random_below(random, 5)) {
        case 0:
            data[at] = (uint8_t)pd_random_u64(random);
            break;
        case 1:
            data[at] ^= (uint8_t)(1u << pd_random_below(random, 8));
            break;
        case 2: /* cut */
            size = at;
            break;
        case 3: /* remove a byte */
            memmove(data + at, data + at + 1, size - at - 1);
            size--;
            break;
        default: /* repeat a piece */
            if (size + (size - at) <= INPUT_SIZE_MAX && size - at < 256) {
                memcpy(data + size, data + at, size - at);
                size += size - at;
            }
            break;
        }
    }
    return size;
}

static int run_file(const char *path)
{
    static uint8_t input[INPUT_SIZE_MAX];
    FILE *in = fopen(path, "rb");
    size_t size;

    if (!in) {
        fprintf(stderr, "cannot read %s\n", path);
        return 1;
    }
    size = fread(input, 1, sizeof(input), in);
    fclose(in);
    run(input, size);
    return 0;
}

int main(int argc, char **argv)
{
    static uint8_t input[INPUT_SIZE_MAX];
    uint64_t runs = 20000;
    uint64_t seed = 1;
    pd_random_t random;
    int file_count = 0;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc)
            runs = strtoull(argv[++i], NULL, 0);
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 0);
        else if (run_file(argv[i]) == 0)
            file_count++;
        else
            return 1;
    }
    if (file_count > 0)
        return 0;
    printf("seed %" PRIu64 ", %" PRIu64 " runs\n", seed, runs);
    pd_random_init(&random, seed);
    run(NULL, 0);
    for (uint64_t n = 0; n < runs; n++) {
        size_t size = 0;

        if (n % 8 != 0)
            size = pd_fuzz_example(&random, input, INPUT_SIZE_MAX / 2);
        if (size == 0) {
            size = pd_random_below(&random, 64);
            for (size_t i = 0; i < size; i++)
                input[i] = (uint8_t)pd_random_u64(&random);
        }
        run(input, mutate(&random, input, size));
    }
    return 0;
}
