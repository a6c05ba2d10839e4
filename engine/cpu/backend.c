/* The cpu backend: its buffers, which are host memory, and scratch memory. */
#include "cpu/internal.h"
#include "cpu/isa.h"
#include "cpu/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static void destroy(asr_backend *base)
{
    cpu_backend *backend = (cpu_backend *)base;
    cpu_pool_destroy(&backend->pool);
    for (int i = 0; backend->local && i < backend->n_threads; i++)
        free(backend->local[i].data);
    free(backend->local);
    free(backend->shared.data);
    free(backend->arena.data);
    cpu_dnnl_destroy(&backend->dnnl);
    free(backend);
}

static const char *description(const asr_backend *base)
{
    return ((const cpu_backend *)base)->description;
}

static asr_dtype weight_dtype(const asr_backend *base, asr_precision precision)
{
    const cpu_backend *backend = (const cpu_backend *)base;
    switch (precision) {
    case ASR_PRECISION_F32:
        return ASR_F32;
    case ASR_PRECISION_F16:
        return backend->kernels->bf16->x_size == sizeof(uint16_t) ? ASR_BF16 : ASR_F16;
    case ASR_PRECISION_AUTO:
    case ASR_PRECISION_INT8:
        return ASR_I8;
    }
    return ASR_F32;
}

void *cpu_allocate(size_t bytes)
{
    const size_t huge_page = (size_t)2 << 20;
    if (bytes < 2 * huge_page)
        return aligned_alloc(64, cpu_align(bytes));
    size_t size = (bytes + huge_page - 1) / huge_page * huge_page;
    void *data = aligned_alloc(huge_page, size);
    if (data)
        (void)madvise(data, size, MADV_HUGEPAGE); /* only a hint */
    return data;
}

/* Grows to `bytes`; the contents are lost. */
static bool scratch_reserve(cpu_scratch *scratch, size_t bytes, asr_error *error)
{
    if (scratch->bytes >= bytes)
        return true;
    free(scratch->data);
    *scratch = (cpu_scratch){0};
    scratch->data = cpu_allocate(bytes);
    if (!scratch->data)
        return asr_fail_memory(error);
    scratch->bytes = bytes;
    return true;
}

bool cpu_backend_reserve(cpu_backend *backend, size_t shared, size_t local,
                         asr_error *error)
{
    bool ok = scratch_reserve(&backend->shared, shared, error);
    for (int i = 0; ok && i < backend->n_threads; i++)
        ok = scratch_reserve(&backend->local[i], local, error);
    return ok;
}

bool cpu_backend_reserve_arena(cpu_backend *backend, size_t bytes, asr_error *error)
{
    return scratch_reserve(&backend->arena, bytes, error);
}

static cpu_buffer *new_buffer(asr_error *error)
{
    cpu_buffer *buffer = calloc(1, sizeof(*buffer));
    if (!buffer)
        asr_fail_memory(error);
    return buffer;
}

static asr_buffer *weight_create(asr_backend *base, const asr_matrix *matrix,
                                 asr_error *error)
{
    cpu_buffer *buffer = new_buffer(error);
    if (!buffer)
        return NULL;
    asr_host_weight_init(&buffer->host, base, matrix);
    return &buffer->host.base;
}

static void buffer_destroy(asr_buffer *base)
{
    cpu_buffer *buffer = (cpu_buffer *)base;
    cpu_dnnl_product_destroy(&buffer->large);
    free(buffer->panels.data);
    free(buffer->panels.offsets);
    asr_host_buffer_clear(&buffer->host);
    free(buffer);
}

static asr_buffer *buffer_create(asr_backend *base, asr_dtype dtype, int rows, int cols,
                                 asr_usage usage, asr_error *error)
{
    (void)usage;
    cpu_buffer *buffer = new_buffer(error);
    if (buffer && asr_host_buffer_init(&buffer->host, base, dtype, rows, cols, error))
        return &buffer->host.base;
    free(buffer);
    return NULL;
}

cpu_matrix cpu_matrix_of(const cpu_backend *backend, const asr_tensor *t)
{
    cpu_matrix m = {0};
    if (!t)
        return m;
    m = (cpu_matrix){t->dtype, t->rows, t->cols, (size_t)t->row_stride, NULL, NULL};
    if (t->op == ASR_OP_LEAF) {
        m.buffer = (const cpu_buffer *)t->buffer;
        m.data = (void *)(uintptr_t)m.buffer->host.data;
    } else {
        const asr_tensor *storage = t->view_of ? t->view_of : t;
        m.data = (float *)(backend->arena.data + storage->arena_offset) + t->first_col;
    }
    return m;
}

static const asr_backend_ops cpu_ops = {
    .name = "cpu",
    .destroy = destroy,
    .description = description,
    .weight_dtype = weight_dtype,
    .weight_create = weight_create,
    .buffer_create = buffer_create,
    .buffer_destroy = buffer_destroy,
    .buffer_write = asr_host_buffer_write,
    .buffer_read = asr_host_buffer_read,
    .plan_create = cpu_plan_create,
    .plan_run = cpu_plan_run,
    .plan_destroy = cpu_plan_destroy,
};

asr_backend *asr_cpu_create(const asr_cpu_params *params, asr_error *error)
{
    asr_cpu_params p = params ? *params : (asr_cpu_params){0};
    cpu_backend *backend = calloc(1, sizeof(*backend));
    if (!backend) {
        asr_fail_memory(error);
        return NULL;
    }
    backend->base.ops = &cpu_ops;
    backend->kernels = cpu_kernels_choose(p.isa);
    backend->is_limited = p.isa != ASR_CPU_ISA_AUTO;
    backend->n_threads = p.n_threads > 0 ? p.n_threads : cpu_core_count();
    backend->local = calloc((size_t)backend->n_threads, sizeof(*backend->local));
    if (!backend->local) {
        asr_fail_memory(error);
        goto fail;
    }
    backend->pool = cpu_pool_create(backend->n_threads, error);
    if (!backend->pool)
        goto fail;
    snprintf(backend->description, sizeof(backend->description), "CPU, %d thread%s, %s",
             backend->n_threads, backend->n_threads == 1 ? "" : "s",
             backend->kernels->name);
    return &backend->base;
fail:
    destroy(&backend->base);
    return NULL;
}
