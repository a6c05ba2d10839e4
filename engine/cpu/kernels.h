/* What one instruction set does for the backend: the innermost loops, as tables of
 * functions. The sources kernels-*.c are compiled once for each instruction set and fill
 * one table each; isa.c chooses among them.
 *
 * Pointers need no more alignment than their elements, and lengths are any, unless said
 * otherwise. */
#ifndef CPU_KERNELS_H
#define CPU_KERNELS_H

#include "graph/graph.h"

/* Outputs of a matrix product that are computed side by side. A packed weight is a
 * sequence of panels, each the weights of 16 outputs: [k / group][16][group]. Rows and k
 * are padded with zeros. */
#define CPU_PANEL 16

typedef struct cpu_product_args {
    const char *x;   /* staged rows */
    size_t x_stride; /* bytes */
    int rows;
    int k; /* padded */
    const char *panels;
    size_t panel_stride; /* bytes */
    int n_panels;
    void *sums; /* [rows, n_panels·16] */
    int sums_stride;
} cpu_product_args;

/* How products with one type of weight work. */
typedef struct cpu_product {
    int group;     /* values along k side by side in a panel */
    int k_align;   /* k is padded to a multiple of this, itself a multiple of `group` */
    size_t x_size; /* bytes of one staged value of x */
    bool shifted;  /* staged values have 128 added: 128·Σw is too much in every sum */
    /* Writes x[n] as `run` reads it, with zeros up to k; returns the scale that sums are
     * to be multiplied with. */
    float (*stage)(const float *x, int n, int k, void *staged);
    /* sums[r][c] = Σ x[r][i]·w[c][i]: i32 for i8 weights, f32 for others. */
    void (*run)(const cpu_product_args *args);
} cpu_product;

/* What follows a product, for n columns of one row:
 * out = act((sum − offset)·row_scale·scale + bias) + residual. */
typedef struct cpu_finish {
    int n;
    float row_scale;
    const int32_t *offsets; /* of i32 sums */
    const float *scales;    /* of i32 sums */
    const float *bias;      /* or NULL */
    const float *residual;  /* or NULL */
    asr_activation act;
    float *out;
} cpu_finish;

typedef struct cpu_row_kernels {
    void (*finish_i32)(const cpu_finish *finish, const int32_t *sums);
    void (*finish_f32)(const cpu_finish *finish, const float *sums);
    void (*layer_norm)(const float *x, int n, const float *gain, const float *bias,
                       float eps, float *out);
    void (*add)(const float *a, const float *b, int n, float *out);
    void (*to_f16)(const float *x, int n, uint16_t *out);
    void (*from_f16)(const uint16_t *x, int n, float *out);
} cpu_row_kernels;

/* Keys or values of one head: rows of f32 or f16. */
typedef struct cpu_key_rows {
    const void *data;     /* of row 0, at the head's first column */
    size_t row_stride;    /* elements */
    const int32_t *index; /* rows in their order; NULL: 0, 1, 2, … */
    int count;
    int dim;
    bool is_f16;
} cpu_key_rows;

typedef struct cpu_attention_kernels {
    /* Few rows of q [rows, dim]: scores[r][i] = scale·q[r]·k[i]. */
    void (*dot_keys)(const cpu_key_rows *keys, const float *q, size_t q_stride, int rows,
                     float scale, float *scores, size_t scores_stride);
    /* out[r] += Σ weights[r][i]·v[i]. */
    void (*mix_values)(const cpu_key_rows *values, const float *weights,
                       size_t weights_stride, int rows, float *out, size_t out_stride);
    /* x becomes exp(x − max x); returns its sum. */
    float (*softmax)(float *x, int n);
    void (*scale)(const float *x, int n, float factor, float *out);
    /* Many rows of q: keys (times `factor`) and values packed as the panels of a product
     * with f32 or bf16 weights. Panel `panel` of q·kᵀ holds 16 keys, k their padded
     * length. The panels of weights·v hold 16 columns each; rows [first, last) are
     * packed, of which those beyond the values are zeros. `first` is even; so is `last`
     * in bf16, and in f32 it is at most the values' count. */
    void (*pack_keys)(const cpu_key_rows *keys, float factor, int panel, int k,
                      bool to_bf16, void *out);
    void (*pack_values)(const cpu_key_rows *values, int first, int last, bool to_bf16,
                        size_t panel_stride, void *out);
} cpu_attention_kernels;

typedef struct cpu_pick_kernels {
    float (*max)(const float *x, int n);
    /* out = x + mask; returns the largest. */
    float (*add_mask)(const float *x, const float *mask, int n, float *out);
    /* Σ exp(x − max). */
    double (*sum_exp)(const float *x, int n, float max);
    /* The first i ≥ first with x[i] > threshold, or n. */
    int (*next_above)(const float *x, int first, int n, float threshold);
} cpu_pick_kernels;

typedef struct cpu_kernels {
    const char *name; /* "AVX-512 VNNI" */
    const cpu_product *i8, *bf16, *f16, *f32;
    const cpu_row_kernels *row;
    const cpu_attention_kernels *attention;
    const cpu_pick_kernels *pick;
} cpu_kernels;

/* Each source of kernels defines its tables under names that end in its CPU_ISA. */
#define CPU_PASTE_(a, b) cpu_##a##_kernels_##b
#define CPU_PASTE(a, b) CPU_PASTE_(a, b)
#define CPU_TABLE(group) CPU_PASTE(group, CPU_ISA)

#endif
