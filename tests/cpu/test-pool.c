/* The thread pool of the cpu backend: every task once, on every thread, asleep between
 * runs. */
#include "cpu/pool.h"
#include "test.h"

#include <stdatomic.h>
#include <sys/resource.h>
#include <time.h>

enum { THREADS = 4, MOST_TASKS = 300 };

typedef struct counts {
    _Atomic int tasks[MOST_TASKS];
    _Atomic int wrong_thread;
} counts;

static void count_task(void *context, int index, int thread)
{
    counts *c = context;
    atomic_fetch_add(&c->tasks[index], 1);
    if (thread < 0 || thread >= THREADS)
        atomic_fetch_add(&c->wrong_thread, 1);
}

/* Runs `n_jobs` jobs of `n_tasks` tasks and expects each task once a job. */
static void expect_all_done(cpu_pool *pool, int n_jobs, int n_tasks)
{
    counts c = {0};
    for (int i = 0; i < n_jobs; i++)
        cpu_pool_run(pool, n_tasks, count_task, &c);
    int wrong = 0;
    for (int i = 0; i < MOST_TASKS; i++)
        wrong += atomic_load(&c.tasks[i]) != (i < n_tasks ? n_jobs : 0);
    EXPECT_INT(wrong, 0);
    EXPECT_INT(atomic_load(&c.wrong_thread), 0);
}

TEST(every_task_is_done_once)
{
    asr_error error = {""};
    cpu_pool *pool = cpu_pool_create(THREADS, &error);
    REQUIRE(pool);
    static const int counts_of_tasks[] = {0, 1, 2, 3, 4, 5, 17, MOST_TASKS};
    for (size_t i = 0; i < sizeof(counts_of_tasks) / sizeof(counts_of_tasks[0]); i++)
        expect_all_done(pool, 3, counts_of_tasks[i]);
    cpu_pool_destroy(&pool);
    EXPECT(!pool);
}

TEST(many_tiny_jobs_follow_each_other)
{
    asr_error error = {""};
    cpu_pool *pool = cpu_pool_create(THREADS, &error);
    REQUIRE(pool);
    expect_all_done(pool, 20000, 2);
    expect_all_done(pool, 2000, 7);
    cpu_pool_destroy(&pool);
}

TEST(one_thread_needs_no_other)
{
    asr_error error = {""};
    cpu_pool *pool = cpu_pool_create(1, &error);
    REQUIRE(pool);
    expect_all_done(pool, 2, 17);
    cpu_pool_destroy(&pool);
}

TEST(idle_pools_come_and_go)
{
    asr_error error = {""};
    for (int i = 0; i < 100; i++) {
        cpu_pool *pool = cpu_pool_create(THREADS, &error);
        REQUIRE(pool);
        if (i % 2)
            expect_all_done(pool, 1, 5);
        cpu_pool_destroy(&pool);
    }
    cpu_pool_destroy(&(cpu_pool *){NULL});
}

static void pause_ms(int ms)
{
    struct timespec t = {0, ms * 1000000L};
    nanosleep(&t, NULL);
}

static double processor_ms(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

/* A thread that kept looking for work would use the whole pause. */
TEST(threads_sleep_between_runs)
{
    asr_error error = {""};
    cpu_pool *pool = cpu_pool_create(THREADS, &error);
    REQUIRE(pool);
    expect_all_done(pool, 10, 50);
    pause_ms(20);
    double before = processor_ms();
    pause_ms(400);
    EXPECT(processor_ms() - before < 100);
    expect_all_done(pool, 10, 50); /* and they wake again */
    cpu_pool_destroy(&pool);
}

int main(void)
{
    RUN(every_task_is_done_once);
    RUN(many_tiny_jobs_follow_each_other);
    RUN(one_thread_needs_no_other);
    RUN(idle_pools_come_and_go);
    RUN(threads_sleep_between_runs);
    return test_end();
}
