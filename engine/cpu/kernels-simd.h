/* Vectors of f32 as wide as the instruction set that is compiled for, and functions of
 * one f32 that compilers vectorise in plain loops. For the sources of kernels only. */
#ifndef CPU_KERNELS_SIMD_H
#define CPU_KERNELS_SIMD_H

#include "graph/half.h"

#include <math.h>
#include <stdbool.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define VF_WIDTH 16
#elif defined(__AVX2__)
#define VF_WIDTH 8
#else
#define VF_WIDTH 4
#endif

typedef float vf __attribute__((vector_size(4 * VF_WIDTH)));
typedef float vf_unaligned
    __attribute__((vector_size(4 * VF_WIDTH), aligned(4), may_alias));

#define CPU_INLINE static inline __attribute__((always_inline))

CPU_INLINE vf vf_load(const float *p)
{
    return *(const vf_unaligned *)p;
}

CPU_INLINE void vf_store(float *p, vf x)
{
    *(vf_unaligned *)p = x;
}

CPU_INLINE vf vf_set(float x)
{
    return x - (vf){0};
}

CPU_INLINE vf vf_max(vf a, vf b)
{
#if defined(__AVX512F__)
    return (vf)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
    return (vf)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined(__SSE__)
    return (vf)_mm_max_ps((__m128)a, (__m128)b);
#else
    for (int i = 0; i < VF_WIDTH; i++)
        a[i] = a[i] > b[i] ? a[i] : b[i];
    return a;
#endif
}

/* VF_WIDTH values of f16. */
CPU_INLINE vf vf_load_f16(const uint16_t *p)
{
#if defined(__AVX512F__)
    return (vf)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
#elif defined(__F16C__)
    return (vf)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
#else
    vf x;
    for (int i = 0; i < VF_WIDTH; i++)
        x[i] = asr_f16_to_f32(p[i]);
    return x;
#endif
}

CPU_INLINE void vf_store_f16(uint16_t *p, vf x)
{
#if defined(__AVX512F__)
    _mm256_storeu_si256((__m256i *)p,
                        _mm512_cvtps_ph((__m512)x, _MM_FROUND_TO_NEAREST_INT));
#elif defined(__F16C__)
    _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph((__m256)x, _MM_FROUND_TO_NEAREST_INT));
#else
    for (int i = 0; i < VF_WIDTH; i++)
        p[i] = asr_f32_to_f16(x[i]);
#endif
}

/* The sums of neighbouring lanes, a's first. VF_WIDTH vectors added so in pairs, again
 * and again, leave one vector with the sum of each. */
CPU_INLINE vf vf_pair_sums(vf a, vf b)
{
#if VF_WIDTH == 16
    return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24,
                                   26, 28, 30) +
           __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25,
                                   27, 29, 31);
#elif VF_WIDTH == 8
    return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14) +
           __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
#else
    return __builtin_shufflevector(a, b, 0, 2, 4, 6) +
           __builtin_shufflevector(a, b, 1, 3, 5, 7);
#endif
}

/* The largest of x[n], or of their absolute values; `least` when n is 0. Four maxima at
 * once, as each waits for the one before. */
CPU_INLINE float vf_max_of(const float *x, int n, bool absolute, float least)
{
    vf max[4] = {vf_set(least), vf_set(least), vf_set(least), vf_set(least)};
    int i = 0;
    for (; i + 4 * VF_WIDTH <= n; i += 4 * VF_WIDTH)
        for (int j = 0; j < 4; j++) {
            vf v = vf_load(x + i + j * VF_WIDTH);
            max[j] = vf_max(max[j], absolute ? vf_max(v, -v) : v);
        }
    vf all = vf_max(vf_max(max[0], max[1]), vf_max(max[2], max[3]));
    for (int j = 0; j < VF_WIDTH; j++)
        least = all[j] > least ? all[j] : least;
    for (; i < n; i++) {
        float v = absolute ? fabsf(x[i]) : x[i];
        least = v > least ? v : least;
    }
    return least;
}

/* e^x for x in [−87, 88] within 3·10^-7 of its value, e^0 exactly 1. x = n·ln 2 + r with
 * ln 2 in two parts (Cody and Waite 1980), then 1 + r·q(r) with the q of degree 4 that is
 * closest to (e^r − 1)/r over |r| ≤ ln 2 / 2 (Chebyshev fit). */
CPU_INLINE float cpu_exp_inside(float x)
{
    const float integer = 0x1.8p23f; /* adding it rounds, n is left in the low bits */
    float shifted = x * 1.44269504f + integer;
    float n = shifted - integer;
    float r = x - n * 0x1.62e4p-1f; /* 14 bits: the product is exact */
    r -= n * 0x1.7f7d1cp-20f;
    float q = 0.008363173075f;
    q = q * r + 0.04187564445f;
    q = q * r + 0.1666657703f;
    q = q * r + 0.4999937214f;
    q = q * r + 1.0f;
    float power = asr_bits_to_float((asr_float_to_bits(shifted) << 23) + 0x3F800000u);
    return (q * r + 1.0f) * power;
}

/* e^x for any x; 0 below −87. */
CPU_INLINE float cpu_exp(float x)
{
    float inside = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    return x < -87.0f ? 0.0f : cpu_exp_inside(inside);
}

/* e^x for x ≤ 0 of a softmax; 0 below −60: what is 10^-26 of the largest weight changes
 * no f32 sum, but its products could be denormal, which take a hundred times as long. */
CPU_INLINE float cpu_exp_weight(float x)
{
    return x < -60.0f ? 0.0f : cpu_exp_inside(x);
}

/* erf(x) within 3·10^-7: x times a polynomial in x², fitted by Chebyshev's method over
 * |x| ≤ 3.92, beyond which erf is 1 in f32. The polynomial's variable runs from −1 to 1,
 * which keeps rounding errors small. */
CPU_INLINE float cpu_erf(float x)
{
    float z = x < -3.92f ? -3.92f : x > 3.92f ? 3.92f : x;
    float u = z * z * 0.1301541025f - 1.0f;
    float p = 0.002029422962f;
    p = p * u - 0.004557730067f;
    p = p * u + 0.002163919938f;
    p = p * u - 0.002918901107f;
    p = p * u + 0.0138725764f;
    p = p * u - 0.02361377282f;
    p = p * u + 0.02992906955f;
    p = p * u - 0.04195836888f;
    p = p * u + 0.05831439851f;
    p = p * u - 0.07432973514f;
    p = p * u + 0.09061067619f;
    p = p * u - 0.1091506048f;
    p = p * u + 0.1340836915f;
    p = p * u - 0.1801093918f;
    p = p * u + 0.3607368202f;
    return p * z;
}

CPU_INLINE float cpu_gelu(float x)
{
    return 0.5f * x * (1.0f + cpu_erf(x * 0.707106781f));
}

CPU_INLINE float cpu_silu(float x)
{
    return x / (1.0f + cpu_exp(-x));
}

#endif
