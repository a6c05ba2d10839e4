/* LINEAR and CONV1D: products of rows of x with a weight, and what follows them.
 *
 * Rows of x are staged (quantised, or copied) once, then multiplied with panels of the
 * weight. Few rows, as in a decoding step, are bound by reading the weight: the threads
 * share its panels. Many rows are cut into blocks, and a thread does everything for one
 * block while that is in its cache. Of the largest products oneDNN does the block's part
 * between staging and finishing where it measures faster. */
#include "cpu/internal.h"
#include "cpu/isa.h"

#include <string.h>

/* Up to this many rows the threads share panels rather than rows. */
#define FEW_ROWS 16

/* Rows of a block, and panels whose sums are computed before they are used: both small
 * enough that a block's sums stay in the nearest caches. */
#define BLOCK_ROWS 64
#define BLOCK_PANELS 16

/* Panels of a task are a multiple of this, which no kernel's block exceeds. */
#define PANEL_STEP 4

/* Tasks for each thread when few rows share a weight: more than one, so that a thread
 * that starts late does less. */
#define TASKS_PER_THREAD 4

/* Rows of a block that oneDNN multiplies. Products of fewer rows than LARGE_ROWS are
 * those of a decoder, whose weights its single steps need in panels anyway. */
#define LARGE_BLOCK 128
#define LARGE_ROWS 256

typedef struct linear_job {
    cpu_plan *plan;
    cpu_backend *backend;
    const asr_tensor *t;
    const cpu_product *product;
    const cpu_panels *panels;
    cpu_dnnl_product *large; /* what multiplies instead of panels, or NULL */
    cpu_matrix x, weight, bias, residual, out;
    size_t x_stride; /* bytes of a staged row */
    char *staged;    /* few rows: all of them */
    float *row_scales;
    int n_row_tasks, n_panel_tasks;
    int rows_per_task, panels_per_task;
} linear_job;

/* Working memory for `rows` staged rows. */
typedef struct stage_memory {
    char *staged;
    float *row_scales;
    float *patch; /* one row of x with its padding */
    void *sums;
    void *scratch; /* of oneDNN */
} stage_memory;

static size_t staged_stride(const cpu_product *product, int k)
{
    return cpu_align((size_t)k * product->x_size);
}

/* Whether oneDNN multiplies large blocks faster than own kernels. Processor time in ms of
 * 1500 rows through a layer's four weights (512 → 1536, 512 → 512, 512 → 2048, 2048 →
 * 512) with staging and finishing, the least of 12 alternating runs on one thread of a
 * Xeon with AMX; oneDNN 2.6.3 in blocks of 128 rows:
 *
 *                 int8           bf16           f32
 *               own  oneDNN    own  oneDNN    own   oneDNN
 *   AMX        10.6   12.2    15.8   15.6    70.5    63.1
 *   VNNI       19.3   20.2                   66.7    62.9
 *   AVX2            (a)                     107.5   130.8
 *
 * Where both are within 3 % own kernels stay, as one packed copy then serves all plans.
 * (a) saturates there. oneDNN 2.6 has no f16 products. */
static bool is_faster_on_dnnl(const cpu_backend *backend, asr_dtype dtype)
{
    switch (cpu_kernels_isa(backend->kernels)) {
    case ASR_CPU_ISA_AVX512:
    case ASR_CPU_ISA_AVX512_VNNI:
    case ASR_CPU_ISA_AMX:
        return dtype == ASR_F32;
    default:
        return false;
    }
}

static bool is_large(const cpu_backend *backend, const asr_tensor *t)
{
    return t->rows >= LARGE_ROWS && t->rows / LARGE_BLOCK >= backend->n_threads &&
           is_faster_on_dnnl(backend, t->src[1]->dtype);
}

static int round_up(int value, int multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

/* Lays out working memory from `memory` (NULL to learn its size in bytes). */
static size_t lay_out(const linear_job *job, char *memory, stage_memory *out)
{
    char *at = memory;
    int rows = job->t->rows < BLOCK_ROWS ? job->t->rows : BLOCK_ROWS;
    int panels = job->panels->count < BLOCK_PANELS ? job->panels->count : BLOCK_PANELS;
    out->staged = cpu_take(&at, (size_t)rows * job->x_stride);
    out->row_scales = cpu_take(&at, (size_t)rows * sizeof(float));
    out->patch = cpu_take(&at, (size_t)job->weight.cols * sizeof(float));
    out->sums = cpu_take(&at, (size_t)rows * (size_t)panels * CPU_PANEL * sizeof(float));
    return (size_t)(at - memory);
}

/* The same where oneDNN multiplies: whole blocks with all their sums. */
static size_t lay_out_large(const linear_job *job, char *memory, stage_memory *out)
{
    char *at = memory;
    out->staged = cpu_take(&at, (size_t)LARGE_BLOCK * job->x_stride);
    out->row_scales = cpu_take(&at, (size_t)LARGE_BLOCK * sizeof(float));
    out->patch = cpu_take(&at, (size_t)job->weight.cols * sizeof(float));
    out->sums =
        cpu_take(&at, (size_t)LARGE_BLOCK * (size_t)job->out.cols * sizeof(float));
    out->scratch = cpu_take(&at, cpu_dnnl_scratch_bytes(job->large));
    return (size_t)(at - memory);
}

static void plan_tasks(linear_job *job)
{
    int rows = job->t->rows, panels = job->panels->count;
    int threads = job->backend->n_threads, splits;
    if (rows <= FEW_ROWS) {
        job->rows_per_task = rows;
        job->n_row_tasks = 1;
        splits = threads * TASKS_PER_THREAD;
    } else {
        int per_thread = round_up((rows + threads - 1) / threads, 16);
        job->rows_per_task = per_thread < BLOCK_ROWS ? per_thread : BLOCK_ROWS;
        job->n_row_tasks = (rows + job->rows_per_task - 1) / job->rows_per_task;
        splits = (threads + job->n_row_tasks - 1) / job->n_row_tasks;
    }
    job->panels_per_task = round_up((panels + splits - 1) / splits, PANEL_STEP);
    job->n_panel_tasks = (panels + job->panels_per_task - 1) / job->panels_per_task;
}

static linear_job make_job(cpu_plan *plan, const asr_tensor *t)
{
    cpu_backend *backend = plan->backend;
    linear_job job = {
        .plan = plan,
        .backend = backend,
        .t = t,
        .x = cpu_matrix_of(backend, t->src[0]),
        .weight = cpu_matrix_of(backend, t->src[1]),
        .bias = cpu_matrix_of(backend, t->src[2]),
        .residual = cpu_matrix_of(backend, t->src[3]),
        .out = cpu_matrix_of(backend, t),
    };
    job.product = cpu_product_for(backend, job.weight.dtype);
    job.panels = &job.weight.buffer->panels;
    job.large = is_large(backend, t) ? job.weight.buffer->large : NULL;
    if (job.large) {
        job.x_stride = staged_stride(job.product, job.weight.cols);
        job.n_row_tasks = (t->rows + LARGE_BLOCK - 1) / LARGE_BLOCK;
    } else {
        job.x_stride = staged_stride(job.product, job.panels->k);
        plan_tasks(&job);
    }
    return job;
}

/* Packs a weight for oneDNN, unless it already has panels: one copy is enough. */
static bool prepare_large(cpu_backend *backend, cpu_buffer *weight)
{
    if (weight->large || weight->panels.data)
        return weight->large;
    if (!backend->dnnl)
        backend->dnnl = cpu_dnnl_create(cpu_kernels_isa(backend->kernels),
                                        backend->is_limited, backend->n_threads);
    if (!backend->dnnl)
        return false;
    int k = weight->host.base.cols;
    cpu_dnnl_shape shape = {
        .type = CPU_DNNL_F32,
        .rows = LARGE_BLOCK,
        .k = k,
        .n = weight->host.base.rows,
        .x_stride = staged_stride(backend->kernels->f32, k) / sizeof(float),
    };
    weight->large = cpu_dnnl_product_create(backend->dnnl, &shape, weight->host.data);
    return weight->large;
}

bool cpu_linear_prepare(cpu_plan *plan, const asr_tensor *t, asr_error *error)
{
    cpu_backend *backend = plan->backend;
    cpu_buffer *weight = (cpu_buffer *)t->src[1]->buffer;
    stage_memory memory;
    if (is_large(backend, t) && prepare_large(backend, weight)) {
        linear_job job = make_job(plan, t);
        return cpu_backend_reserve(backend, 0, lay_out_large(&job, NULL, &memory), error);
    }
    if (!cpu_weight_pack(backend, weight, error))
        return false;
    linear_job job = make_job(plan, t);
    size_t bytes = lay_out(&job, NULL, &memory);
    return cpu_backend_reserve(backend, bytes, bytes, error);
}

/* The values that row r of the result is computed from: a row of x, or for a convolution
 * `kernel` rows, which lie side by side. Those outside x are zero, in `patch`. */
static const float *patch_of(const linear_job *job, int r, float *patch)
{
    if (job->t->op == ASR_OP_LINEAR)
        return cpu_row(&job->x, r);
    int channels = job->x.cols, kernel = job->t->kernel;
    int first = r * job->t->stride - job->t->pad;
    if (first >= 0 && first + kernel <= job->x.rows)
        return cpu_row(&job->x, first);
    for (int tap = 0; tap < kernel; tap++) {
        float *out = patch + (size_t)tap * (size_t)channels;
        size_t bytes = (size_t)channels * sizeof(*out);
        if (first + tap >= 0 && first + tap < job->x.rows)
            memcpy(out, cpu_row(&job->x, first + tap), bytes);
        else
            memset(out, 0, bytes);
    }
    return patch;
}

static void stage_rows(const linear_job *job, int first, int rows,
                       const stage_memory *memory)
{
    for (int r = 0; r < rows; r++)
        memory->row_scales[r] =
            job->product->stage(patch_of(job, first + r, memory->patch), job->weight.cols,
                                job->large ? job->weight.cols : job->panels->k,
                                memory->staged + (size_t)r * job->x_stride);
}

/* Scales, bias, activation and residual for columns [col, col + n) of a row. */
static void finish_row(const linear_job *job, int row, float row_scale, int col, int n,
                       const void *sums)
{
    const cpu_buffer *weight = job->weight.buffer;
    cpu_finish finish = {
        .n = n,
        .row_scale = row_scale,
        .bias = job->bias.data ? (const float *)job->bias.data + col : NULL,
        .residual = job->residual.data ? cpu_row(&job->residual, row) + col : NULL,
        .act = job->t->act,
        .out = cpu_row(&job->out, row) + col,
    };
    if (job->weight.dtype == ASR_I8) {
        finish.offsets = job->panels->offsets + col;
        finish.scales = weight->host.scales + col;
        job->backend->kernels->row->finish_i32(&finish, sums);
    } else {
        job->backend->kernels->row->finish_f32(&finish, sums);
    }
}

/* Rows [first, first + rows), staged at `staged`, times panels [panel, last). */
static void multiply(const linear_job *job, int first, int rows, const char *staged,
                     const float *row_scales, int panel, int last, void *sums)
{
    for (; panel < last; panel += BLOCK_PANELS) {
        int n_panels = last - panel < BLOCK_PANELS ? last - panel : BLOCK_PANELS;
        int col = panel * CPU_PANEL, stride = n_panels * CPU_PANEL;
        job->product->run(&(cpu_product_args){
            .x = staged,
            .x_stride = job->x_stride,
            .rows = rows,
            .k = job->panels->k,
            .panels = job->panels->data + (size_t)panel * job->panels->stride,
            .panel_stride = job->panels->stride,
            .n_panels = n_panels,
            .sums = sums,
            .sums_stride = stride,
        });
        int n = job->out.cols - col < stride ? job->out.cols - col : stride;
        for (int r = 0; r < rows; r++)
            finish_row(job, first + r, row_scales[r], col, n,
                       (const float *)sums + (size_t)r * (size_t)stride);
    }
}

static void linear_task(void *context, int index, int thread)
{
    const linear_job *job = context;
    stage_memory memory;
    lay_out(job, job->backend->local[thread].data, &memory);
    int first = index / job->n_panel_tasks * job->rows_per_task;
    int panel = index % job->n_panel_tasks * job->panels_per_task;
    int rows = job->t->rows - first < job->rows_per_task ? job->t->rows - first
                                                         : job->rows_per_task;
    int last = panel + job->panels_per_task < job->panels->count
                   ? panel + job->panels_per_task
                   : job->panels->count;
    if (job->staged) {
        multiply(job, first, rows, job->staged, job->row_scales, panel, last,
                 memory.sums);
        return;
    }
    stage_rows(job, first, rows, &memory);
    multiply(job, first, rows, memory.staged, memory.row_scales, panel, last,
             memory.sums);
}

static void large_task(void *context, int index, int thread)
{
    const linear_job *job = context;
    stage_memory memory;
    lay_out_large(job, job->backend->local[thread].data, &memory);
    int first = index * LARGE_BLOCK, left = job->t->rows - first;
    int rows = left < LARGE_BLOCK ? left : LARGE_BLOCK;
    stage_rows(job, first, rows, &memory);
    if (!cpu_dnnl_run(job->large, thread, memory.staged, memory.sums, memory.scratch)) {
        job->plan->failed = true;
        return;
    }
    for (int r = 0; r < rows; r++)
        finish_row(job, first + r, memory.row_scales[r], 0, job->out.cols,
                   (const float *)memory.sums + (size_t)r * (size_t)job->out.cols);
}

void cpu_linear_run(cpu_plan *plan, const asr_tensor *t)
{
    linear_job job = make_job(plan, t);
    if (job.large) {
        cpu_pool_run(plan->backend->pool, job.n_row_tasks, large_task, &job);
        return;
    }
    if (t->rows <= FEW_ROWS) {
        stage_memory memory;
        lay_out(&job, plan->backend->shared.data, &memory);
        stage_rows(&job, 0, t->rows, &memory);
        job.staged = memory.staged;
        job.row_scales = memory.row_scales;
    }
    cpu_pool_run(plan->backend->pool, job.n_row_tasks * job.n_panel_tasks, linear_task,
                 &job);
}
