/* Checking a backend's operations against the reference, in the manner of dav1d's
 * checkasm: random and edge inputs, odd shapes, guards around every result, and
 * benchmarks from the same binary.
 *
 * A case has leaves (weights, inputs, outputs) that exist on two sides, the reference and
 * the backend under test. One build function makes the same graph on both; each case
 * runs twice with new inputs, as plans are replayed, and its results are compared. */
#ifndef CHECK_H
#define CHECK_H

#include "graph/backend.h"

#define CHECK_EPS 0x1p-23     /* of f32 */
#define CHECK_GUARD_BYTE 0xA5 /* what outputs hold before a run */

typedef enum check_side { CHECK_REFERENCE, CHECK_TESTED, CHECK_SIDES } check_side;

/* One function on one device. */
typedef struct check_run {
    const char *device;
    const char *function;
    asr_backend *backend[CHECK_SIDES];
    uint64_t seed;  /* as printed */
    uint64_t state; /* of the random numbers; starts from the seed and the function */
    bool large;     /* whether the shapes of real models are affordable on the device */
    bool bench;
    double peak_flops, peak_bytes; /* with `bench`: the machine's, in a second */
    int n_cases, n_failures;
} check_run;

/* What a leaf is filled with. */
typedef enum check_fill {
    CHECK_NORMAL,   /* standard normal, or nearly */
    CHECK_ZERO,     /* all zero */
    CHECK_EQUAL,    /* one value everywhere */
    CHECK_HUGE_ROW, /* one row of thousands, the others of thousandths */
    CHECK_MAX,      /* ± the largest that an f16 twice as large still holds */
    CHECK_DENORMAL, /* far below the smallest normal f32 */
    CHECK_FILLS
} check_fill;

typedef struct check_leaf {
    asr_matrix matrix; /* what both sides hold before a run */
    bool is_weight, is_output;
    bool is_kept;    /* written before the first run only: state that plans change */
    bool is_sampled; /* the reference holds the case's sampled rows only */
    asr_usage usage;
    asr_buffer *buffer[CHECK_SIDES];
} check_leaf;

#define CHECK_MAX_LEAVES 40
#define CHECK_MAX_SAMPLE 6

typedef struct check_case {
    check_run *run;
    char label[320];
    check_leaf leaves[CHECK_MAX_LEAVES];
    int n_leaves;
    int sample[CHECK_MAX_SAMPLE], n_sample; /* rows that the reference computes */
    asr_plan *plan[CHECK_SIDES];
    int round;
    bool failed;
} check_case;

/* A graph under construction on one side. */
typedef struct check_graph {
    check_case *c;
    check_side side;
    asr_graph *graph;
} check_graph;

typedef void (*check_build)(check_graph *g, void *data);

/* The largest permitted |result − reference| at a row (of the computed matrix) and
 * column. Asked row by row, so that what a row has in common can be kept in `data`. */
typedef double (*check_tolerance)(void *data, int row, int col);

/* Zeroed; no memory ends the program. */
void *check_allocate(size_t count, size_t size);

uint32_t check_random(check_run *run);
/* In [low, high]. */
int check_random_int(check_run *run, int low, int high);
float check_random_normal(check_run *run);
/* One of the sizes at which kernels break: 1, 2, 3, around powers of two; ≤ most. */
int check_random_size(check_run *run, int most);

const char *check_dtype_name(asr_dtype dtype);
/* `value` as a leaf of `dtype` would hold it (i8: unchanged). */
float check_round(asr_dtype dtype, float value);

/* A case with a description for when it fails. Never NULL: no memory ends the program. */
check_case *check_case_begin(check_run *run, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void check_case_end(check_case **c);

/* Adds to the case's description. */
void check_describe(check_case *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Fails the case, with its description and the seed. */
void check_fail(check_case *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* From now on leaves made with `sampled` exist on the reference side with a few rows
 * only, the first and last of `rows` among them; elsewhere it would take minutes. */
void check_sample_rows(check_case *c, int rows);

/* Leaves of zeros, owned by the case. A weight must be filled before check_case_build().
 */
check_leaf *check_weight(check_case *c, asr_dtype dtype, int rows, int cols);
check_leaf *check_input(check_case *c, asr_dtype dtype, int rows, int cols, bool sampled);

/* Fills a float or i8 leaf, with values that `round_to` holds exactly. i8 weights get
 * random scales. */
void check_leaf_fill(check_case *c, check_leaf *leaf, check_fill fill,
                     asr_dtype round_to);
void check_leaf_scale(check_leaf *leaf, float factor); /* f32, in place */
/* Normal values of a given standard deviation; i8 leaves as check_leaf_fill() does. */
void check_leaf_fill_scaled(check_case *c, check_leaf *leaf, float deviation);
/* Element (row, col) as f32. */
float check_leaf_value(const check_leaf *leaf, int row, int col);
int32_t *check_leaf_ints(check_leaf *leaf);
float *check_leaf_floats(check_leaf *leaf);

/* The leaf in a graph; NULL for NULL. */
asr_tensor *check_use(const check_graph *g, check_leaf *leaf);

/* A f32 matrix as an operation may meet it: a leaf, a computed matrix, or a slice of the
 * columns of a computed one. Computed ones are twice their leaf. */
typedef struct check_operand {
    check_leaf *leaf;
    enum { CHECK_AS_LEAF, CHECK_AS_COMPUTED, CHECK_AS_COLUMNS } form;
    int first_col, cols;
} check_operand;

/* In a random form, described; contiguous: not as a slice. */
check_operand check_operand_new(check_case *c, int rows, int cols, bool contiguous);
float check_operand_value(const check_operand *x, int row, int col);
asr_tensor *check_operand_use(const check_graph *g, const check_operand *x);

/* A computed matrix on its way out: stored into an output leaf, at random slots or in
 * order, amid guard rows that must stay as they were; in the arena it lies between two
 * computed matrices (the fence), which must come out right as well. */
typedef struct check_result {
    int rows, cols;
    check_leaf *out, *slot;
    check_leaf *fence, *fence_out[2];
    asr_tensor *fence_value[2];
} check_result;

/* `dtype` is the output leaf's: f32 or f16. */
check_result check_result_new(check_case *c, asr_dtype dtype, int rows, int cols);
/* In a build function, around what makes `y`. */
void check_result_begin(const check_graph *g, check_result *result);
void check_result_end(const check_graph *g, check_result *result, asr_tensor *y);
/* Compares both sides after check_case_run(). */
void check_result_compare(check_case *c, const check_result *result,
                          check_tolerance tolerance, void *data);
/* Fails unless the cosine between the whole results is at least `least`. */
void check_result_compare_cosine(check_case *c, const check_result *result, double least);

/* Creates buffers and plans on both sides. False with the case failed. */
bool check_case_build(check_case *c, check_build build, void *data);
/* Writes all inputs, resets the outputs and runs both plans. */
bool check_case_run(check_case *c);

/* Reads a whole output leaf, for a case's own comparison; free() it. */
void *check_leaf_read(check_case *c, const check_leaf *leaf, check_side side);

/* Adds an output leaf without guards (ASR_OP_PICK writes its leaves itself). */
check_leaf *check_output(check_case *c, asr_dtype dtype, int rows, int cols);

/* Times `build` on the tested side and prints one row of the table: `n` operations of
 * `flops` and `bytes` each. */
void check_case_bench(check_case *c, check_build build, void *data, int n, double flops,
                      double bytes);

/* The functions: each checks or benchmarks one operation with weights of `dtype`. */
void check_linear(check_run *run, asr_dtype dtype);
void check_conv1d(check_run *run, asr_dtype dtype);
void check_layer_norm(check_run *run, asr_dtype dtype);
void check_add(check_run *run, asr_dtype dtype);
void check_rows(check_run *run, asr_dtype dtype);
void check_store(check_run *run, asr_dtype dtype);
void check_attention(check_run *run, asr_dtype dtype);
void check_attention_cached(check_run *run, asr_dtype dtype);
void check_attention_weights(check_run *run, asr_dtype dtype);
void check_pick(check_run *run, asr_dtype dtype);
void check_encoder_block(check_run *run, asr_dtype dtype);
void check_decoder_step(check_run *run, asr_dtype dtype);

#endif
