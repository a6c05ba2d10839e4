/* ATTENTION with many rows of q: for each head two matrix products, between which the
 * scores of a block of rows stay in the cache. Keys and values are packed first, as the
 * weights of those products. Where the model's weights are not f32 and the processor
 * multiplies bf16 faster, both products are in bf16. */
#include "cpu/internal.h"

#include <string.h>

/* Fewer rows of q are done without packing. */
#define FEW_ROWS 16

/* Rows of q in a task. */
#define BLOCK_ROWS 32

/* Keys and values that a task packs, a multiple of every padding. */
#define PACK_ROWS 256

typedef struct attention_job {
    cpu_backend *backend;
    const asr_tensor *t;
    const cpu_product *product;
    bool to_bf16;
    cpu_matrix q, k, v, out;
    int dim, n_blocks, n_pack_tasks;
    cpu_panels keys, values; /* of one head; `data` of the first */
    size_t keys_bytes, values_bytes;
} attention_job;

/* Working memory of a task. */
typedef struct task_memory {
    char *x;       /* staged rows of q */
    float *scores; /* [BLOCK_ROWS, keys.count·16] */
    char *weights; /* scores after softmax, staged */
    float *out;    /* [BLOCK_ROWS, values.count·16] */
    size_t x_stride, weights_stride;
} task_memory;

cpu_key_rows cpu_head_rows(const cpu_matrix *m, const asr_tensor *t, int kv_head)
{
    int dim = t->src[0]->cols / t->n_heads;
    bool is_f16 = m->dtype == ASR_F16;
    size_t first = (size_t)kv_head * (size_t)dim;
    return (cpu_key_rows){
        .data =
            (const char *)m->data + first * (is_f16 ? sizeof(uint16_t) : sizeof(float)),
        .row_stride = m->stride,
        .count = m->rows,
        .dim = dim,
        .is_f16 = is_f16,
    };
}

static cpu_panels panels_for(const cpu_product *product, int rows, int k, size_t size)
{
    cpu_panels panels = {0};
    panels.count = (rows + CPU_PANEL - 1) / CPU_PANEL;
    panels.k = (k + product->k_align - 1) / product->k_align * product->k_align;
    panels.stride = (size_t)panels.k * CPU_PANEL * size;
    return panels;
}

static attention_job make_job(const cpu_plan *plan, const asr_tensor *t)
{
    cpu_backend *backend = plan->backend;
    const cpu_kernels *kernels = backend->kernels;
    attention_job job = {
        .backend = backend,
        .t = t,
        .q = cpu_matrix_of(backend, t->src[0]),
        .k = cpu_matrix_of(backend, t->src[1]),
        .v = cpu_matrix_of(backend, t->src[2]),
        .out = cpu_matrix_of(backend, t),
    };
    job.to_bf16 = plan->is_reduced && kernels->bf16->x_size == sizeof(uint16_t);
    job.product = job.to_bf16 ? kernels->bf16 : kernels->f32;
    size_t size = job.to_bf16 ? sizeof(uint16_t) : sizeof(float);
    job.dim = t->cols / t->n_heads;
    job.n_blocks = (t->rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
    job.keys = panels_for(job.product, job.k.rows, job.dim, size);
    job.values = panels_for(job.product, job.dim, job.k.rows, size);
    job.n_pack_tasks = (job.k.rows + PACK_ROWS - 1) / PACK_ROWS;
    job.keys_bytes = cpu_align((size_t)job.keys.count * job.keys.stride);
    job.values_bytes = cpu_align((size_t)job.values.count * job.values.stride);
    job.keys.data = backend->shared.data;
    job.values.data = job.keys.data + (size_t)t->n_kv_heads * job.keys_bytes;
    return job;
}

/* Lays out a task's memory from `memory` (NULL to learn its size in bytes). */
static size_t lay_out(const attention_job *job, char *memory, task_memory *out)
{
    char *at = memory;
    out->x_stride = cpu_align((size_t)job->keys.k * job->product->x_size);
    out->weights_stride = cpu_align((size_t)job->values.k * job->product->x_size);
    out->x = cpu_take(&at, BLOCK_ROWS * out->x_stride);
    out->scores =
        cpu_take(&at, BLOCK_ROWS * (size_t)job->keys.count * CPU_PANEL * sizeof(float));
    out->weights = cpu_take(&at, BLOCK_ROWS * out->weights_stride);
    out->out =
        cpu_take(&at, BLOCK_ROWS * (size_t)job->values.count * CPU_PANEL * sizeof(float));
    return (size_t)(at - memory);
}

bool cpu_attention_prepare(cpu_plan *plan, const asr_tensor *t, asr_error *error)
{
    if (t->op == ASR_OP_ATTENTION_CACHED || t->rows <= FEW_ROWS)
        return cpu_attention_few_prepare(plan, t, error);
    attention_job job = make_job(plan, t);
    task_memory memory;
    size_t shared = (size_t)t->n_kv_heads * (job.keys_bytes + job.values_bytes);
    return cpu_backend_reserve(plan->backend, shared, lay_out(&job, NULL, &memory),
                               error);
}

/* Packs PACK_ROWS keys and as many values of a head; padding counts as rows. */
static void pack_task(void *context, int index, int thread)
{
    (void)thread;
    const attention_job *job = context;
    const cpu_attention_kernels *kernels = job->backend->kernels->attention;
    int head = index / job->n_pack_tasks;
    int first = index % job->n_pack_tasks * PACK_ROWS, last = first + PACK_ROWS;
    cpu_key_rows keys = cpu_head_rows(&job->k, job->t, head);
    cpu_key_rows values = cpu_head_rows(&job->v, job->t, head);
    char *out = job->keys.data + (size_t)head * job->keys_bytes;
    for (int panel = first / CPU_PANEL;
         panel < last / CPU_PANEL && panel < job->keys.count; panel++)
        kernels->pack_keys(&keys, job->t->scale, panel, job->keys.k, job->to_bf16,
                           out + (size_t)panel * job->keys.stride);
    kernels->pack_values(&values, first, last < job->values.k ? last : job->values.k,
                         job->to_bf16, job->values.stride,
                         job->values.data + (size_t)head * job->values_bytes);
}

/* sums = rows of x times all of `panels`. */
static void multiply(const attention_job *job, const void *x, size_t x_stride, int rows,
                     const cpu_panels *panels, const char *data, float *sums)
{
    job->product->run(&(cpu_product_args){
        .x = x,
        .x_stride = x_stride,
        .rows = rows,
        .k = panels->k,
        .panels = data,
        .panel_stride = panels->stride,
        .n_panels = panels->count,
        .sums = sums,
        .sums_stride = panels->count * CPU_PANEL,
    });
}

static void attention_task(void *context, int index, int thread)
{
    const attention_job *job = context;
    const cpu_attention_kernels *kernels = job->backend->kernels->attention;
    const asr_tensor *t = job->t;
    task_memory m;
    lay_out(job, job->backend->local[thread].data, &m);
    int head = index / job->n_blocks, kv_head = head / (t->n_heads / t->n_kv_heads);
    int first = index % job->n_blocks * BLOCK_ROWS, col = head * job->dim;
    int rows = t->rows - first < BLOCK_ROWS ? t->rows - first : BLOCK_ROWS;
    for (int r = 0; r < rows; r++)
        job->product->stage(cpu_row(&job->q, first + r) + col, job->dim, job->keys.k,
                            m.x + (size_t)r * m.x_stride);
    multiply(job, m.x, m.x_stride, rows, &job->keys,
             job->keys.data + (size_t)kv_head * job->keys_bytes, m.scores);
    float sums[BLOCK_ROWS];
    size_t width = (size_t)job->keys.count * CPU_PANEL;
    for (int r = 0; r < rows; r++) {
        float *scores = m.scores + (size_t)r * width;
        sums[r] = kernels->softmax(scores, job->k.rows);
        job->product->stage(scores, job->k.rows, job->values.k,
                            m.weights + (size_t)r * m.weights_stride);
    }
    multiply(job, m.weights, m.weights_stride, rows, &job->values,
             job->values.data + (size_t)kv_head * job->values_bytes, m.out);
    for (int r = 0; r < rows; r++)
        kernels->scale(m.out + (size_t)r * (size_t)job->values.count * CPU_PANEL,
                       job->dim, 1 / sums[r], cpu_row(&job->out, first + r) + col);
}

void cpu_attention_run(cpu_plan *plan, const asr_tensor *t)
{
    if (t->op == ASR_OP_ATTENTION_CACHED || t->rows <= FEW_ROWS) {
        cpu_attention_few_run(plan, t);
        return;
    }
    attention_job job = make_job(plan, t);
    cpu_pool_run(plan->backend->pool, t->n_kv_heads * job.n_pack_tasks, pack_task, &job);
    cpu_pool_run(plan->backend->pool, t->n_heads * job.n_blocks, attention_task, &job);
}
