/* The thread pool: one atomic word says which job is on and how many of its tasks nobody
 * has taken; a thread takes one by counting down. So a thread that wakes late finds
 * either a task of the present job or nothing, and nobody waits for it. */
#include "cpu/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How long a thread looks for work, or the caller for the end of a job, before it
 * sleeps: longer than the single-threaded steps of a plan, shorter than a person or a
 * battery notices. */
#define SPIN_NS 40000

/* Looks between two readings of the clock. */
#define SPINS_PER_CLOCK 32

typedef struct worker {
    cpu_pool *pool;
    int thread;
    pthread_t id;
} worker;

struct cpu_pool {
    /* Job number in the upper half, tasks not yet taken in the lower. */
    _Atomic uint64_t job;
    _Atomic int tasks_left; /* of this job, not yet finished */
    int n_tasks;
    cpu_task task;
    void *context;

    pthread_mutex_t mutex; /* for sleeping only */
    pthread_cond_t wake, done;
    _Atomic int n_asleep;
    _Atomic bool caller_asleep, stop;

    int n_workers;
    worker workers[];
};

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Takes one task of the present job. Returns how many were left, 0 when none. */
static int take_task(cpu_pool *pool)
{
    uint64_t job = atomic_load(&pool->job);
    while ((uint32_t)job > 0)
        if (atomic_compare_exchange_weak(&pool->job, &job, job - 1))
            return (int)(uint32_t)job;
    return 0;
}

static void wake_caller(cpu_pool *pool)
{
    if (!atomic_load(&pool->caller_asleep))
        return;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_signal(&pool->done);
    pthread_mutex_unlock(&pool->mutex);
}

/* Does tasks until none is left. */
static void work(cpu_pool *pool, int thread)
{
    for (int left = take_task(pool); left > 0; left = take_task(pool)) {
        /* The job cannot end before this task has, so its fields stay. */
        pool->task(pool->context, pool->n_tasks - left, thread);
        if (atomic_fetch_sub(&pool->tasks_left, 1) == 1)
            wake_caller(pool);
    }
}

static bool has_task(cpu_pool *pool)
{
    return (uint32_t)atomic_load(&pool->job) > 0 || atomic_load(&pool->stop);
}

static bool is_done(cpu_pool *pool)
{
    return atomic_load(&pool->tasks_left) == 0;
}

/* Whether `condition` came true within SPIN_NS. */
static bool spin_until(cpu_pool *pool, bool (*condition)(cpu_pool *pool))
{
    int64_t end = now_ns() + SPIN_NS;
    do {
        for (int i = 0; i < SPINS_PER_CLOCK; i++) {
            if (condition(pool))
                return true;
            relax();
        }
    } while (now_ns() < end);
    return false;
}

/* The sleeper first says that it sleeps, then looks again; who makes a job first
 * publishes it, then looks for sleepers: one of them sees the other. */
static void sleep_until_task(cpu_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->n_asleep, 1);
    while (!has_task(pool))
        pthread_cond_wait(&pool->wake, &pool->mutex);
    atomic_fetch_sub(&pool->n_asleep, 1);
    pthread_mutex_unlock(&pool->mutex);
}

static void sleep_until_done(cpu_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->caller_asleep, true);
    while (!is_done(pool))
        pthread_cond_wait(&pool->done, &pool->mutex);
    atomic_store(&pool->caller_asleep, false);
    pthread_mutex_unlock(&pool->mutex);
}

static void wake_workers(cpu_pool *pool)
{
    if (atomic_load(&pool->n_asleep) == 0)
        return;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
}

static void *worker_main(void *argument)
{
    worker *self = argument;
    cpu_pool *pool = self->pool;
    while (!atomic_load(&pool->stop)) {
        work(pool, self->thread);
        if (!spin_until(pool, has_task))
            sleep_until_task(pool);
    }
    return NULL;
}

/* Starts a thread that takes no signals: those are the application's. */
static bool start_worker(cpu_pool *pool, int thread)
{
    worker *w = &pool->workers[pool->n_workers];
    *w = (worker){.pool = pool, .thread = thread};
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&w->id, NULL, worker_main, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed)
        return false;
    pool->n_workers++;
    return true;
}

cpu_pool *cpu_pool_create(int n_threads, asr_error *error)
{
    cpu_pool *pool =
        calloc(1, sizeof(*pool) + (size_t)n_threads * sizeof(pool->workers[0]));
    if (!pool) {
        asr_fail_memory(error);
        return NULL;
    }
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->done, NULL);
    for (int thread = 1; thread < n_threads; thread++)
        if (!start_worker(pool, thread)) {
            asr_fail(error,
                     "Could not start %d threads for computing; the limit on processes "
                     "may be too low (ulimit -u).",
                     n_threads - 1);
            cpu_pool_destroy(&pool);
            return NULL;
        }
    return pool;
}

void cpu_pool_destroy(cpu_pool **pool_pointer)
{
    cpu_pool *pool = *pool_pointer;
    *pool_pointer = NULL;
    if (!pool)
        return;
    atomic_store(&pool->stop, true);
    wake_workers(pool);
    for (int i = 0; i < pool->n_workers; i++)
        pthread_join(pool->workers[i].id, NULL);
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}

void cpu_pool_run(cpu_pool *pool, int n_tasks, cpu_task task, void *context)
{
    if (pool->n_workers == 0 || n_tasks == 1) {
        for (int i = 0; i < n_tasks; i++)
            task(context, i, 0);
        return;
    }
    pool->n_tasks = n_tasks;
    pool->task = task;
    pool->context = context;
    atomic_store(&pool->tasks_left, n_tasks);
    uint64_t number = (atomic_load(&pool->job) >> 32) + 1;
    atomic_store(&pool->job, number << 32 | (uint32_t)n_tasks);
    wake_workers(pool);
    work(pool, 0);
    if (!spin_until(pool, is_done))
        sleep_until_done(pool);
}
