/* The shim over oneDNN. Versions 2 and 3 differ in how they describe matrices (a struct,
 * or a pointer to what the library owns) and products (in two steps, or in one); the
 * first section of this file hides that, the rest is the same for both. */
#include "cpu/dnnl.h"

#include "cpu/internal.h"

#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdlib.h>

#if DNNL_VERSION_MAJOR >= 3

typedef dnnl_memory_desc_t matrix_desc;
typedef const_dnnl_memory_desc_t matrix_view;

static matrix_view view(const matrix_desc *desc)
{
    return *desc;
}

static bool describe(matrix_desc *desc, dnnl_data_type_t type, const dnnl_dims_t dims,
                     const dnnl_dims_t strides)
{
    return (strides ? dnnl_memory_desc_create_with_strides(desc, 2, dims, type, strides)
                    : dnnl_memory_desc_create_with_tag(
                          desc, 2, dims, type, dnnl_format_tag_any)) == dnnl_success;
}

static void forget(matrix_desc *desc)
{
    if (*desc)
        dnnl_memory_desc_destroy(*desc);
}

static bool describe_product(dnnl_primitive_desc_t *product, dnnl_engine_t engine,
                             const matrix_desc *x, const matrix_desc *weight,
                             const matrix_desc *sums, dnnl_primitive_attr_t attributes)
{
    return dnnl_matmul_primitive_desc_create(product, engine, *x, *weight, NULL, *sums,
                                             attributes) == dnnl_success;
}

#else

typedef dnnl_memory_desc_t matrix_desc;
typedef const dnnl_memory_desc_t *matrix_view;

static matrix_view view(const matrix_desc *desc)
{
    return desc;
}

static bool describe(matrix_desc *desc, dnnl_data_type_t type, const dnnl_dims_t dims,
                     const dnnl_dims_t strides)
{
    return (strides ? dnnl_memory_desc_init_by_strides(desc, 2, dims, type, strides)
                    : dnnl_memory_desc_init_by_tag(desc, 2, dims, type,
                                                   dnnl_format_tag_any)) == dnnl_success;
}

static void forget(matrix_desc *desc)
{
    (void)desc;
}

static bool describe_product(dnnl_primitive_desc_t *product, dnnl_engine_t engine,
                             const matrix_desc *x, const matrix_desc *weight,
                             const matrix_desc *sums, dnnl_primitive_attr_t attributes)
{
    dnnl_matmul_desc_t desc;
    return dnnl_matmul_desc_init(&desc, x, weight, NULL, sums) == dnnl_success &&
           dnnl_primitive_desc_create(product, &desc, attributes, engine, NULL) ==
               dnnl_success;
}

#endif

/* What one thread runs a product with: where its matrices are is set for each run. */
typedef struct thread_matrices {
    dnnl_memory_t x, sums, scratch;
} thread_matrices;

struct cpu_dnnl {
    dnnl_engine_t engine;
    dnnl_cpu_isa_t isa;
    int n_threads;
    dnnl_stream_t streams[]; /* [n_threads] */
};

struct cpu_dnnl_product {
    cpu_dnnl *dnnl;
    dnnl_primitive_t primitive;
    dnnl_memory_t weight;
    char *packed;
    size_t scratch_bytes;
    thread_matrices threads[]; /* [n_threads] */
};

/* oneDNN runs on as many threads as OpenMP would give the calling thread, a setting of
 * that thread alone. Returns what it was. */
static int enter_one_thread(void)
{
    int before = omp_get_max_threads();
    omp_set_num_threads(1);
    return before;
}

static void leave_one_thread(int before)
{
    omp_set_num_threads(before);
}

static dnnl_cpu_isa_t isa_of(asr_cpu_isa isa)
{
    switch (isa) {
    case ASR_CPU_ISA_AVX2:
        return dnnl_cpu_isa_avx2;
    case ASR_CPU_ISA_AVX_VNNI:
        return dnnl_cpu_isa_avx2_vnni;
    case ASR_CPU_ISA_AVX512:
        return dnnl_cpu_isa_avx512_core;
    case ASR_CPU_ISA_AVX512_VNNI:
        return dnnl_cpu_isa_avx512_core_vnni;
    case ASR_CPU_ISA_AMX:
        return dnnl_cpu_isa_avx512_core_amx;
    default:
        return dnnl_cpu_isa_sse41;
    }
}

/* Whether oneDNN uses the instruction set `isa`: exactly it where it is a limit. Values
 * of oneDNN's are sets of bits. */
static bool uses_isa(dnnl_cpu_isa_t isa, bool is_limit)
{
    if (is_limit)
        (void)dnnl_set_max_cpu_isa(isa); /* fails after the first use: seen below */
    dnnl_cpu_isa_t used = dnnl_get_effective_cpu_isa();
    return is_limit ? used == isa : ((unsigned)used & (unsigned)isa) == (unsigned)isa;
}

static bool can_run_on_one_thread(void)
{
    unsigned runtime = dnnl_version()->cpu_runtime;
    return runtime == DNNL_RUNTIME_OMP || runtime == DNNL_RUNTIME_SEQ;
}

cpu_dnnl *cpu_dnnl_create(asr_cpu_isa isa, bool is_limit, int n_threads)
{
    if (!can_run_on_one_thread() || !uses_isa(isa_of(isa), is_limit))
        return NULL;
    cpu_dnnl *dnnl =
        calloc(1, sizeof(*dnnl) + (size_t)n_threads * sizeof(dnnl->streams[0]));
    if (!dnnl)
        return NULL;
    dnnl->isa = isa_of(isa);
    dnnl->n_threads = n_threads;
    bool ok = dnnl_engine_create(&dnnl->engine, dnnl_cpu, 0) == dnnl_success;
    for (int i = 0; ok && i < n_threads; i++)
        ok = dnnl_stream_create(&dnnl->streams[i], dnnl->engine,
                                dnnl_stream_default_flags) == dnnl_success;
    if (!ok)
        cpu_dnnl_destroy(&dnnl);
    return dnnl;
}

void cpu_dnnl_destroy(cpu_dnnl **dnnl_pointer)
{
    cpu_dnnl *dnnl = *dnnl_pointer;
    *dnnl_pointer = NULL;
    if (!dnnl)
        return;
    for (int i = 0; i < dnnl->n_threads; i++)
        if (dnnl->streams[i])
            dnnl_stream_destroy(dnnl->streams[i]);
    if (dnnl->engine)
        dnnl_engine_destroy(dnnl->engine);
    free(dnnl);
}

bool cpu_dnnl_is_exact(const cpu_dnnl *dnnl, cpu_dnnl_type type)
{
    return type != CPU_DNNL_U8_I8 || dnnl->isa == dnnl_cpu_isa_avx512_core_vnni ||
           dnnl->isa == dnnl_cpu_isa_avx512_core_amx;
}

static dnnl_data_type_t x_type(cpu_dnnl_type type)
{
    return type == CPU_DNNL_F32 ? dnnl_f32 : type == CPU_DNNL_BF16 ? dnnl_bf16 : dnnl_u8;
}

static dnnl_data_type_t weight_type(cpu_dnnl_type type)
{
    return type == CPU_DNNL_U8_I8 ? dnnl_s8 : x_type(type);
}

static dnnl_data_type_t sums_type(cpu_dnnl_type type)
{
    return type == CPU_DNNL_U8_I8 ? dnnl_s32 : dnnl_f32;
}

/* The product of a block, its weight in whatever layout suits oneDNN and its working
 * memory ours. */
static bool choose_product(const cpu_dnnl *dnnl, const cpu_dnnl_shape *s,
                           dnnl_primitive_desc_t *product)
{
    matrix_desc x = {0}, weight = {0}, sums = {0};
    dnnl_primitive_attr_t attributes = NULL;
    bool ok = describe(&x, x_type(s->type), (dnnl_dims_t){s->rows, s->k},
                       (dnnl_dims_t){(dnnl_dim_t)s->x_stride, 1}) &&
              describe(&weight, weight_type(s->type), (dnnl_dims_t){s->k, s->n}, NULL) &&
              describe(&sums, sums_type(s->type), (dnnl_dims_t){s->rows, s->n},
                       (dnnl_dims_t){s->n, 1}) &&
              dnnl_primitive_attr_create(&attributes) == dnnl_success &&
              dnnl_primitive_attr_set_scratchpad_mode(
                  attributes, dnnl_scratchpad_mode_user) == dnnl_success &&
              describe_product(product, dnnl->engine, &x, &weight, &sums, attributes);
    if (attributes)
        dnnl_primitive_attr_destroy(attributes);
    forget(&sums);
    forget(&weight);
    forget(&x);
    return ok;
}

/* Copies the weight [n, k] into the memory that `to` is. */
static bool reorder(const cpu_dnnl *dnnl, const cpu_dnnl_shape *s, const void *weight,
                    matrix_view to_desc, dnnl_memory_t to)
{
    matrix_desc desc = {0};
    dnnl_primitive_desc_t reorder_desc = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_memory_t from = NULL;
    bool ok =
        describe(&desc, weight_type(s->type), (dnnl_dims_t){s->k, s->n},
                 (dnnl_dims_t){1, s->k}) &&
        dnnl_memory_create(&from, view(&desc), dnnl->engine, (void *)(uintptr_t)weight) ==
            dnnl_success &&
        dnnl_reorder_primitive_desc_create(&reorder_desc, view(&desc), dnnl->engine,
                                           to_desc, dnnl->engine, NULL) == dnnl_success &&
        dnnl_primitive_create(&primitive, reorder_desc) == dnnl_success &&
        dnnl_primitive_execute(primitive, dnnl->streams[0], 2,
                               (dnnl_exec_arg_t[]){{DNNL_ARG_FROM, from},
                                                   {DNNL_ARG_TO, to}}) == dnnl_success &&
        dnnl_stream_wait(dnnl->streams[0]) == dnnl_success;
    if (primitive)
        dnnl_primitive_destroy(primitive);
    if (reorder_desc)
        dnnl_primitive_desc_destroy(reorder_desc);
    if (from)
        dnnl_memory_destroy(from);
    forget(&desc);
    return ok;
}

static bool pack(cpu_dnnl_product *product, dnnl_primitive_desc_t desc,
                 const cpu_dnnl_shape *shape, const void *weight)
{
    dnnl_engine_t engine = product->dnnl->engine;
    matrix_view packed = dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 0);
    product->packed = cpu_allocate(dnnl_memory_desc_get_size(packed));
    return product->packed &&
           dnnl_memory_create(&product->weight, packed, engine, product->packed) ==
               dnnl_success &&
           reorder(product->dnnl, shape, weight, packed, product->weight);
}

static bool make_threads(cpu_dnnl_product *product, dnnl_primitive_desc_t desc)
{
    dnnl_engine_t engine = product->dnnl->engine;
    matrix_view x = dnnl_primitive_desc_query_md(desc, dnnl_query_src_md, 0);
    matrix_view sums = dnnl_primitive_desc_query_md(desc, dnnl_query_dst_md, 0);
    matrix_view scratch = dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0);
    product->scratch_bytes = cpu_align(dnnl_memory_desc_get_size(scratch));
    bool ok = true;
    for (int i = 0; ok && i < product->dnnl->n_threads; i++) {
        thread_matrices *m = &product->threads[i];
        ok = dnnl_memory_create(&m->x, x, engine, DNNL_MEMORY_NONE) == dnnl_success &&
             dnnl_memory_create(&m->sums, sums, engine, DNNL_MEMORY_NONE) ==
                 dnnl_success &&
             dnnl_memory_create(&m->scratch, scratch, engine, DNNL_MEMORY_NONE) ==
                 dnnl_success;
    }
    return ok;
}

cpu_dnnl_product *cpu_dnnl_product_create(cpu_dnnl *dnnl, const cpu_dnnl_shape *shape,
                                          const void *weight)
{
    size_t threads = (size_t)dnnl->n_threads * sizeof(thread_matrices);
    cpu_dnnl_product *product = calloc(1, sizeof(*product) + threads);
    if (!product)
        return NULL;
    product->dnnl = dnnl;
    int before = enter_one_thread();
    dnnl_primitive_desc_t desc = NULL;
    bool ok = choose_product(dnnl, shape, &desc) &&
              dnnl_primitive_create(&product->primitive, desc) == dnnl_success &&
              pack(product, desc, shape, weight) && make_threads(product, desc);
    if (desc)
        dnnl_primitive_desc_destroy(desc);
    leave_one_thread(before);
    if (!ok)
        cpu_dnnl_product_destroy(&product);
    return product;
}

static void destroy_memory(dnnl_memory_t memory)
{
    if (memory)
        dnnl_memory_destroy(memory);
}

void cpu_dnnl_product_destroy(cpu_dnnl_product **product_pointer)
{
    cpu_dnnl_product *product = *product_pointer;
    *product_pointer = NULL;
    if (!product)
        return;
    for (int i = 0; i < product->dnnl->n_threads; i++) {
        destroy_memory(product->threads[i].x);
        destroy_memory(product->threads[i].sums);
        destroy_memory(product->threads[i].scratch);
    }
    destroy_memory(product->weight);
    if (product->primitive)
        dnnl_primitive_destroy(product->primitive);
    free(product->packed);
    free(product);
}

size_t cpu_dnnl_scratch_bytes(const cpu_dnnl_product *product)
{
    return product->scratch_bytes;
}

bool cpu_dnnl_run(cpu_dnnl_product *product, int thread, const void *x, void *sums,
                  void *scratch)
{
    thread_matrices *m = &product->threads[thread];
    dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, m->x},
                                   {DNNL_ARG_WEIGHTS, product->weight},
                                   {DNNL_ARG_DST, m->sums},
                                   {DNNL_ARG_SCRATCHPAD, m->scratch}};
    int before = enter_one_thread();
    bool ok = dnnl_memory_set_data_handle(m->x, (void *)(uintptr_t)x) == dnnl_success &&
              dnnl_memory_set_data_handle(m->sums, sums) == dnnl_success &&
              dnnl_memory_set_data_handle(m->scratch, scratch) == dnnl_success &&
              dnnl_primitive_execute(product->primitive, product->dnnl->streams[thread],
                                     4, arguments) == dnnl_success;
    leave_one_thread(before);
    return ok;
}
