/* The processor's peak rates: loops in the widest vectors that it has, one thread on each
 * processor, the best of many short tries, of which some have the machine to themselves.
 */
#include "peak.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_THREADS 256
#define READ_BYTES (256u << 20)
#define READ_STEP (32u << 20) /* of a try: the next one reads on from there */
#define FMA_ROUNDS 2000000
#define CHAINS 12 /* enough to hide a multiply-add's latency on two ports */
#define MEASURE_SECONDS 1.0

typedef float vector4 __attribute__((vector_size(16)));
typedef float vector8 __attribute__((vector_size(32)));
typedef float vector16 __attribute__((vector_size(64)));
typedef uint64_t words __attribute__((vector_size(16)));

double peak_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Returns a sum, so that no compiler leaves the work out. The chains tend to 1000: a
 * value that ends as a denormal would be slow. */
#define DEFINE_MULTIPLY_ADD(name, target, vector)                                        \
    target static float name(void)                                                       \
    {                                                                                    \
        vector chain[CHAINS], factor = {0}, term = {0};                                  \
        factor += 0.999f;                                                                \
        term += 1.0f;                                                                    \
        for (int i = 0; i < CHAINS; i++)                                                 \
            chain[i] = term + (float)i;                                                  \
        for (int round = 0; round < FMA_ROUNDS; round++) {                               \
            _Pragma("GCC unroll 12") for (int i = 0; i < CHAINS; i++) chain[i] =         \
                chain[i] * factor + term;                                                \
        }                                                                                \
        for (int i = 1; i < CHAINS; i++)                                                 \
            chain[0] += chain[i];                                                        \
        return chain[0][0] + chain[0][1];                                                \
    }

#if defined(__x86_64__)
DEFINE_MULTIPLY_ADD(multiply_add_avx512, __attribute__((target("avx512f"))), vector16)
DEFINE_MULTIPLY_ADD(multiply_add_avx2, __attribute__((target("avx2,fma"))), vector8)
#endif
DEFINE_MULTIPLY_ADD(multiply_add_any, , vector4)

typedef struct kernel {
    float (*run)(void);
    int lanes;
} kernel;

static kernel best_kernel(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        return (kernel){multiply_add_avx512, 16};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return (kernel){multiply_add_avx2, 8};
#endif
    return (kernel){multiply_add_any, 4};
}

/* One thread's share; all start together. */
typedef struct worker {
    pthread_t thread;
    pthread_barrier_t *barrier;
    const words *data; /* NULL: multiply and add */
    size_t count;
    double seconds;
    float sum;
} worker;

static float read_all(const words *data, size_t count)
{
    words a = {0}, b = {0}, c = {0}, d = {0};
    for (size_t i = 0; i + 4 <= count; i += 4) {
        a ^= data[i];
        b ^= data[i + 1];
        c ^= data[i + 2];
        d ^= data[i + 3];
    }
    a ^= b ^ c ^ d;
    return (float)(a[0] ^ a[1]);
}

static void *work(void *argument)
{
    worker *w = argument;
    pthread_barrier_wait(w->barrier);
    double start = peak_clock();
    w->sum = w->data ? read_all(w->data, w->count) : best_kernel().run();
    w->seconds = peak_clock() - start;
    return NULL;
}

/* The slowest thread's seconds; 0 when threads cannot be had. */
static double time_workers(const words *data, size_t count, int n)
{
    static worker workers[MAX_THREADS];
    pthread_barrier_t barrier;
    double slowest = 0;
    volatile float sum = 0;
    if (pthread_barrier_init(&barrier, NULL, (unsigned)n) != 0)
        return 0;
    for (int i = 0; i < n; i++) {
        size_t share = count / (size_t)n;
        workers[i] = (worker){.barrier = &barrier,
                              .data = data ? data + (size_t)i * share : NULL,
                              .count = share};
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            exit(EXIT_FAILURE); /* the others wait at the barrier for ever */
    }
    for (int i = 0; i < n; i++) {
        pthread_join(workers[i].thread, NULL);
        slowest = workers[i].seconds > slowest ? workers[i].seconds : slowest;
        sum = sum + workers[i].sum;
    }
    pthread_barrier_destroy(&barrier);
    return slowest;
}

static int thread_count(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : (int)n;
}

/* The best of tries at `step` words each, going through `count` of them in turn. */
static double best_rate(const words *data, size_t count, size_t step, double amount)
{
    double best = 0, end = peak_clock() + MEASURE_SECONDS;
    for (size_t at = 0; peak_clock() < end; at = (at + step) % count) {
        double seconds = time_workers(data ? data + at : NULL, step, thread_count());
        if (seconds <= 0)
            return 0;
        if (amount / seconds > best)
            best = amount / seconds;
    }
    return best;
}

double peak_flops(void)
{
    double operations = 2.0 * CHAINS * FMA_ROUNDS * best_kernel().lanes;
    return best_rate(NULL, 1, 1, operations * thread_count());
}

double peak_bytes(void)
{
    words *data = aligned_alloc(sizeof(words), READ_BYTES);
    if (!data)
        return 0;
    memset(data, 1, READ_BYTES);
    double rate =
        best_rate(data, READ_BYTES / sizeof(words), READ_STEP / sizeof(words), READ_STEP);
    free(data);
    return rate;
}
