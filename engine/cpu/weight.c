/* Packing weights into the panels that own kernels read, once each. */
#include "cpu/internal.h"

#include "graph/half.h"

#include <stdlib.h>
#include <string.h>

const cpu_product *cpu_product_for(const cpu_backend *backend, asr_dtype dtype)
{
    switch (dtype) {
    case ASR_I8:
        return backend->kernels->i8;
    case ASR_BF16:
        return backend->kernels->bf16;
    case ASR_F16:
        return backend->kernels->f16;
    default:
        return backend->kernels->f32;
    }
}

typedef struct pack_job {
    cpu_buffer *weight;
    const cpu_product *product;
    size_t size; /* of one weight */
} pack_job;

/* Copies 16 rows of the weight into one panel, `group_bytes`, a constant where this is
 * inlined, at a time. */
static inline __attribute__((always_inline)) void
pack_panel(const pack_job *job, int panel, size_t group_bytes)
{
    const cpu_buffer *w = job->weight;
    size_t row_bytes = (size_t)w->host.base.cols * job->size;
    char *out = w->panels.data + (size_t)panel * w->panels.stride;
    memset(out, 0, w->panels.stride);
    for (int i = 0; i < CPU_PANEL && panel * CPU_PANEL + i < w->host.base.rows; i++) {
        const char *row =
            (const char *)w->host.data + (size_t)(panel * CPU_PANEL + i) * row_bytes;
        size_t at = 0;
        for (; at + group_bytes <= row_bytes; at += group_bytes)
            memcpy(out + at * CPU_PANEL + (size_t)i * group_bytes, row + at, group_bytes);
        if (at < row_bytes)
            memcpy(out + at * CPU_PANEL + (size_t)i * group_bytes, row + at,
                   row_bytes - at);
    }
}

/* 128·Σw of each output of a panel. */
static void sum_offsets(const cpu_buffer *w, int panel)
{
    for (int i = 0; i < CPU_PANEL && panel * CPU_PANEL + i < w->host.base.rows; i++) {
        int n = panel * CPU_PANEL + i;
        const int8_t *row =
            (const int8_t *)w->host.data + (size_t)n * (size_t)w->host.base.cols;
        int32_t sum = 0;
        for (int k = 0; k < w->host.base.cols; k++)
            sum += row[k];
        w->panels.offsets[n] = 128 * sum;
    }
}

static void pack_task(void *context, int index, int thread)
{
    (void)thread;
    const pack_job *job = context;
    switch ((size_t)job->product->group * job->size) { /* constants: memcpy is inlined */
    case 4:
        pack_panel(job, index, 4);
        break;
    case 2:
        pack_panel(job, index, 2);
        break;
    }
    if (job->weight->host.base.dtype == ASR_I8 && job->product->shifted)
        sum_offsets(job->weight, index);
}

bool cpu_weight_pack(cpu_backend *backend, cpu_buffer *weight, asr_error *error)
{
    if (weight->panels.data)
        return true;
    const cpu_product *product = cpu_product_for(backend, weight->host.base.dtype);
    pack_job job = {weight, product, asr_dtype_size(weight->host.base.dtype)};
    cpu_panels panels = {0};
    panels.count = (weight->host.base.rows + CPU_PANEL - 1) / CPU_PANEL;
    panels.k = (weight->host.base.cols + product->k_align - 1) / product->k_align *
               product->k_align;
    panels.stride = (size_t)panels.k * CPU_PANEL * job.size;
    panels.data = cpu_allocate((size_t)panels.count * panels.stride);
    if (weight->host.base.dtype == ASR_I8)
        panels.offsets = calloc((size_t)panels.count * CPU_PANEL, sizeof(int32_t));
    if (!panels.data || (weight->host.base.dtype == ASR_I8 && !panels.offsets)) {
        free(panels.data);
        free(panels.offsets);
        return asr_fail_memory(error);
    }
    weight->panels = panels;
    cpu_pool_run(backend->pool, panels.count, pack_task, &job);
    return true;
}

static float load_value(asr_dtype dtype, const void *values, size_t i)
{
    switch (dtype) {
    case ASR_I8:
        return (float)((const int8_t *)values)[i];
    case ASR_F16:
        return asr_f16_to_f32(((const uint16_t *)values)[i]);
    case ASR_BF16:
        return asr_bf16_to_f32(((const uint16_t *)values)[i]);
    default:
        return ((const float *)values)[i];
    }
}

void cpu_weight_row(const cpu_backend *backend, const cpu_buffer *weight, int row,
                    float *out)
{
    asr_dtype dtype = weight->host.base.dtype;
    size_t cols = (size_t)weight->host.base.cols;
    float scale = dtype == ASR_I8 ? weight->host.scales[row] : 1;
    if (!weight->panels.data) {
        for (size_t k = 0; k < cols; k++)
            out[k] = load_value(dtype, weight->host.data, (size_t)row * cols + k) * scale;
        return;
    }
    size_t group = (size_t)cpu_product_for(backend, dtype)->group;
    const char *panel =
        weight->panels.data + (size_t)(row / CPU_PANEL) * weight->panels.stride;
    for (size_t k = 0; k < cols; k++) {
        size_t at = (k / group * CPU_PANEL + (size_t)row % CPU_PANEL) * group + k % group;
        out[k] = load_value(dtype, panel, at) * scale;
    }
}
