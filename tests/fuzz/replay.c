/* Runs a fuzz target without a fuzzer: on each seed file, on every way to cut it short at
 * one of a few hundred places, and on a fixed number of reproducible mutations. Finds far
 * less than libFuzzer does, but needs nothing but a C compiler. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SIZE = 1 << 20, CUTS = 300, MUTATIONS = 3000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t random_next(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static size_t read_seed(const char *path, uint8_t *buffer)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        return 0;
    }
    size_t size = fread(buffer, 1, MAX_SIZE, file);
    fclose(file);
    return size;
}

/* The target gets a block of its own, so that a sanitizer sees one byte too many. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) {
        abort();
    }
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

/* One to four changes: a byte set, a bit flipped, a run copied elsewhere, the end cut. */
static size_t mutate(uint8_t *data, size_t size, uint32_t *state)
{
    for (uint32_t left = 1 + random_next(state) % 4; left > 0 && size > 0; left--) {
        size_t at = random_next(state) % size;
        size_t from = random_next(state) % size;
        size_t room = size - (at > from ? at : from);
        switch (random_next(state) % 4) {
        case 0:
            data[at] = (uint8_t)random_next(state);
            break;
        case 1:
            data[at] ^= (uint8_t)(1u << (random_next(state) % 8));
            break;
        case 2:
            memmove(data + at, data + from, room < 16 ? room : 16);
            break;
        default:
            size -= random_next(state) % 8 == 0 ? at : 0;
            break;
        }
    }
    return size;
}

static bool replay(const char *path, uint8_t *seed, uint8_t *scratch)
{
    size_t size = read_seed(path, seed);
    if (size == 0) {
        return false;
    }
    run(seed, size);
    for (size_t cut = 0; cut < CUTS; cut++) {
        run(seed, size * cut / CUTS);
    }
    uint32_t state = 2463534242u;
    for (int i = 0; i < MUTATIONS; i++) {
        memcpy(scratch, seed, size);
        run(scratch, mutate(scratch, size, &state));
    }
    return true;
}

int main(int argc, char **argv)
{
    uint8_t *seed = malloc(MAX_SIZE);
    uint8_t *scratch = malloc(MAX_SIZE);
    int failures = seed && scratch ? 0 : 1;
    for (int i = 1; i < argc && failures == 0; i++) {
        bool good = replay(argv[i], seed, scratch);
        printf("%sok %d - %s\n", good ? "" : "not ", i, strrchr(argv[i], '/') + 1);
        fflush(stdout);
        failures += !good;
    }
    printf("1..%d\n", argc - 1);
    free(seed);
    free(scratch);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
