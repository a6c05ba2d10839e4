/* Kernels for picking tokens: passes over a row of logits. Plain loops, which compilers
 * vectorise. */
#include "cpu/kernels-simd.h"
#include "cpu/kernels.h"

/* Elements between two looks at the result, where a loop may end early. */
#define STRIDE 64

static float max_of(const float *x, int n)
{
    return vf_max_of(x, n, false, -INFINITY);
}

static float add_mask(const float *restrict x, const float *restrict mask, int n,
                      float *restrict out)
{
    float max = -INFINITY;
#pragma omp simd reduction(max : max)
    for (int i = 0; i < n; i++) {
        out[i] = x[i] + mask[i];
        max = out[i] > max ? out[i] : max;
    }
    return max;
}

/* Partial sums of STRIDE·16 values in f32, those in double: a vocabulary's small
 * probabilities add up. */
static double sum_exp(const float *x, int n, float max)
{
    double total = 0;
    for (int first = 0; first < n; first += STRIDE * 16) {
        int count = n - first < STRIDE * 16 ? n - first : STRIDE * 16;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int i = 0; i < count; i++)
            sum += cpu_exp(x[first + i] - max);
        total += (double)sum;
    }
    return total;
}

static int next_above(const float *x, int first, int n, float threshold)
{
    int i = first;
    for (; i + STRIDE <= n; i += STRIDE) {
        float max = -INFINITY;
#pragma omp simd reduction(max : max)
        for (int j = 0; j < STRIDE; j++)
            max = x[i + j] > max ? x[i + j] : max;
        if (max > threshold)
            break;
    }
    while (i < n && !(x[i] > threshold))
        i++;
    return i;
}

extern const cpu_pick_kernels CPU_TABLE(pick);
const cpu_pick_kernels CPU_TABLE(pick) = {
    .max = max_of,
    .add_mask = add_mask,
    .sum_exp = sum_exp,
    .next_above = next_above,
};
