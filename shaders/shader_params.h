/* The push constants of every shader, in the common subset of C and GLSL.
 *
 * A matrix operand is `offset`, where its element (0, 0) is, and `stride`, the elements
 * from one row to the next. At most 128 bytes each, which every device has. */
#ifndef ASR_SHADER_PARAMS_H
#define ASR_SHADER_PARAMS_H

/* The `ACTIVATION` specialisation constant: the values of asr_activation. */
#define ACT_NONE 0
#define ACT_GELU 1
#define ACT_RELU 2
#define ACT_SILU 3

/* The `…DTYPE` specialisation constants: the values of asr_dtype. */
#define DTYPE_F32 0
#define DTYPE_F16 1
#define DTYPE_BF16 2
#define DTYPE_I8 3

/* LINEAR and CONV1D: y [rows, cols] = act(patches of x · wᵀ + bias) + residual. Row r's
 * patch is the `depth` elements from row r·step − pad of x [x_rows, x_cols] on. Also of
 * quantise, where y is the patches as int8. */
struct matmul_params {
    int rows, cols, depth;
    int x_offset, x_stride, x_rows, x_cols;
    int step, pad;
    int w_stride;
    int residual_offset, residual_stride;
};

struct layer_norm_params {
    int cols;
    int x_offset, x_stride;
    float eps;
};

struct add_params {
    int rows, cols;
    int a_offset, a_stride;
    int b_offset, b_stride;
};

struct rows_params {
    int rows, cols;
    int table_rows, table_stride, index_stride;
};

struct store_params {
    int rows, cols;
    int x_offset, x_stride;
    int leaf_rows, leaf_stride;
    int slot_stride; /* 0: row r goes to row r */
};

/* The attentions: `keys` is how many rows k has, `table_cols` how many of them a row of
 * the table can list, `splits` in how many parts a row's keys are gone through. */
struct attention_params {
    int rows, dim, keys;
    int heads, heads_per_kv; /* heads of q; those that share one of k */
    int q_offset, q_stride;
    int k_offset, k_stride;
    int v_offset, v_stride;
    int table_cols, table_stride, length_stride;
    int splits;
    float scale;
};

struct pick_params {
    int vocabulary;
    int logits_offset, logits_stride;
    int mask_rows, mask_stride;
    int rules_stride, ids_stride, scores_stride;
    int chunks;
};

#endif
