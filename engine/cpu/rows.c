/* Operations that treat each row by itself: layer norm, addition, picking rows of a table
 * and storing rows in a buffer. A few rows are quicker done than shared. */
#include "cpu/internal.h"

#include <string.h>

/* Rows of a task. */
#define TASK_ROWS 32

typedef struct row_job {
    cpu_backend *backend;
    const asr_tensor *t;
    cpu_matrix a, b, c, out;
    void (*row)(const struct row_job *job, int r);
} row_job;

static void row_task(void *context, int index, int thread)
{
    (void)thread;
    const row_job *job = context;
    int last = (index + 1) * TASK_ROWS;
    for (int r = index * TASK_ROWS; r < last && r < job->t->rows; r++)
        job->row(job, r);
}

static void run_rows(cpu_plan *plan, const asr_tensor *t,
                     void (*row)(const row_job *job, int r))
{
    cpu_backend *backend = plan->backend;
    row_job job = {
        .backend = backend,
        .t = t,
        .a = cpu_matrix_of(backend, t->src[0]),
        .b = cpu_matrix_of(backend, t->src[1]),
        .c = cpu_matrix_of(backend, t->src[2]),
        .out = cpu_matrix_of(backend, t),
        .row = row,
    };
    cpu_pool_run(backend->pool, (t->rows + TASK_ROWS - 1) / TASK_ROWS, row_task, &job);
}

static void layer_norm_row(const row_job *job, int r)
{
    job->backend->kernels->row->layer_norm(cpu_row(&job->a, r), job->t->cols, job->b.data,
                                           job->c.data, job->t->eps,
                                           cpu_row(&job->out, r));
}

void cpu_layer_norm_run(cpu_plan *plan, const asr_tensor *t)
{
    run_rows(plan, t, layer_norm_row);
}

static void add_row(const row_job *job, int r)
{
    job->backend->kernels->row->add(cpu_row(&job->a, r), cpu_row(&job->b, r),
                                    job->t->cols, cpu_row(&job->out, r));
}

void cpu_add_run(cpu_plan *plan, const asr_tensor *t)
{
    run_rows(plan, t, add_row);
}

static void rows_row(const row_job *job, int r)
{
    float *out = cpu_row(&job->out, r);
    int row = *cpu_row_i32(&job->b, r);
    if (row >= 0 && row < job->a.rows)
        cpu_weight_row(job->backend, job->a.buffer, row, out);
    else
        memset(out, 0, (size_t)job->t->cols * sizeof(*out));
}

void cpu_rows_run(cpu_plan *plan, const asr_tensor *t)
{
    run_rows(plan, t, rows_row);
}

static void store_row(const row_job *job, int r)
{
    const float *x = cpu_row(&job->a, r);
    int row = job->c.data ? *cpu_row_i32(&job->c, r) : r;
    if (row < 0 || row >= job->b.rows)
        return;
    if (job->b.dtype == ASR_F16)
        job->backend->kernels->row->to_f16(
            x, job->t->cols, (uint16_t *)job->b.data + (size_t)row * job->b.stride);
    else
        memmove(cpu_row(&job->b, row), x, (size_t)job->t->cols * sizeof(*x));
}

void cpu_store_run(cpu_plan *plan, const asr_tensor *t)
{
    run_rows(plan, t, store_row);
}
