/* Kernels over one row: what follows a product, layer norm, addition, half precision.
 * Plain loops, which compilers vectorise. */
#include "cpu/kernels-simd.h"
#include "cpu/kernels.h"

#include <string.h>

/* The steps of a cpu_finish after `out` holds the scaled sums. */
static void activate(const cpu_finish *f)
{
    float *restrict out = f->out;
    switch (f->act) {
    case ASR_ACT_NONE:
        break;
    case ASR_ACT_GELU:
        for (int i = 0; i < f->n; i++)
            out[i] = cpu_gelu(out[i]);
        break;
    case ASR_ACT_RELU:
        for (int i = 0; i < f->n; i++)
            out[i] = out[i] > 0 ? out[i] : 0;
        break;
    case ASR_ACT_SILU:
        for (int i = 0; i < f->n; i++)
            out[i] = cpu_silu(out[i]);
        break;
    }
    if (f->residual) {
        const float *restrict residual = f->residual;
        for (int i = 0; i < f->n; i++)
            out[i] += residual[i];
    }
}

static void finish_i32(const cpu_finish *f, const int32_t *restrict sums)
{
    float *restrict out = f->out;
    const int32_t *restrict offsets = f->offsets;
    const float *restrict scales = f->scales;
    const float *restrict bias = f->bias;
    float row_scale = f->row_scale;
    if (bias) {
        for (int i = 0; i < f->n; i++)
            out[i] = (float)(sums[i] - offsets[i]) * (row_scale * scales[i]) + bias[i];
    } else {
        for (int i = 0; i < f->n; i++)
            out[i] = (float)(sums[i] - offsets[i]) * (row_scale * scales[i]);
    }
    activate(f);
}

static void finish_f32(const cpu_finish *f, const float *restrict sums)
{
    float *restrict out = f->out;
    const float *restrict bias = f->bias;
    if (bias) {
        for (int i = 0; i < f->n; i++)
            out[i] = sums[i] + bias[i];
    } else {
        memcpy(out, sums, (size_t)f->n * sizeof(*out));
    }
    activate(f);
}

/* The mean is corrected by the mean of the differences from it: rounding it to f32 alone
 * would leave an error that a small variance blows up. */
static void layer_norm(const float *x, int n, const float *restrict gain,
                       const float *restrict bias, float eps, float *restrict out)
{
    float sum = 0, differences = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < n; i++)
        sum += x[i];
    float mean = sum / (float)n;
#pragma omp simd reduction(+ : differences, squares)
    for (int i = 0; i < n; i++) {
        float d = x[i] - mean;
        differences += d;
        squares += d * d;
    }
    float correction = differences / (float)n;
    float variance = squares / (float)n - correction * correction;
    float inverse = 1.0f / sqrtf((variance > 0 ? variance : 0) + eps);
    for (int i = 0; i < n; i++)
        out[i] = (x[i] - mean - correction) * inverse * gain[i] + bias[i];
}

static void add(const float *a, const float *b, int n, float *restrict out)
{
    for (int i = 0; i < n; i++)
        out[i] = a[i] + b[i];
}

static void to_f16(const float *x, int n, uint16_t *out)
{
    int i = 0;
    for (; i + VF_WIDTH <= n; i += VF_WIDTH)
        vf_store_f16(out + i, vf_load(x + i));
    for (; i < n; i++)
        out[i] = asr_f32_to_f16(x[i]);
}

static void from_f16(const uint16_t *x, int n, float *out)
{
    int i = 0;
    for (; i + VF_WIDTH <= n; i += VF_WIDTH)
        vf_store(out + i, vf_load_f16(x + i));
    for (; i < n; i++)
        out[i] = asr_f16_to_f32(x[i]);
}

extern const cpu_row_kernels CPU_TABLE(row);
const cpu_row_kernels CPU_TABLE(row) = {
    .finish_i32 = finish_i32,
    .finish_f32 = finish_f32,
    .layer_norm = layer_norm,
    .add = add,
    .to_f16 = to_f16,
    .from_f16 = from_f16,
};
