/* Products with f32, f16 and bf16 weights: x stays f32, weights are widened, sums are
 * f32. Only with AMX is x rounded to bf16 where the weights are: AVX-512's own product of
 * bf16 pairs measures slower than widening on Intel, tiles are seven times faster. */
#include "cpu/kernels-simd.h"
#include "cpu/kernels.h"

#include <string.h>

#define PARTS (CPU_PANEL / VF_WIDTH) /* vectors that make up a panel */
#if VF_WIDTH == 16
#define ROWS 8
#define PANELS 2
#elif VF_WIDTH == 8
#define ROWS 6
#define PANELS 1
#else
#define ROWS 3
#define PANELS 1
#endif

static float stage_f32(const float *x, int n, int k, void *staged)
{
    memcpy(staged, x, (size_t)n * sizeof(*x));
    memset((float *)staged + n, 0, (size_t)(k - n) * sizeof(*x));
    return 1;
}

CPU_INLINE void clear(vf acc[ROWS][PANELS * PARTS])
{
#pragma GCC unroll 16
    for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 16
        for (int v = 0; v < PANELS * PARTS; v++)
            acc[r][v] = (vf){0};
}

CPU_INLINE void store_block(const cpu_product_args *a, int row, int panel, int rows,
                            int panels, const vf acc[ROWS][PANELS * PARTS])
{
    float *sums =
        (float *)a->sums + (size_t)row * (size_t)a->sums_stride + panel * CPU_PANEL;
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 16
        for (int v = 0; v < panels * PARTS; v++)
            vf_store(sums + r * a->sums_stride + v * VF_WIDTH, acc[r][v]);
}

/* A block of a product whose panels hold one value along k: f32, or f16 when `is_f16`. */
CPU_INLINE void block_single(const cpu_product_args *a, int row, int panel, int rows,
                             int panels, bool is_f16)
{
    const float *x = (const float *)(a->x + (size_t)row * a->x_stride);
    size_t x_stride = a->x_stride / sizeof(*x);
    size_t size = is_f16 ? sizeof(uint16_t) : sizeof(float);
    const char *w = a->panels + (size_t)panel * a->panel_stride;
    vf acc[ROWS][PANELS * PARTS];
    clear(acc);
    for (int k = 0; k < a->k; k++, w += CPU_PANEL * size) {
        vf group[PANELS * PARTS];
#pragma GCC unroll 16
        for (int v = 0; v < panels * PARTS; v++) {
            const char *p = w + (size_t)(v / PARTS) * a->panel_stride +
                            (size_t)(v % PARTS * VF_WIDTH) * size;
            group[v] =
                is_f16 ? vf_load_f16((const uint16_t *)p) : vf_load((const float *)p);
        }
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            vf value = vf_set(x[(size_t)r * x_stride + (size_t)k]);
#pragma GCC unroll 16
            for (int v = 0; v < panels * PARTS; v++)
                acc[r][v] += value * group[v];
        }
    }
    store_block(a, row, panel, rows, panels, acc);
}

#if defined(__AMX_BF16__)

static float stage_bf16(const float *x, int n, int k, void *staged)
{
    uint16_t *out = staged;
    int i = 0;
    for (; i + 16 <= n; i += 16)
        _mm256_storeu_si256((__m256i *)(out + i),
                            (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(x + i)));
    for (; i < n; i++)
        out[i] = asr_f32_to_bf16(x[i]);
    memset(out + n, 0, (size_t)(k - n) * sizeof(*out));
    return 1;
}

CPU_INLINE void block_bf16(const cpu_product_args *a, int row, int panel, int rows,
                           int panels)
{
    const char *x = a->x + (size_t)row * a->x_stride;
    const char *w = a->panels + (size_t)panel * a->panel_stride;
    vf acc[ROWS][PANELS * PARTS];
    clear(acc);
    for (int k = 0; k < a->k; k += 2, w += CPU_PANEL * 4) {
        __m512bh group[PANELS];
#pragma GCC unroll 16
        for (int v = 0; v < panels; v++)
            group[v] = (__m512bh)_mm512_loadu_si512(w + (size_t)v * a->panel_stride);
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            int pair;
            memcpy(&pair, x + (size_t)r * a->x_stride + 2 * (size_t)k, sizeof(pair));
            __m512bh value = (__m512bh)_mm512_set1_epi32(pair);
#pragma GCC unroll 16
            for (int v = 0; v < panels; v++)
                acc[r][v] = (vf)_mm512_dpbf16_ps((__m512)acc[r][v], value, group[v]);
        }
    }
    store_block(a, row, panel, rows, panels, acc);
}

#else

typedef uint32_t vu __attribute__((vector_size(4 * VF_WIDTH)));

CPU_INLINE void block_bf16(const cpu_product_args *a, int row, int panel, int rows,
                           int panels)
{
    const float *x = (const float *)(a->x + (size_t)row * a->x_stride);
    size_t x_stride = a->x_stride / sizeof(*x);
    const char *w = a->panels + (size_t)panel * a->panel_stride;
    vf acc[ROWS][PANELS * PARTS];
    clear(acc);
    for (int k = 0; k < a->k; k += 2, w += CPU_PANEL * 4)
#pragma GCC unroll 16
        for (int v = 0; v < panels * PARTS; v++) {
            vu pair;
            memcpy(&pair,
                   w + (size_t)(v / PARTS) * a->panel_stride + v % PARTS * VF_WIDTH * 4,
                   sizeof(pair));
            vf first = (vf)(pair << 16), second = (vf)(pair & 0xFFFF0000u);
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++) {
                const float *p = x + (size_t)r * x_stride + k;
                acc[r][v] += vf_set(p[0]) * first;
                acc[r][v] += vf_set(p[1]) * second;
            }
        }
    store_block(a, row, panel, rows, panels, acc);
}

#endif

#define BLOCKS_NAME run_f32
#define BLOCK(a, row, panel, rows, panels)                                               \
    block_single(a, row, panel, rows, panels, false)
#include "cpu/kernels-blocks.h"

#define BLOCKS_NAME run_f16
#define BLOCK(a, row, panel, rows, panels) block_single(a, row, panel, rows, panels, true)
#include "cpu/kernels-blocks.h"

#define BLOCKS_NAME run_bf16
#define BLOCK(a, row, panel, rows, panels) block_bf16(a, row, panel, rows, panels)
#include "cpu/kernels-blocks.h"

#if defined(__AMX_BF16__)
#define TILES_NAME run_tiles
#define TILES_DOT _tile_dpbf16ps
#define TILES_REST run_bf16
#include "cpu/kernels-amx.h"
#endif

extern const cpu_product CPU_TABLE(f32), CPU_TABLE(f16), CPU_TABLE(bf16);
const cpu_product CPU_TABLE(f32) = {
    .group = 1,
    .k_align = 1,
    .x_size = sizeof(float),
    .stage = stage_f32,
    .run = run_f32,
};
const cpu_product CPU_TABLE(f16) = {
    .group = 1,
    .k_align = 1,
    .x_size = sizeof(float),
    .stage = stage_f32,
    .run = run_f16,
};
const cpu_product CPU_TABLE(bf16) = {
    .group = 2,
#if defined(__AMX_BF16__)
    .k_align = TILE_BYTES / 2,
    .x_size = sizeof(uint16_t),
    .stage = stage_bf16,
    .run = run_tiles,
#else
    .k_align = 2,
    .x_size = sizeof(float),
    .stage = stage_f32,
    .run = run_bf16,
#endif
};
