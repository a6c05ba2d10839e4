/* A model's weights in the form its graphs want.
 *
 * A family lists what it needs as recipes: which tensors of the checkpoint, stacked how,
 * checked against which shape. The first time, the checkpoint is converted by the list,
 * a tensor at a time, into one file under the cache directory; from then on that file is
 * mapped and used in place. Where no cache can be written the converted form lives in
 * memory. */
#ifndef ASR_WEIGHTS_H
#define ASR_WEIGHTS_H

#include "graph/backend.h"
#include "weights/checkpoint.h"

typedef enum asr_weight_kind {
    ASR_WEIGHT_VECTOR, /* f32; parts side by side: [1, Σ lengths] */
    ASR_WEIGHT_TABLE,  /* f32 matrix: positions */
    ASR_WEIGHT_MATRIX, /* matrix in the dtype asked for; parts stacked by rows */
    ASR_WEIGHT_CONV1D, /* [out, in, taps] → matrix [out, taps·in], dtype asked for */
} asr_weight_kind;

#define ASR_WEIGHT_MAX_PARTS 3
#define ASR_WEIGHT_NAME 96

typedef struct asr_weight_part {
    char name[ASR_WEIGHT_NAME]; /* in the checkpoint */
    bool optional;              /* zeros when the checkpoint has none */
} asr_weight_part;

/* One matrix to make. All parts have the same shape: [rows/n_parts, cols] for matrices,
 * [cols/n_parts] for vectors (rows is 1), [rows, cols/taps, taps] for CONV1D. */
typedef struct asr_weight_recipe {
    char name[ASR_WEIGHT_NAME]; /* in the converted form */
    asr_weight_kind kind;
    int rows, cols;
    int taps;       /* CONV1D */
    bool sensitive; /* computed with more bits than the rest when that is i8 */
    int n_parts;
    asr_weight_part parts[ASR_WEIGHT_MAX_PARTS];
} asr_weight_recipe;

typedef struct asr_weights_params {
    const char *directory;       /* of the model */
    const char *cache_directory; /* created when missing; NULL: keep no cache */
    asr_dtype matrix_dtype;      /* f32, f16, bf16 or i8 */
    asr_dtype sensitive_dtype;   /* of sensitive matrices when matrix_dtype is i8 */
    const asr_weight_recipe *recipes;
    size_t n_recipes;
} asr_weights_params;

/* Converted weights. Read-only; may be shared between threads. */
typedef struct asr_weights asr_weights;

/* NULL with a message when a tensor is missing or has another shape than its recipe. */
asr_weights *asr_weights_open(const asr_weights_params *params, asr_error *error);
void asr_weights_destroy(asr_weights **weights);

/* The matrix of a recipe's name, which must be one of those given. Borrowed. */
asr_matrix asr_weights_matrix(const asr_weights *weights, const char *name);

/* Lets pages that a backend has packed leave the resident set. */
void asr_weights_release_pages(const asr_weights *weights);

#endif
