/* Results: guards and fences around them, and the comparison with the reference. */
#include "check.h"
#include "graph/half.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>

/* Rows of an output leaf beyond those that the result fills. */
#define GUARD_ROWS 5
/* Larger results go without a fence, which is three times their size. */
#define FENCE_MOST (1 << 14)

/* Every row a slot of its own anywhere in the leaf; now and then one outside it. */
static void draw_slots(check_run *run, int32_t *slot, int rows, int n_slots)
{
    static const int32_t outside[] = {-1, INT_MIN, INT_MAX};
    int next = 0;
    for (int r = 0; r < rows; r++) {
        int spare = n_slots - next - (rows - r);
        next += check_random_int(run, 0, spare < 2 ? spare : 2);
        slot[r] = next++;
    }
    for (int r = rows - 1; r > 0; r--) {
        int other = check_random_int(run, 0, r);
        int32_t held = slot[r];
        slot[r] = slot[other];
        slot[other] = held;
    }
    for (int r = 0; r < rows; r++)
        if (check_random_int(run, 0, 31) == 0)
            slot[r] =
                check_random(run) % 2 ? n_slots : outside[check_random_int(run, 0, 2)];
}

check_result check_result_new(check_case *c, asr_dtype dtype, int rows, int cols)
{
    check_result result = {.rows = rows, .cols = cols};
    if (c->run->bench) {
        result.out = check_output(c, ASR_F32, rows, 1);
        return result;
    }
    result.out = check_output(c, dtype, rows + GUARD_ROWS, cols);
    if (c->n_sample > 0 || check_random(c->run) % 2) {
        result.slot = check_input(c, ASR_I32, rows, 1, true);
        draw_slots(c->run, check_leaf_ints(result.slot), rows, rows + GUARD_ROWS);
    }
    if (c->n_sample == 0 && (size_t)rows * (size_t)cols <= FENCE_MOST) {
        result.fence = check_input(c, ASR_F32, rows, cols, false);
        check_leaf_fill(c, result.fence, CHECK_NORMAL, ASR_F32);
        for (int i = 0; i < 2; i++)
            result.fence_out[i] = check_output(c, ASR_F32, rows, cols);
    }
    return result;
}

/* The fence in the arena: before | hole | after, where the hole has the result's size
 * and is free when the result is placed. */
void check_result_begin(const check_graph *g, check_result *result)
{
    if (!result->fence)
        return;
    asr_tensor *leaf = check_use(g, result->fence);
    asr_tensor *before = asr_graph_add(g->graph, leaf, leaf);
    asr_tensor *hole = asr_graph_add(g->graph, before, leaf);
    result->fence_value[0] = before;
    result->fence_value[1] = asr_graph_add(g->graph, hole, before);
}

void check_result_end(const check_graph *g, check_result *result, asr_tensor *y)
{
    if (g->c->run->bench) /* enough to wait for, too little to count */
        y = asr_graph_columns(g->graph, y, 0, 1);
    asr_graph_store(g->graph, y, check_use(g, result->out), check_use(g, result->slot));
    if (result->fence)
        for (int i = 0; i < 2; i++)
            asr_graph_store(g->graph, result->fence_value[i],
                            check_use(g, result->fence_out[i]), NULL);
}

static bool is_sampled_row(const check_case *c, int row)
{
    if (c->n_sample == 0)
        return true;
    for (int i = 0; i < c->n_sample; i++)
        if (c->sample[i] == row)
            return true;
    return false;
}

/* The row of the result that output row `row` holds; −1: a guard. */
static int source_row(const check_result *result, int row)
{
    if (!result->slot)
        return row < result->rows ? row : -1;
    const int32_t *slot = check_leaf_ints(result->slot);
    for (int r = 0; r < result->rows; r++)
        if (slot[r] == row)
            return r;
    return -1;
}

static float element(const check_leaf *leaf, const void *data, size_t i)
{
    return leaf->matrix.dtype == ASR_F16 ? asr_f16_to_f32(((const uint16_t *)data)[i])
                                         : ((const float *)data)[i];
}

/* What a comparison found. */
typedef struct findings {
    int wrong, row, col; /* where the first one is */
    float actual, expected;
    double tolerance, largest;
} findings;

static void compare_row(findings *f, const check_leaf *leaf, const void *const data[2],
                        size_t first, int row, check_tolerance tolerance, void *context)
{
    for (int col = 0; col < leaf->matrix.cols; col++) {
        float actual = element(leaf, data[CHECK_TESTED], first + (size_t)col);
        float expected = element(leaf, data[CHECK_REFERENCE], first + (size_t)col);
        if (actual == expected)
            continue;
        double permitted = tolerance ? tolerance(context, row, col) : 0;
        double difference = fabs((double)actual - expected);
        if (difference <= permitted)
            continue;
        if (f->wrong++ == 0)
            *f = (findings){1, row, col, actual, expected, permitted, 0};
        if (!(difference <= f->largest))
            f->largest = difference;
    }
}

static void report(check_case *c, const findings *f, const char *what)
{
    if (f->wrong)
        check_fail(c,
                   "%s: %d wrong, the first at row %d, column %d: %.9g instead of %.9g, "
                   "tolerance %.3g; largest error %.3g",
                   what, f->wrong, f->row, f->col, (double)f->actual, (double)f->expected,
                   f->tolerance, f->largest);
}

static void compare_fence(check_case *c, const check_leaf *out)
{
    void *data[2];
    for (int side = 0; side < CHECK_SIDES; side++)
        data[side] = check_leaf_read(c, out, side);
    findings f = {0};
    for (int row = 0; row < out->matrix.rows; row++)
        compare_row(&f, out, (const void *const *)data,
                    (size_t)row * (size_t)out->matrix.cols, row, NULL, NULL);
    report(c, &f, "a neighbour in the arena was overwritten");
    free(data[0]);
    free(data[1]);
}

/* Guards must hold their pattern to the last bit; rows that the reference left out must
 * at least have been written. */
static void check_untouched(check_case *c, const check_result *result, const char *data,
                            int row, bool guard)
{
    size_t row_bytes = (size_t)result->cols * asr_dtype_size(result->out->matrix.dtype);
    size_t kept = 0;
    for (size_t i = 0; i < row_bytes; i++)
        kept += (unsigned char)data[(size_t)row * row_bytes + i] == CHECK_GUARD_BYTE;
    if (guard && kept != row_bytes)
        check_fail(c, "guard row %d of the output was overwritten", row);
    if (!guard && kept == row_bytes)
        check_fail(c, "row %d of the output was not written", row);
}

void check_result_compare(check_case *c, const check_result *result,
                          check_tolerance tolerance, void *context)
{
    void *data[2];
    for (int side = 0; side < CHECK_SIDES; side++)
        data[side] = check_leaf_read(c, result->out, side);
    findings f = {0};
    for (int row = 0; row < result->out->matrix.rows; row++) {
        int source = source_row(result, row);
        if (source >= 0 && is_sampled_row(c, source))
            compare_row(&f, result->out, (const void *const *)data,
                        (size_t)row * (size_t)result->cols, source, tolerance, context);
        else
            check_untouched(c, result, data[CHECK_TESTED], row, source < 0);
    }
    report(c, &f, "result");
    free(data[0]);
    free(data[1]);
    if (result->fence)
        for (int i = 0; i < 2; i++)
            compare_fence(c, result->fence_out[i]);
}

void check_result_compare_cosine(check_case *c, const check_result *result, double least)
{
    void *data[2];
    for (int side = 0; side < CHECK_SIDES; side++)
        data[side] = check_leaf_read(c, result->out, side);
    double xy = 0, xx = 0, yy = 0;
    for (int row = 0; row < result->out->matrix.rows; row++)
        for (int col = 0; source_row(result, row) >= 0 && col < result->cols; col++) {
            size_t i = (size_t)row * (size_t)result->cols + (size_t)col;
            double x = element(result->out, data[0], i);
            double y = element(result->out, data[1], i);
            xy += x * y;
            xx += x * x;
            yy += y * y;
        }
    /* With every row's slot outside the leaf there is nothing to compare. */
    double cosine = xx == 0 && yy == 0 ? 1 : xy / sqrt(xx * yy);
    if (!(cosine >= least))
        check_fail(c, "cosine %.6f, at least %.6f wanted", cosine, least);
    free(data[0]);
    free(data[1]);
}
