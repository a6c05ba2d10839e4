/* The random numbers of a check: splitmix64, restarted for each function so that one
 * function alone sees what it saw among all. */
#include "check.h"

#include <math.h>

uint32_t check_random(check_run *run)
{
    uint64_t z = run->state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (uint32_t)(z >> 32);
}

int check_random_int(check_run *run, int low, int high)
{
    uint64_t span = (uint64_t)((int64_t)high - low) + 1;
    return (int)(low + (int64_t)(check_random(run) * span >> 32));
}

/* Four uniform numbers added up: near enough, and quick. */
float check_random_normal(check_run *run)
{
    uint32_t a = check_random(run), b = check_random(run);
    uint32_t sum = (a & 0xFFFF) + (a >> 16) + (b & 0xFFFF) + (b >> 16);
    float deviation = 65536 / sqrtf(3);
    return ((float)sum - 131070) / deviation;
}

int check_random_size(check_run *run, int most)
{
    static const int sizes[] = {1,  2,  3,  4,  5,  7,  8,  15, 16,  17,  24,  31,
                                32, 33, 48, 63, 64, 65, 96, 97, 127, 128, 130, 257};
    int n = (int)(sizeof(sizes) / sizeof(sizes[0]));
    while (n > 1 && sizes[n - 1] > most)
        n--;
    return sizes[check_random_int(run, 0, n - 1)];
}
