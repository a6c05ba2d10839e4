/* What the files of the cpu backend share: its own structs, and how an operation finds
 * its operands and working memory. */
#ifndef CPU_INTERNAL_H
#define CPU_INTERNAL_H

#include "cpu/cpu.h"
#include "cpu/dnnl.h"
#include "cpu/kernels.h"
#include "cpu/pool.h"
#include "graph/host.h"

/* Memory for intermediate values, shared by all plans as only one runs at a time. */
typedef struct cpu_scratch {
    char *data;
    size_t bytes;
} cpu_scratch;

typedef struct cpu_backend {
    asr_backend base;
    const cpu_kernels *kernels;
    cpu_pool *pool;
    int n_threads;
    bool is_limited; /* to an instruction set that the caller named */
    cpu_dnnl *dnnl;  /* NULL until a product wants it, or where it is not used */
    char description[96];
    cpu_scratch arena;  /* computed matrices of the plan that runs */
    cpu_scratch shared; /* of the operation that runs */
    cpu_scratch *local; /* [n_threads], of the task that a thread runs */
} cpu_backend;

typedef struct cpu_plan {
    asr_plan base;
    cpu_backend *backend;
    const asr_graph *graph;
    bool is_reduced;     /* weights are not f32: attention need not be either */
    _Atomic bool failed; /* memory was out in a run */
} cpu_plan;

/* A weight in the layout of own kernels (kernels.h). */
typedef struct cpu_panels {
    char *data; /* NULL: not packed so */
    size_t stride;
    int count, k;
    int32_t *offsets; /* i8: [count·16], what is too much in each output's sums */
} cpu_panels;

typedef struct cpu_buffer {
    asr_host_buffer host;
    cpu_panels panels;
    cpu_dnnl_product *large; /* for products of many rows; NULL: panels serve these too */
} cpu_buffer;

/* One operand of an operation. */
typedef struct cpu_matrix {
    asr_dtype dtype;
    int rows, cols;
    size_t stride;            /* elements between rows */
    void *data;               /* NULL: absent */
    const cpu_buffer *buffer; /* of a leaf */
} cpu_matrix;

/* All zero when t is NULL. */
cpu_matrix cpu_matrix_of(const cpu_backend *backend, const asr_tensor *t);

static inline float *cpu_row(const cpu_matrix *m, int row)
{
    return (float *)m->data + (size_t)row * m->stride;
}

static inline int32_t *cpu_row_i32(const cpu_matrix *m, int row)
{
    return (int32_t *)m->data + (size_t)row * m->stride;
}

/* Aligned for any vector; large blocks in huge pages where the system has them, which
 * reads through them faster. free() releases it. NULL when memory is out. */
void *cpu_allocate(size_t bytes);
/* Makes room for a plan's computed matrices. */
bool cpu_backend_reserve_arena(cpu_backend *backend, size_t bytes, asr_error *error);
/* Makes at least this much scratch memory available to operations that run later. */
bool cpu_backend_reserve(cpu_backend *backend, size_t shared, size_t local,
                         asr_error *error);

static inline size_t cpu_align(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

/* Takes `bytes` from the front of what *memory points at, aligned for any vector. */
static inline void *cpu_take(char **memory, size_t bytes)
{
    void *start = *memory;
    *memory += cpu_align(bytes);
    return start;
}

/* Each operation: `prepare` packs weights and reserves scratch when a plan is made, `run`
 * computes one node and cannot fail. */
bool cpu_linear_prepare(cpu_plan *plan, const asr_tensor *t, asr_error *error);
void cpu_linear_run(cpu_plan *plan, const asr_tensor *t);
bool cpu_attention_prepare(cpu_plan *plan, const asr_tensor *t, asr_error *error);
void cpu_attention_run(cpu_plan *plan, const asr_tensor *t);
bool cpu_attention_few_prepare(cpu_plan *plan, const asr_tensor *t, asr_error *error);
void cpu_attention_few_run(cpu_plan *plan, const asr_tensor *t);
bool cpu_attention_weights_prepare(cpu_plan *plan, const asr_tensor *t, asr_error *error);
void cpu_attention_weights_run(cpu_plan *plan, const asr_tensor *t);
bool cpu_pick_prepare(cpu_plan *plan, const asr_tensor *t, asr_error *error);
void cpu_pick_run(cpu_plan *plan, const asr_tensor *t);
void cpu_layer_norm_run(cpu_plan *plan, const asr_tensor *t);
void cpu_add_run(cpu_plan *plan, const asr_tensor *t);
void cpu_rows_run(cpu_plan *plan, const asr_tensor *t);
void cpu_store_run(cpu_plan *plan, const asr_tensor *t);

/* The keys or values of one head out of k or v, all rows of it. */
cpu_key_rows cpu_head_rows(const cpu_matrix *m, const asr_tensor *t, int kv_head);

/* Packs a weight into panels, on all threads. */
bool cpu_weight_pack(cpu_backend *backend, cpu_buffer *weight, asr_error *error);
/* Row `row` of a weight as f32, wherever it now lies. */
void cpu_weight_row(const cpu_backend *backend, const cpu_buffer *weight, int row,
                    float *out);
/* The kernels for products with weights of this type. */
const cpu_product *cpu_product_for(const cpu_backend *backend, asr_dtype dtype);

#endif
