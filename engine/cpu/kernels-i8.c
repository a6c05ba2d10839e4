/* Products with i8 weights: sums exact in i32.
 *
 * A panel holds four values along k of each of 16 outputs side by side. Where the
 * processor multiplies u8 by i8 and adds four products at once (VNNI), x is staged as
 * q + 128 in u8. Elsewhere x is staged in i16: the instruction that multiplies u8 by i8
 * saturates at 16 bits, the one for pairs of i16 does not. */
#include "cpu/kernels-simd.h"
#include "cpu/kernels.h"

#include <string.h>

#define GROUP 4

/* vi: a vector of i32 sums. PARTS of them make up a panel; in each, SPREAD neighbouring
 * lanes belong to one output. A block of ROWS × PANELS fits the registers. */
#if defined(__AVX512VNNI__)
typedef __m512i vi;
#define PARTS 1
#define SPREAD 1
#define ROWS 6
#define PANELS 4
#define SHIFTED 1
#elif defined(__AVXVNNI__)
typedef __m256i vi;
#define PARTS 2
#define SPREAD 1
#define ROWS 6
#define PANELS 1
#define SHIFTED 1
#elif defined(__AVX512BW__)
typedef __m512i vi;
#define PARTS 2
#define SPREAD 2
#define ROWS 8
#define PANELS 1
#define SHIFTED 0
#elif defined(__AVX2__)
typedef __m256i vi;
#define PARTS 4
#define SPREAD 2
#define ROWS 3
#define PANELS 1
#define SHIFTED 0
#elif defined(__SSE4_1__)
typedef __m128i vi;
#define PARTS 8
#define SPREAD 2
#define ROWS 1
#define PANELS 1
#define SHIFTED 0
#endif

#if defined(SHIFTED) && SHIFTED
typedef uint8_t staged;
#define ZERO 128
#else
typedef int16_t staged;
#define ZERO 0
#endif

static float stage(const float *restrict x, int n, int k, void *out)
{
    staged *restrict q = out;
    float max = vf_max_of(x, n, true, 0);
    float inverse = max > 0 ? 127.0f / max : 0;
    const float integer = 0x1.8p23f; /* adding it rounds to nearest, ties to even */
    for (int i = 0; i < n; i++) {
        float shifted = x[i] * inverse + integer;
        q[i] = (staged)(asr_float_to_bits(shifted) - asr_float_to_bits(integer) + ZERO);
    }
    for (int i = n; i < k; i++)
        q[i] = ZERO;
    return max / 127.0f;
}

#if defined(PARTS)

CPU_INLINE vi broadcast(const staged *x)
{
#if SHIFTED
    int32_t four;
#else
    int64_t four;
#endif
    memcpy(&four, x, sizeof(four));
#if defined(__AVX512VNNI__)
    return _mm512_set1_epi32(four);
#elif defined(__AVXVNNI__)
    return _mm256_set1_epi32(four);
#elif defined(__AVX512BW__)
    return _mm512_set1_epi64(four);
#elif defined(__AVX2__)
    return _mm256_set1_epi64x(four);
#else
    return _mm_set1_epi64x(four);
#endif
}

/* Part `part` of one group of a panel, widened as x is. */
CPU_INLINE vi load_weights(const char *group, int part)
{
    const char *p = group + part * (CPU_PANEL * GROUP / PARTS);
#if defined(__AVX512VNNI__)
    return _mm512_loadu_si512(p);
#elif defined(__AVXVNNI__)
    return _mm256_loadu_si256((const __m256i *)p);
#elif defined(__AVX512BW__)
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)p));
#elif defined(__AVX2__)
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)p));
#else
    return _mm_cvtepi8_epi16(_mm_loadl_epi64((const __m128i *)p));
#endif
}

CPU_INLINE vi dot(vi sum, vi x, vi w)
{
#if defined(__AVX512VNNI__)
    return _mm512_dpbusd_epi32(sum, x, w);
#elif defined(__AVXVNNI__)
    return _mm256_dpbusd_avx_epi32(sum, x, w);
#elif defined(__AVX512BW__)
    return _mm512_add_epi32(sum, _mm512_madd_epi16(x, w));
#elif defined(__AVX2__)
    return _mm256_add_epi32(sum, _mm256_madd_epi16(x, w));
#else
    return _mm_add_epi32(sum, _mm_madd_epi16(x, w));
#endif
}

CPU_INLINE void store_panel(int32_t *sums, const vi *acc)
{
    int32_t lanes[CPU_PANEL * SPREAD];
    memcpy(SPREAD == 1 ? sums : lanes, acc, PARTS * sizeof(vi));
    for (int i = 0; SPREAD == 2 && i < CPU_PANEL; i++)
        sums[i] = lanes[2 * i] + lanes[2 * i + 1];
}

/* `rows` rows times `panels` panels; both are constants where this is inlined. */
CPU_INLINE void block(const cpu_product_args *a, int row, int panel, int rows, int panels)
{
    const char *x[ROWS];
    vi acc[ROWS][PANELS * PARTS];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
        x[r] = a->x + (size_t)(row + r) * a->x_stride;
#pragma GCC unroll 16
        for (int v = 0; v < panels * PARTS; v++)
            acc[r][v] = (vi){0};
    }
    const char *w = a->panels + (size_t)panel * a->panel_stride;
    for (int k = 0; k < a->k; k += GROUP) {
        vi group[PANELS * PARTS];
#pragma GCC unroll 16
        for (int v = 0; v < panels * PARTS; v++)
            group[v] = load_weights(w + (size_t)(v / PARTS) * a->panel_stride, v % PARTS);
        w += CPU_PANEL * GROUP;
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            vi four = broadcast((const staged *)x[r] + k);
#pragma GCC unroll 16
            for (int v = 0; v < panels * PARTS; v++)
                acc[r][v] = dot(acc[r][v], four, group[v]);
        }
    }
    int32_t *sums = (int32_t *)a->sums + (size_t)row * (size_t)a->sums_stride;
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 16
        for (int p = 0; p < panels; p++)
            store_panel(sums + r * a->sums_stride + (panel + p) * CPU_PANEL,
                        &acc[r][p * PARTS]);
}

#else /* plain C */

#define ROWS 1
#define PANELS 1

CPU_INLINE void block(const cpu_product_args *a, int row, int panel, int rows, int panels)
{
    (void)rows, (void)panels;
    const staged *x = (const staged *)(a->x + (size_t)row * a->x_stride);
    const int8_t *w = (const int8_t *)a->panels + (size_t)panel * a->panel_stride;
    int32_t acc[CPU_PANEL] = {0};
    for (int k = 0; k < a->k; k += GROUP, w += CPU_PANEL * GROUP)
        for (int c = 0; c < CPU_PANEL; c++)
            acc[c] += x[k] * w[4 * c] + x[k + 1] * w[4 * c + 1] +
                      x[k + 2] * w[4 * c + 2] + x[k + 3] * w[4 * c + 3];
    memcpy((int32_t *)a->sums + (size_t)row * (size_t)a->sums_stride + panel * CPU_PANEL,
           acc, sizeof(acc));
}

#endif

#define BLOCKS_NAME run
#define BLOCK block
#include "cpu/kernels-blocks.h"

#if defined(__AMX_INT8__)
#define TILES_NAME run_tiles
#define TILES_DOT _tile_dpbusd
#define TILES_REST run
#include "cpu/kernels-amx.h"
#define K_ALIGN TILE_BYTES
#else
#define run_tiles run
#define K_ALIGN GROUP
#endif

extern const cpu_product CPU_TABLE(i8);
const cpu_product CPU_TABLE(i8) = {
    .group = GROUP,
    .k_align = K_ALIGN,
    .x_size = sizeof(staged),
    .shifted = ZERO != 0,
    .stage = stage,
    .run = run_tiles,
};
