/* Kernels for attention.
 *
 * Few rows of q (a decoding step) read keys and values where they lie, as memory is what
 * limits them. Many rows (an encoder) are matrix products over packed panels. */
#include "cpu/kernels-simd.h"
#include "cpu/kernels.h"

#include <string.h>

/* Rows of q at a time. */
#define MAX_ROWS 6

CPU_INLINE const char *row_of(const cpu_key_rows *rows, int i)
{
    size_t row = rows->index ? (size_t)rows->index[i] : (size_t)i;
    return (const char *)rows->data +
           row * rows->row_stride * (rows->is_f16 ? sizeof(uint16_t) : sizeof(float));
}

CPU_INLINE vf load_vector(const char *row, int d, bool is_f16)
{
    return is_f16 ? vf_load_f16((const uint16_t *)row + d)
                  : vf_load((const float *)row + d);
}

CPU_INLINE float load_value(const char *row, int d, bool is_f16)
{
    return is_f16 ? asr_f16_to_f32(((const uint16_t *)row)[d]) : ((const float *)row)[d];
}

/* Columns of q that are kept in vectors; heads are rarely wider. */
#define HEAD_VECTORS (256 / VF_WIDTH)

/* A few rows of q, side by side for each vector of columns. */
typedef struct query {
    vf vectors[HEAD_VECTORS][MAX_ROWS];
    const float *q; /* for the columns beyond */
    size_t stride;
    int n_vectors;
    float scale;
} query;

/* Asks for row i, which will be needed soon: rows lie too far apart for the processor to
 * guess. */
CPU_INLINE void prefetch_row(const cpu_key_rows *rows, int i, bool is_f16)
{
    if (i >= rows->count)
        return;
    const char *row = row_of(rows, i);
    size_t bytes = (size_t)rows->dim * (is_f16 ? sizeof(uint16_t) : sizeof(float));
    for (size_t at = 0; at < bytes; at += 64)
        __builtin_prefetch(row + at);
}

/* Products, lane by lane, of one key with `rows` rows of q, a constant where this is
 * inlined. */
CPU_INLINE void dot_key(const query *q, const cpu_key_rows *keys, const char *key,
                        int rows, bool is_f16, vf *sums)
{
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
        sums[r] = (vf){0};
    for (int v = 0; v < q->n_vectors; v++) {
        vf values = load_vector(key, v * VF_WIDTH, is_f16);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
            sums[r] += q->vectors[v][r] * values;
    }
    for (int d = q->n_vectors * VF_WIDTH; d < keys->dim; d++)
        for (int r = 0; r < rows; r++)
            sums[r][0] +=
                q->q[(size_t)r * q->stride + (size_t)d] * load_value(key, d, is_f16);
}

/* Scores of up to VF_WIDTH keys from `first`. Lanes are summed at the end, when one
 * shuffle serves many keys. */
CPU_INLINE void dot_key_group(const query *q, const cpu_key_rows *keys, int first,
                              int rows, bool is_f16, float *scores, size_t scores_stride)
{
    vf partial[MAX_ROWS][VF_WIDTH];
    int count = keys->count - first < VF_WIDTH ? keys->count - first : VF_WIDTH;
    for (int i = 0; i < VF_WIDTH; i++) {
        vf sums[MAX_ROWS];
        prefetch_row(keys, first + i + VF_WIDTH, is_f16);
        dot_key(q, keys, row_of(keys, first + (i < count ? i : 0)), rows, is_f16, sums);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
            partial[r][i] = sums[r];
    }
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
        for (int n = VF_WIDTH / 2; n > 0; n /= 2)
#pragma GCC unroll 8
            for (int i = 0; i < n; i++)
                partial[r][i] = vf_pair_sums(partial[r][2 * i], partial[r][2 * i + 1]);
        vf scaled = partial[r][0] * vf_set(q->scale);
        float *out = scores + (size_t)r * scores_stride + first;
        if (count == VF_WIDTH)
            vf_store(out, scaled);
        else
            for (int i = 0; i < count; i++)
                out[i] = scaled[i];
    }
}

CPU_INLINE void dot_rows(const cpu_key_rows *keys, const float *q, size_t q_stride,
                         int rows, float scale, float *scores, size_t scores_stride)
{
    query few; /* its vectors are many: only those in use are set */
    few.q = q;
    few.stride = q_stride;
    few.scale = scale;
    few.n_vectors = keys->dim / VF_WIDTH;
    if (few.n_vectors > HEAD_VECTORS)
        few.n_vectors = HEAD_VECTORS;
    for (int v = 0; v < few.n_vectors; v++)
        for (int r = 0; r < rows; r++)
            few.vectors[v][r] = vf_load(q + (size_t)r * q_stride + v * VF_WIDTH);
    for (int i = 0; i < keys->count; i += VF_WIDTH) {
        if (keys->is_f16)
            dot_key_group(&few, keys, i, rows, true, scores, scores_stride);
        else
            dot_key_group(&few, keys, i, rows, false, scores, scores_stride);
    }
}

/* Vectors along the head's columns whose sums for MAX_ROWS rows fit the registers. */
#if VF_WIDTH == 16
#define MIX_VECTORS 4
#else
#define MIX_VECTORS 2
#endif

/* Values between two visits to the same columns: few enough to stay in the nearest cache
 * although they lie a row apart. */
#define MIX_BLOCK 16

/* Adds values [first, last) of `vectors` vectors of columns from d. */
CPU_INLINE void mix_block(const cpu_key_rows *values, int first, int last, int d,
                          int vectors, const float *weights, size_t weights_stride,
                          int rows, bool is_f16, float *out, size_t out_stride)
{
    vf acc[MAX_ROWS][MIX_VECTORS];
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            acc[r][v] = vf_load(out + (size_t)r * out_stride + d + v * VF_WIDTH);
    for (int i = first; i < last; i++) {
        const char *row = row_of(values, i);
        if (d == 0)
            prefetch_row(values, i + MIX_BLOCK, is_f16);
        vf x[MIX_VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            x[v] = load_vector(row, d + v * VF_WIDTH, is_f16);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            vf weight = vf_set(weights[(size_t)r * weights_stride + (size_t)i]);
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                acc[r][v] += weight * x[v];
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            vf_store(out + (size_t)r * out_stride + d + v * VF_WIDTH, acc[r][v]);
}

CPU_INLINE void mix_rows(const cpu_key_rows *values, const float *weights,
                         size_t weights_stride, int rows, bool is_f16, float *out,
                         size_t out_stride)
{
    for (int first = 0; first < values->count; first += MIX_BLOCK) {
        int last = first + MIX_BLOCK < values->count ? first + MIX_BLOCK : values->count;
        int d = 0;
        for (; d + MIX_VECTORS * VF_WIDTH <= values->dim; d += MIX_VECTORS * VF_WIDTH)
            mix_block(values, first, last, d, MIX_VECTORS, weights, weights_stride, rows,
                      is_f16, out, out_stride);
        for (; d + VF_WIDTH <= values->dim; d += VF_WIDTH)
            mix_block(values, first, last, d, 1, weights, weights_stride, rows, is_f16,
                      out, out_stride);
        for (; d < values->dim; d++)
            for (int i = first; i < last; i++)
                for (int r = 0; r < rows; r++)
                    out[(size_t)r * out_stride + (size_t)d] +=
                        weights[(size_t)r * weights_stride + (size_t)i] *
                        load_value(row_of(values, i), d, is_f16);
    }
}

/* Calls f(…, rows, …) with `rows` a constant, so that its loops over rows unroll. */
#define FOR_ROWS(rows, f)                                                                \
    switch (rows) {                                                                      \
    case 1:                                                                              \
        f(1);                                                                            \
        break;                                                                           \
    case 2:                                                                              \
        f(2);                                                                            \
        break;                                                                           \
    case 3:                                                                              \
        f(3);                                                                            \
        break;                                                                           \
    case 4:                                                                              \
        f(4);                                                                            \
        break;                                                                           \
    case 5:                                                                              \
        f(5);                                                                            \
        break;                                                                           \
    case 6:                                                                              \
        f(6);                                                                            \
        break;                                                                           \
    }

static void dot_keys(const cpu_key_rows *keys, const float *q, size_t q_stride, int rows,
                     float scale, float *scores, size_t scores_stride)
{
#define DOT(n) dot_rows(keys, q, q_stride, n, scale, scores, scores_stride)
    for (; rows > MAX_ROWS; rows -= MAX_ROWS) {
        DOT(MAX_ROWS);
        q += MAX_ROWS * q_stride;
        scores += MAX_ROWS * scores_stride;
    }
    FOR_ROWS(rows, DOT)
#undef DOT
}

static void mix_values(const cpu_key_rows *values, const float *weights,
                       size_t weights_stride, int rows, float *out, size_t out_stride)
{
#define MIX(n)                                                                           \
    if (values->is_f16)                                                                  \
        mix_rows(values, weights, weights_stride, n, true, out, out_stride);             \
    else                                                                                 \
        mix_rows(values, weights, weights_stride, n, false, out, out_stride)
    for (; rows > MAX_ROWS; rows -= MAX_ROWS) {
        MIX(MAX_ROWS);
        weights += MAX_ROWS * weights_stride;
        out += MAX_ROWS * out_stride;
    }
    FOR_ROWS(rows, MIX)
#undef MIX
}

static float softmax(float *x, int n)
{
    float max = vf_max_of(x, n, false, -INFINITY), sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < n; i++) {
        x[i] = cpu_exp_weight(x[i] - max);
        sum += x[i];
    }
    return sum;
}

static void scale(const float *x, int n, float factor, float *out)
{
    for (int i = 0; i < n; i++)
        out[i] = x[i] * factor;
}

/* Columns that are packed at a time: what is in work stays in the nearest cache. */
#define PACK_COLUMNS 64

/* out[d·stride] = factor·row[first + d]. */
CPU_INLINE void load_columns(const cpu_key_rows *rows, int i, int first, int count,
                             float factor, float *restrict out, int stride)
{
    const char *row = row_of(rows, i);
    if (rows->is_f16)
        for (int d = 0; d < count; d++)
            out[d * stride] = load_value(row, first + d, true) * factor;
    else
        for (int d = 0; d < count; d++)
            out[d * stride] = load_value(row, first + d, false) * factor;
}

/* The values at k and k + 1 of each output of a panel, side by side in bf16. */
CPU_INLINE void store_pairs(const float *restrict first, const float *restrict second,
                            uint32_t *restrict out)
{
    for (int i = 0; i < CPU_PANEL; i++)
        out[i] = asr_f32_to_bf16(first[i]) | (uint32_t)asr_f32_to_bf16(second[i]) << 16;
}

static void pack_keys(const cpu_key_rows *keys, float factor, int panel, int k,
                      bool to_bf16, void *out)
{
    int first_key = panel * CPU_PANEL;
    for (int first = 0; first < k; first += PACK_COLUMNS) {
        float block[PACK_COLUMNS][CPU_PANEL] = {0};
        int count = k - first < PACK_COLUMNS ? k - first : PACK_COLUMNS;
        int inside = keys->dim - first < count ? keys->dim - first : count;
        for (int i = 0; i < CPU_PANEL && first_key + i < keys->count; i++)
            load_columns(keys, first_key + i, first, inside, factor, &block[0][i],
                         CPU_PANEL);
        if (to_bf16)
            for (int d = 0; d < count; d += 2)
                store_pairs(block[d], block[d + 1],
                            (uint32_t *)out + (first + d) / 2 * CPU_PANEL);
        else
            memcpy((float *)out + first * CPU_PANEL, block,
                   (size_t)count * sizeof(block[0]));
    }
}

/* Two values, which are side by side in bf16, into all panels. */
static void pack_two_values(const cpu_key_rows *values, int row, bool to_bf16,
                            size_t panel_stride, char *out)
{
    for (int first = 0; first < values->dim; first += PACK_COLUMNS) {
        float block[2][PACK_COLUMNS] = {0};
        int rest = values->dim - first;
        int inside = rest < PACK_COLUMNS ? rest : PACK_COLUMNS;
        for (int i = 0; i < 2 && row + i < values->count; i++)
            load_columns(values, row + i, first, inside, 1, block[i], 1);
        for (int d = 0; d < inside; d += CPU_PANEL) {
            char *panel = out + (size_t)((first + d) / CPU_PANEL) * panel_stride;
            if (to_bf16) {
                store_pairs(&block[0][d], &block[1][d],
                            (uint32_t *)panel + row / 2 * CPU_PANEL);
            } else {
                float *at = (float *)panel + (size_t)row * CPU_PANEL;
                size_t bytes = CPU_PANEL * sizeof(float);
                memcpy(at, &block[0][d], bytes);
                if (row + 1 < values->count)
                    memcpy(at + CPU_PANEL, &block[1][d], bytes);
            }
        }
    }
}

static void pack_values(const cpu_key_rows *values, int first, int last, bool to_bf16,
                        size_t panel_stride, void *out)
{
    for (int row = first; row < last; row += 2)
        pack_two_values(values, row, to_bf16, panel_stride, out);
}

extern const cpu_attention_kernels CPU_TABLE(attention);
const cpu_attention_kernels CPU_TABLE(attention) = {
    .dot_keys = dot_keys,
    .mix_values = mix_values,
    .softmax = softmax,
    .scale = scale,
    .pack_keys = pack_keys,
    .pack_values = pack_values,
};
