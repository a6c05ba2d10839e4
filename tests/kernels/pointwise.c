/* LAYER_NORM, ADD, ROWS and STORE. The last three are exact: one rounding at most, the
 * same everywhere; but a device may convert f32 to f16 in another direction than to
 * nearest, so that a stored f16 is permitted to be its neighbour. */
#include "check.h"

#include <limits.h>
#include <math.h>

typedef struct pointwise {
    check_operand a, b;
    check_leaf *table, *index, *gain, *bias;
    float eps;
    int n; /* operations; above 1 only in benchmarks */
    check_result result;
    asr_dtype stored; /* STORE: the leaf's dtype */
    int row;          /* LAYER_NORM: whose statistics these are; −1: no row's */
    double mean, deviation, max;
} pointwise;

static void build_layer_norm(check_graph *g, void *data)
{
    pointwise *p = data;
    asr_tensor *x = check_operand_use(g, &p->a), *y = x;
    asr_tensor *gain = check_use(g, p->gain), *bias = check_use(g, p->bias);
    check_result_begin(g, &p->result);
    for (int i = 0; i < p->n; i++)
        y = asr_graph_layer_norm(g->graph, x, gain, bias, p->eps);
    check_result_end(g, &p->result, y);
}

static void find_row_stats(pointwise *p, int row)
{
    int cols = p->a.cols;
    double variance = 0;
    p->row = row;
    p->mean = p->max = 0;
    for (int i = 0; i < cols; i++) {
        double x = check_operand_value(&p->a, row, i);
        p->mean += x / cols;
        p->max = fmax(p->max, fabs(x));
    }
    for (int i = 0; i < cols; i++)
        variance += pow(check_operand_value(&p->a, row, i) - p->mean, 2) / cols;
    p->deviation = sqrt(variance + p->eps);
}

/* The mean's error, a random walk of C roundings, is seen through 1/σ; it may also
 * displace every deviation that the variance is made of. */
static double layer_norm_tolerance(void *data, int row, int col)
{
    pointwise *p = data;
    if (p->row != row)
        find_row_stats(p, row);
    double y = fabs(check_operand_value(&p->a, row, col) - p->mean) / p->deviation;
    double gain = fabs(check_leaf_value(p->gain, 0, col));
    double bias = fabs(check_leaf_value(p->bias, 0, col));
    double mean_error = CHECK_EPS * (2 + sqrt(p->a.cols) / 4) * p->max / p->deviation;
    return gain * (mean_error * (1 + y) + 8 * CHECK_EPS * y) +
           2 * CHECK_EPS * (bias + gain * y) + 1e-35;
}

static void make_layer_norm(check_case *c, pointwise *p, int rows, int cols)
{
    static const float eps[] = {1e-5f, 1e-6f, 1e-12f};
    p->n = 1;
    p->eps = eps[check_random_int(c->run, 0, 2)];
    p->gain = check_weight(c, ASR_F32, 1, cols);
    p->bias = check_weight(c, ASR_F32, 1, cols);
    check_leaf_fill(c, p->gain, CHECK_NORMAL, ASR_F32);
    check_leaf_fill(c, p->bias, CHECK_NORMAL, ASR_F32);
    p->result = check_result_new(c, ASR_F32, rows, cols);
}

static void check_layer_norm_case(check_run *run, int rows, int cols, check_fill fill)
{
    check_case *c = check_case_begin(run, "%d×%d, fill %d, x", rows, cols, fill);
    if (rows * cols > 200000)
        check_sample_rows(c, rows);
    pointwise p = {.a = check_operand_new(c, rows, cols, false)};
    make_layer_norm(c, &p, rows, cols);
    bool ok = check_case_build(c, build_layer_norm, &p);
    for (int round = 0; ok && round < 2; round++) {
        check_leaf_fill(c, p.a.leaf, fill, ASR_F32);
        if (check_random(run) % 4 == 0) /* far from zero beside its deviation */
            for (int i = 0; i < rows * p.a.leaf->matrix.cols; i++)
                check_leaf_floats(p.a.leaf)[i] += 100;
        ok = check_case_run(c);
        p.row = -1;
        if (ok)
            check_result_compare(c, &p.result, layer_norm_tolerance, &p);
    }
    check_case_end(&c);
}

static void bench_layer_norm(check_run *run, int rows, int cols)
{
    check_case *c = check_case_begin(run, "%d×%d", rows, cols);
    pointwise p = {
        .a = {check_input(c, ASR_F32, rows, cols, false), CHECK_AS_LEAF, 0, cols}};
    check_leaf_fill(c, p.a.leaf, CHECK_NORMAL, ASR_F32);
    make_layer_norm(c, &p, rows, cols);
    p.n = 16;
    check_case_bench(c, build_layer_norm, &p, p.n, 8.0 * rows * cols, 8.0 * rows * cols);
    check_case_end(&c);
}

void check_layer_norm(check_run *run, asr_dtype dtype)
{
    (void)dtype;
    if (run->bench) {
        bench_layer_norm(run, 1500, 512);
        bench_layer_norm(run, 5, 512);
        return;
    }
    for (int i = 0; i < 50; i++)
        check_layer_norm_case(run, check_random_size(run, 130),
                              check_random_size(run, 300),
                              i < 20 ? CHECK_NORMAL : i % CHECK_FILLS);
    if (run->large) {
        check_layer_norm_case(run, 1500, 512, CHECK_NORMAL);
        check_layer_norm_case(run, 3, 5003, CHECK_NORMAL);
    }
}

static void build_add(check_graph *g, void *data)
{
    pointwise *p = data;
    asr_tensor *a = check_operand_use(g, &p->a);
    asr_tensor *b = p->table ? check_use(g, p->table) : check_operand_use(g, &p->b);
    check_result_begin(g, &p->result);
    check_result_end(g, &p->result, asr_graph_add(g->graph, a, b));
}

/* b is an operand, or a leaf with more rows than a. */
static void check_add_case(check_run *run, int rows, int cols, check_fill fill)
{
    check_case *c = check_case_begin(run, "%d×%d, fill %d, a", rows, cols, fill);
    pointwise p = {.a = check_operand_new(c, rows, cols, false)};
    if (check_random(run) % 2) {
        check_describe(c, ", b");
        p.b = check_operand_new(c, rows, cols, false);
    } else {
        int more = check_random_int(run, 1, 20);
        check_describe(c, ", b a leaf with %d more rows", more);
        p.table = check_input(c, ASR_F32, rows + more, cols, false);
    }
    p.result = check_result_new(c, ASR_F32, rows, cols);
    bool ok = check_case_build(c, build_add, &p);
    for (int round = 0; ok && round < 2; round++) {
        check_leaf_fill(c, p.a.leaf, fill, ASR_F32);
        check_leaf_fill(c, p.table ? p.table : p.b.leaf, CHECK_NORMAL, ASR_F32);
        ok = check_case_run(c);
        if (ok)
            check_result_compare(c, &p.result, NULL, NULL);
    }
    check_case_end(&c);
}

void check_add(check_run *run, asr_dtype dtype)
{
    (void)dtype;
    if (run->bench)
        return;
    for (int i = 0; i < 40; i++) { /* no denormals: the sum may be flushed */
        check_fill fill = i < 20 ? CHECK_NORMAL : i % CHECK_DENORMAL;
        check_add_case(run, check_random_size(run, 130), check_random_size(run, 300),
                       fill);
    }
    if (run->large)
        check_add_case(run, 1500, 512, CHECK_NORMAL);
}

static void build_rows(check_graph *g, void *data)
{
    pointwise *p = data;
    asr_tensor *index = check_use(g, p->index), *table = check_use(g, p->table);
    check_result_begin(g, &p->result);
    check_result_end(g, &p->result, asr_graph_rows(g->graph, table, index));
}

static void fill_index(check_run *run, check_leaf *index, int n_rows)
{
    static const int32_t outside[] = {-1, INT_MIN, INT_MAX};
    for (int r = 0; r < index->matrix.rows; r++) {
        int32_t row = check_random_int(run, 0, n_rows - 1);
        if (check_random_int(run, 0, 9) == 0)
            row = check_random(run) % 2 ? n_rows : outside[check_random_int(run, 0, 2)];
        check_leaf_ints(index)[r] = row;
    }
}

void check_rows(check_run *run, asr_dtype dtype)
{
    for (int i = 0; i < 20 && !run->bench; i++) {
        int rows = check_random_size(run, 130), cols = check_random_size(run, 130);
        int n = check_random_size(run, 130);
        check_case *c = check_case_begin(run, "%d of %d×%d", n, rows, cols);
        pointwise p = {.table = check_weight(c, dtype, rows, cols),
                       .index = check_input(c, ASR_I32, n, 1, false)};
        check_leaf_fill(c, p.table, CHECK_NORMAL, ASR_F32);
        p.result = check_result_new(c, ASR_F32, n, cols);
        bool ok = check_case_build(c, build_rows, &p);
        for (int round = 0; ok && round < 2; round++) {
            fill_index(run, p.index, rows);
            ok = check_case_run(c);
            if (ok)
                check_result_compare(c, &p.result, NULL, NULL);
        }
        check_case_end(&c);
    }
}

static void build_store(check_graph *g, void *data)
{
    pointwise *p = data;
    asr_tensor *x = check_operand_use(g, &p->a);
    check_result_begin(g, &p->result);
    check_result_end(g, &p->result, x);
}

static double store_tolerance(void *data, int row, int col)
{
    const pointwise *p = data;
    double x = fabs(check_operand_value(&p->a, row, col));
    return p->stored == ASR_F16 ? 0x1p-10 * x + 0x1p-24 : 0;
}

/* `dtype` is the leaf's that is stored to. */
void check_store(check_run *run, asr_dtype dtype)
{
    for (int i = 0; i < 40 && !run->bench; i++) {
        int rows = check_random_size(run, 130), cols = check_random_size(run, 130);
        check_fill fill = i < 20 ? CHECK_NORMAL : i % CHECK_DENORMAL;
        check_case *c = check_case_begin(run, "%d×%d, fill %d, x", rows, cols, fill);
        pointwise p = {.a = check_operand_new(c, rows, cols, false), .stored = dtype};
        p.result = check_result_new(c, dtype, rows, cols);
        bool ok = check_case_build(c, build_store, &p);
        for (int round = 0; ok && round < 2; round++) {
            check_leaf_fill(c, p.a.leaf, fill, ASR_F32);
            ok = check_case_run(c);
            if (ok)
                check_result_compare(c, &p.result, store_tolerance, &p);
        }
        check_case_end(&c);
    }
}
