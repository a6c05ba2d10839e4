/* Threads that share the tasks of one job at a time.
 *
 * Jobs of a plan follow each other within microseconds, so a thread without work looks
 * for the next job for a moment and then sleeps: while no plan runs the pool uses no
 * processor time. */
#ifndef CPU_POOL_H
#define CPU_POOL_H

#include "error.h"

typedef struct cpu_pool cpu_pool;

/* Does task `index` of a job on thread `thread` (0: the caller's) of the pool. */
typedef void (*cpu_task)(void *context, int index, int thread);

/* Starts n_threads − 1 threads. NULL with a message on failure. */
cpu_pool *cpu_pool_create(int n_threads, asr_error *error);
/* Ends and joins the threads. */
void cpu_pool_destroy(cpu_pool **pool);

/* Runs tasks 0 … n_tasks − 1 on all threads, the caller's among them, and returns when
 * all are done. Only one thread may call it, and not from within a task. */
void cpu_pool_run(cpu_pool *pool, int n_tasks, cpu_task task, void *context);

#endif
