/* ATTENTION with few rows of q, ATTENTION_CACHED and ATTENTION_WEIGHTS: keys and values
 * are read where they lie. A decoding step is bound by reading them, so one pass serves
 * all rows of q that see the same keys, and neighbouring heads, whose columns share the
 * pages of memory, go to one thread. */
#include "cpu/internal.h"

#include <string.h>

/* Keys that all heads of a task pass over before the next ones. */
#define KEY_BLOCK 64

/* Tasks for each thread: more than one, so that a thread that starts late does less. */
#define TASKS_PER_THREAD 2

/* Rows of q that ATTENTION_WEIGHTS does in a task. */
#define WEIGHT_ROWS 6

typedef struct few_job {
    cpu_backend *backend;
    const asr_tensor *t;
    cpu_matrix q, k, v, out;
    cpu_matrix table, length; /* absent: every row of q sees all keys */
    int32_t *indices;         /* [rows, table.cols]: the table, clamped */
    int rows_per_task, heads_per_task, n_head_tasks;
    int most_keys;
} few_job;

static few_job make_job(const cpu_plan *plan, const asr_tensor *t)
{
    cpu_backend *backend = plan->backend;
    few_job job = {
        .backend = backend,
        .t = t,
        .q = cpu_matrix_of(backend, t->src[0]),
        .k = cpu_matrix_of(backend, t->src[1]),
        .v = cpu_matrix_of(backend, t->src[2]),
        .out = cpu_matrix_of(backend, t),
        .table = cpu_matrix_of(backend, t->src[3]),
        .length = cpu_matrix_of(backend, t->src[4]),
    };
    job.indices = (int32_t *)backend->shared.data;
    bool cached = t->op == ASR_OP_ATTENTION_CACHED;
    job.most_keys = cached ? job.table.cols : job.k.rows;
    job.rows_per_task = cached ? 1 : t->rows;
    int tasks = backend->n_threads * TASKS_PER_THREAD;
    job.heads_per_task = (t->n_heads + tasks - 1) / tasks;
    job.n_head_tasks = (t->n_heads + job.heads_per_task - 1) / job.heads_per_task;
    return job;
}

bool cpu_attention_few_prepare(cpu_plan *plan, const asr_tensor *t, asr_error *error)
{
    few_job job = make_job(plan, t);
    size_t indices = (size_t)t->rows * (size_t)job.table.cols * sizeof(int32_t);
    size_t scores = (size_t)(job.rows_per_task * job.heads_per_task) *
                    (size_t)job.most_keys * sizeof(float);
    return cpu_backend_reserve(plan->backend, indices, scores, error);
}

/* Part [first, first + count) of a head's keys or values. */
static cpu_key_rows part_of(const few_job *job, const cpu_matrix *m, int head,
                            const int32_t *index, int first, int count)
{
    int kv_head = head / (job->t->n_heads / job->t->n_kv_heads);
    cpu_key_rows rows = cpu_head_rows(m, job->t, kv_head);
    size_t size = rows.is_f16 ? sizeof(uint16_t) : sizeof(float);
    if (index)
        rows.index = index + first;
    else
        rows.data = (const char *)rows.data + (size_t)first * rows.row_stride * size;
    rows.count = count;
    return rows;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* Heads [head, last) for `rows` rows of q from `row`, which see the same keys. */
static void attend(const few_job *job, int row, int rows, int head, int last,
                   const int32_t *index, int n_keys, float *scores)
{
    const cpu_attention_kernels *kernels = job->backend->kernels->attention;
    const asr_tensor *t = job->t;
    int dim = t->cols / t->n_heads;
    size_t keys = (size_t)job->most_keys, head_scores = (size_t)rows * keys;
    for (int first = 0; first < n_keys; first += KEY_BLOCK) {
        int count = smaller(KEY_BLOCK, n_keys - first);
        for (int h = head; h < last; h++) {
            cpu_key_rows part = part_of(job, &job->k, h, index, first, count);
            kernels->dot_keys(&part, cpu_row(&job->q, row) + h * dim, job->q.stride, rows,
                              t->scale, scores + (size_t)(h - head) * head_scores + first,
                              keys);
        }
    }
    for (int h = head; h < last; h++)
        for (int r = 0; r < rows; r++) {
            float *x = scores + (size_t)(h - head) * head_scores + (size_t)r * keys;
            float sum = n_keys > 0 ? kernels->softmax(x, n_keys) : 1;
            kernels->scale(x, n_keys, 1 / sum, x);
            memset(cpu_row(&job->out, row + r) + h * dim, 0, (size_t)dim * sizeof(float));
        }
    for (int first = 0; first < n_keys; first += KEY_BLOCK) {
        int count = smaller(KEY_BLOCK, n_keys - first);
        for (int h = head; h < last; h++) {
            cpu_key_rows part = part_of(job, &job->v, h, index, first, count);
            kernels->mix_values(&part, scores + (size_t)(h - head) * head_scores + first,
                                keys, rows, cpu_row(&job->out, row) + h * dim,
                                job->out.stride);
        }
    }
}

static void few_task(void *context, int index, int thread)
{
    const few_job *job = context;
    int row = index / job->n_head_tasks * job->rows_per_task;
    int head = index % job->n_head_tasks * job->heads_per_task;
    int last = smaller(head + job->heads_per_task, job->t->n_heads);
    float *scores = (float *)job->backend->local[thread].data;
    const int32_t *indices = NULL;
    int n_keys = job->k.rows;
    if (job->table.data) {
        indices = job->indices + (size_t)row * (size_t)job->table.cols;
        n_keys = *cpu_row_i32(&job->length, row);
        n_keys = n_keys < 0 ? 0 : smaller(n_keys, job->table.cols);
    }
    attend(job, row, job->rows_per_task, head, last, indices, n_keys, scores);
}

/* The table's rows with every entry inside the caches. */
static void clamp_table(const few_job *job)
{
    int n = job->table.cols, most = job->k.rows - 1;
    for (int r = 0; r < job->table.rows; r++) {
        const int32_t *in = cpu_row_i32(&job->table, r);
        int32_t *out = job->indices + (size_t)r * (size_t)n;
        for (int i = 0; i < n; i++)
            out[i] = in[i] < 0 ? 0 : smaller(in[i], most);
    }
}

void cpu_attention_few_run(cpu_plan *plan, const asr_tensor *t)
{
    few_job job = make_job(plan, t);
    if (job.table.data)
        clamp_table(&job);
    cpu_pool_run(plan->backend->pool, t->rows / job.rows_per_task * job.n_head_tasks,
                 few_task, &job);
}

bool cpu_attention_weights_prepare(cpu_plan *plan, const asr_tensor *t, asr_error *error)
{
    (void)plan, (void)t, (void)error;
    return true;
}

/* A block of rows of q for one of the chosen heads; scores are made in the result. */
static void weights_task(void *context, int index, int thread)
{
    (void)thread;
    const few_job *job = context;
    const cpu_attention_kernels *kernels = job->backend->kernels->attention;
    const asr_tensor *t = job->t;
    int n_blocks = (job->q.rows + WEIGHT_ROWS - 1) / WEIGHT_ROWS;
    int chosen = index / n_blocks, row = index % n_blocks * WEIGHT_ROWS;
    int rows = smaller(WEIGHT_ROWS, job->q.rows - row);
    int head = *cpu_row_i32(&job->v, chosen);
    head = head < 0 ? 0 : smaller(head, t->n_heads - 1);
    int dim = job->q.cols / t->n_heads;
    cpu_key_rows keys = part_of(job, &job->k, head, NULL, 0, job->k.rows);
    float *out = cpu_row(&job->out, chosen * job->q.rows + row);
    kernels->dot_keys(&keys, cpu_row(&job->q, row) + head * dim, job->q.stride, rows,
                      t->scale, out, job->out.stride);
    for (int r = 0; r < rows; r++) {
        float *x = out + (size_t)r * job->out.stride;
        float sum = kernels->softmax(x, job->k.rows);
        kernels->scale(x, job->k.rows, 1 / sum, x);
    }
}

void cpu_attention_weights_run(cpu_plan *plan, const asr_tensor *t)
{
    few_job job = make_job(plan, t);
    int n_blocks = (job.q.rows + WEIGHT_ROWS - 1) / WEIGHT_ROWS;
    cpu_pool_run(plan->backend->pool, t->src[2]->rows * n_blocks, weights_task, &job);
}
