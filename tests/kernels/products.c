/* LINEAR and CONV1D: matrix products with a bias, an activation and a residual.
 *
 * Tolerance. x is rounded to the weight's dtype beforehand, so only the order and the
 * precision of the sum differ: an f32 sum of K products is permitted
 *
 *     2·ε·√K·‖x‖·‖w‖
 *
 * (a random walk of roundings has ε·‖x‖·‖w‖; the root covers runs of one sign; one lost
 * product, or one sum in f16, is far outside). With i8 weights both sides quantise and
 * the integer sum is exact, which leaves 4·ε for the two scales; where x·127/max lies
 * within 10⁻⁴ of a half, the step may go either way. */
#include "check.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#define TIE_WIDTH 1e-4

typedef struct product {
    asr_dtype dtype;
    int rows, cols, inner; /* of the result; length of a sum */
    int kernel, stride, pad;
    bool is_conv, exact_ties;
    asr_activation act;
    check_operand x, residual;
    check_leaf *weights[16], *bias;
    int n_weights; /* above 1 only in benchmarks: as many products */
    check_result result;
    double *weight_norm;    /* [cols] */
    double *x_norm, *x_max; /* [rows] */
    int *ties, n_ties;      /* where row ties_row of x is about to round either way */
    int ties_row;
} product;

static void build_product(check_graph *g, void *data)
{
    product *p = data;
    asr_tensor *x = check_operand_use(g, &p->x);
    asr_tensor *residual = check_operand_use(g, &p->residual);
    asr_tensor *bias = check_use(g, p->bias), *y = NULL;
    check_result_begin(g, &p->result);
    for (int i = 0; i < p->n_weights; i++) {
        asr_tensor *weight = check_use(g, p->weights[i]);
        if (p->is_conv)
            y = asr_graph_conv1d(g->graph, x, weight, bias, p->kernel, p->stride, p->pad,
                                 p->act);
        else
            y = asr_graph_linear(g->graph, x, weight, bias, p->act, residual);
    }
    check_result_end(g, &p->result, y);
}

/* Value i of the row of x that makes row `row` of the result. */
static float x_value(const product *p, int row, int i)
{
    int at = row * p->stride - p->pad + i / p->x.cols;
    bool inside = at >= 0 && at < p->x.leaf->matrix.rows;
    return inside ? check_operand_value(&p->x, at, i % p->x.cols) : 0;
}

static void find_norms(product *p)
{
    for (int n = 0; n < p->cols; n++) {
        double sum = 0;
        for (int i = 0; i < p->inner; i++)
            sum += pow(check_leaf_value(p->weights[0], n, i), 2);
        p->weight_norm[n] = sqrt(sum);
    }
    for (int r = 0; r < p->rows; r++) {
        double sum = 0, max = 0;
        for (int i = 0; i < p->inner; i++) {
            double value = x_value(p, r, i);
            sum += value * value;
            max = fmax(max, fabs(value));
        }
        p->x_norm[r] = sqrt(sum);
        p->x_max[r] = max;
    }
}

static void find_ties(product *p, int row)
{
    double max = p->x_max[row];
    p->ties_row = row;
    p->n_ties = 0;
    for (int i = 0; i < p->inner && max > 0; i++) {
        double q = fabs(x_value(p, row, i)) * 127 / max;
        if (fabs(q - floor(q) - 0.5) < TIE_WIDTH)
            p->ties[p->n_ties++] = i;
    }
}

/* What the steps that may go either way can add up to. */
static double tie_tolerance(product *p, int row, int col)
{
    double sum = 0;
    if (p->ties_row != row)
        find_ties(p, row);
    for (int i = 0; i < p->n_ties; i++)
        sum += fabs(check_leaf_value(p->weights[0], col, p->ties[i]));
    return sum * p->x_max[row] / 127;
}

static double product_tolerance(void *data, int row, int col)
{
    product *p = data;
    double k = p->inner;
    double size = p->x_norm[row] * p->weight_norm[col];
    double sum_error = 2 * CHECK_EPS * sqrt(k) * size;
    if (p->dtype == ASR_I8) {
        double step = p->x_max[row] / 127;
        sum_error =
            4 * CHECK_EPS * (p->x_norm[row] + sqrt(k) * step) * p->weight_norm[col];
        if (!p->exact_ties)
            sum_error += tie_tolerance(p, row, col);
    }
    double before_act = size + (p->bias ? fabs(check_leaf_value(p->bias, 0, col)) : 0);
    double residual =
        p->residual.leaf ? fabs(check_operand_value(&p->residual, row, col)) : 0;
    double act_error = p->act == ASR_ACT_GELU || p->act == ASR_ACT_SILU ? 5e-7 : 0;
    /* Denormals may be flushed, in either factor. */
    double flushed = FLT_MIN * (sqrt(k) * (p->x_norm[row] + p->weight_norm[col]) + k);
    return 1.2 * sum_error + 2 * CHECK_EPS * (before_act + residual) +
           act_error * before_act + 2 * flushed;
}

/* Rows of one 127 and halves: the scale is 1, and each value a tie that goes to even. */
static void fill_ties(check_case *c, product *p)
{
    float *x = check_leaf_floats(p->x.leaf);
    float factor = p->x.form == CHECK_AS_LEAF ? 1 : 0.5f;
    int cols = p->x.leaf->matrix.cols;
    for (int r = 0; r < p->rows; r++) {
        for (int i = 0; i < cols; i++)
            x[r * cols + i] =
                ((float)check_random_int(c->run, -127, 126) + 0.5f) * factor;
        x[r * cols + p->x.first_col] = 127 * factor;
    }
}

static void run_product(check_case *c, product *p, check_fill fill)
{
    asr_dtype round_to = p->dtype == ASR_I8 ? ASR_F32 : p->dtype;
    p->weight_norm = check_allocate((size_t)p->cols, sizeof(double));
    p->x_norm = check_allocate((size_t)p->rows, sizeof(double));
    p->x_max = check_allocate((size_t)p->rows, sizeof(double));
    p->ties = check_allocate((size_t)p->inner, sizeof(int));
    bool ok = check_case_build(c, build_product, p);
    for (int round = 0; ok && round < 2; round++) {
        if (p->exact_ties)
            fill_ties(c, p);
        else
            check_leaf_fill(c, p->x.leaf, fill, round_to);
        if (p->residual.leaf)
            check_leaf_fill(c, p->residual.leaf, CHECK_NORMAL, ASR_F32);
        ok = check_case_run(c);
        if (ok) {
            find_norms(p);
            p->ties_row = -1;
            check_result_compare(c, &p->result, product_tolerance, p);
        }
    }
    free(p->weight_norm);
    free(p->x_norm);
    free(p->x_max);
    free(p->ties);
}

/* Weight, bias, residual and result, once x is there. */
static void complete_product(check_case *c, product *p, check_fill weight_fill)
{
    p->n_weights = 1;
    p->weights[0] = check_weight(c, p->dtype, p->cols, p->inner);
    check_leaf_fill(c, p->weights[0], weight_fill, ASR_F32);
    if (check_random(c->run) % 4) {
        p->bias = check_weight(c, ASR_F32, 1, p->cols);
        check_leaf_fill(c, p->bias, CHECK_NORMAL, ASR_F32);
        check_describe(c, ", bias");
    }
    p->act = check_random_int(c->run, ASR_ACT_NONE, ASR_ACT_SILU);
    check_describe(c, ", activation %d, fill", p->act);
    p->result = check_result_new(c, ASR_F32, p->rows, p->cols);
}

static void check_linear_case(check_run *run, asr_dtype dtype, const int shape[3],
                              check_fill x_fill, check_fill weight_fill, bool exact_ties)
{
    bool large = (double)shape[0] * shape[1] * shape[2] > 4e6;
    check_case *c = check_case_begin(run, "%d×%d × %d, fills %d and %d, x", shape[0],
                                     shape[1], shape[2], x_fill, weight_fill);
    product p = {.dtype = dtype,
                 .rows = shape[0],
                 .inner = shape[1],
                 .cols = shape[2],
                 .stride = 1,
                 .exact_ties = exact_ties};
    if (large)
        check_sample_rows(c, p.rows);
    p.x = check_operand_new(c, p.rows, p.inner, false);
    if (check_random(run) % 3 == 0) {
        check_describe(c, ", residual");
        p.residual = check_operand_new(c, p.rows, p.cols, false);
    }
    complete_product(c, &p, weight_fill);
    run_product(c, &p, x_fill);
    check_case_end(&c);
}

static void bench_linear(check_run *run, asr_dtype dtype, const int shape[3])
{
    check_case *c = check_case_begin(run, "%d×%d × %d", shape[0], shape[1], shape[2]);
    product p = {.dtype = dtype, .rows = shape[0], .inner = shape[1], .cols = shape[2]};
    p.x = (check_operand){check_input(c, ASR_F32, p.rows, p.inner, false), CHECK_AS_LEAF,
                          0, p.inner};
    check_leaf_fill(c, p.x.leaf, CHECK_NORMAL, ASR_F32);
    p.bias = check_weight(c, ASR_F32, 1, p.cols);
    double products = (double)p.rows * p.inner * p.cols;
    double weight_bytes = (double)p.inner * p.cols * (double)asr_dtype_size(dtype);
    p.n_weights = weight_bytes > 8e6 ? 1 : products > 1e8 ? 4 : 16;
    for (int i = 0; i < p.n_weights; i++) {
        p.weights[i] = check_weight(c, dtype, p.cols, p.inner);
        check_leaf_fill(c, p.weights[i], CHECK_NORMAL, ASR_F32);
    }
    p.result = check_result_new(c, ASR_F32, p.rows, p.cols);
    check_case_bench(c, build_product, &p, p.n_weights, 2 * products,
                     weight_bytes + 4.0 * p.rows * (p.inner + p.cols));
    check_case_end(&c);
}

void check_linear(check_run *run, asr_dtype dtype)
{
    static const int large[][3] = {{1500, 512, 2048}, {1500, 2048, 512}, {1500, 512, 512},
                                   {5, 512, 5003},    {1, 1280, 5120},   {251, 384, 1537},
                                   {3, 1024, 6001}};
    static const int bench[][3] = {{1500, 512, 2048}, {1500, 512, 512}, {1500, 2048, 512},
                                   {5, 512, 51865},   {5, 512, 2048},   {5, 512, 512},
                                   {1, 512, 51865},   {1, 512, 2048},   {1, 512, 512}};
    for (size_t i = 0; run->bench && i < sizeof(bench) / sizeof(bench[0]); i++)
        bench_linear(run, dtype, bench[i]);
    if (run->bench)
        return;
    for (int i = 0; i < 60; i++) {
        int shape[3] = {check_random_size(run, 130), check_random_size(run, 300),
                        check_random_size(run, 300)};
        if ((double)shape[0] * shape[1] * shape[2] > 2e6)
            shape[0] = check_random_size(run, 5);
        check_fill x_fill = i < 24 ? CHECK_NORMAL : i % CHECK_FILLS;
        check_fill w_fill = i < 24 ? CHECK_NORMAL : i / CHECK_FILLS % CHECK_FILLS;
        check_linear_case(run, dtype, shape, x_fill, w_fill, false);
    }
    for (int i = 0; dtype == ASR_I8 && i < 6; i++) {
        int shape[3] = {check_random_size(run, 17), check_random_size(run, 130), 33};
        check_linear_case(run, dtype, shape, CHECK_NORMAL, CHECK_NORMAL, true);
    }
    for (size_t i = 0; run->large && i < sizeof(large) / sizeof(large[0]); i++)
        check_linear_case(run, dtype, large[i], CHECK_NORMAL, CHECK_NORMAL, false);
}

/* kernel, stride, pad; x is [rows, channels]; `cols` channels result. */
static product conv_of(asr_dtype dtype, int rows, int channels, int cols, const int k[3])
{
    return (product){.dtype = dtype,
                     .is_conv = true,
                     .kernel = k[0],
                     .stride = k[1],
                     .pad = k[2],
                     .inner = k[0] * channels,
                     .cols = cols,
                     .rows = (rows + 2 * k[2] - k[0]) / k[1] + 1};
}

static void check_conv1d_case(check_run *run, asr_dtype dtype, check_fill fill)
{
    int k[3] = {check_random_int(run, 1, 5), check_random_int(run, 1, 3), 0};
    k[2] = check_random_int(run, 0, k[0] - 1);
    int rows = check_random_size(run, 130), channels = check_random_size(run, 97);
    if (rows + 2 * k[2] < k[0])
        rows = k[0];
    product p = conv_of(dtype, rows, channels, check_random_size(run, 65), k);
    check_case *c =
        check_case_begin(run, "%d×%d, kernel %d, stride %d, pad %d → %d, fill %d, x",
                         rows, channels, k[0], k[1], k[2], p.cols, fill);
    p.x = check_operand_new(c, rows, channels, true);
    complete_product(c, &p, CHECK_NORMAL);
    run_product(c, &p, fill);
    check_case_end(&c);
}

static void bench_conv1d(check_run *run, asr_dtype dtype, int rows, int channels,
                         int stride)
{
    const int k[3] = {3, stride, 1};
    product p = conv_of(dtype, rows, channels, 512, k);
    check_case *c =
        check_case_begin(run, "%d×%d, 3 taps, stride %d → 512", rows, channels, stride);
    p.act = ASR_ACT_GELU;
    p.x = (check_operand){check_input(c, ASR_F32, rows, channels, false), CHECK_AS_LEAF,
                          0, channels};
    check_leaf_fill(c, p.x.leaf, CHECK_NORMAL, ASR_F32);
    p.n_weights = 1;
    p.weights[0] = check_weight(c, dtype, p.cols, p.inner);
    check_leaf_fill(c, p.weights[0], CHECK_NORMAL, ASR_F32);
    p.result = check_result_new(c, ASR_F32, p.rows, p.cols);
    check_case_bench(c, build_product, &p, 1, 2.0 * p.rows * p.inner * p.cols,
                     4.0 * (rows * channels + p.rows * p.cols) +
                         (double)p.inner * p.cols * (double)asr_dtype_size(dtype));
    check_case_end(&c);
}

void check_conv1d(check_run *run, asr_dtype dtype)
{
    if (run->bench) {
        bench_conv1d(run, dtype, 3000, 80, 1);
        bench_conv1d(run, dtype, 3000, 512, 2);
        return;
    }
    for (int i = 0; i < 40; i++)
        check_conv1d_case(run, dtype, i < 20 ? CHECK_NORMAL : i % CHECK_FILLS);
}
