/* ATTENTION, ATTENTION_CACHED and ATTENTION_WEIGHTS.
 *
 * Tolerance. Scores are sums of D products in f32, so each is off by at most about
 * δ = 2·ε·√D·scale·‖q‖·max‖k‖; that and the exponential's own error (10⁻⁶, relative)
 * move each weight by a factor of 1 ± (2·δ + 10⁻⁶), and the sum over T keys rounds once
 * more. Weights add up to 1, so the result is off by at most that times max|v|. */
#include "check.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct attention {
    int rows, keys, n_heads, n_kv_heads, dim;
    float scale;
    check_operand q, k, v;       /* k and v unused where the leaves are */
    check_leaf *k_leaf, *v_leaf; /* caches, f32 or f16 */
    check_leaf *table, *length;  /* ATTENTION_CACHED */
    check_leaf *heads;           /* ATTENTION_WEIGHTS */
    int n;                       /* operations; above 1 only in benchmarks */
    double k_norm, v_max;        /* the largest over all keys and heads */
    check_result result;
} attention;

static void build_attention(check_graph *g, void *data)
{
    attention *p = data;
    asr_tensor *q = check_operand_use(g, &p->q), *y = NULL;
    asr_tensor *k = p->k_leaf ? check_use(g, p->k_leaf) : check_operand_use(g, &p->k);
    asr_tensor *v = p->v_leaf ? check_use(g, p->v_leaf) : check_operand_use(g, &p->v);
    asr_tensor *table = check_use(g, p->table), *length = check_use(g, p->length);
    asr_tensor *heads = check_use(g, p->heads);
    check_result_begin(g, &p->result);
    for (int i = 0; i < p->n; i++) {
        if (heads)
            y = asr_graph_attention_weights(g->graph, q, k, heads, p->n_heads,
                                            p->n_kv_heads, p->scale);
        else if (table)
            y = asr_graph_attention_cached(g->graph, q, k, v, table, length, p->n_heads,
                                           p->n_kv_heads, p->scale);
        else
            y = asr_graph_attention(g->graph, q, k, v, p->n_heads, p->n_kv_heads,
                                    p->scale);
    }
    check_result_end(g, &p->result, y);
}

static float key_value(const check_operand *operand, const check_leaf *leaf, int row,
                       int col)
{
    return leaf ? check_leaf_value(leaf, row, col)
                : check_operand_value(operand, row, col);
}

static void find_bounds(attention *p)
{
    p->k_norm = p->v_max = 0;
    for (int row = 0; row < p->keys; row++)
        for (int head = 0; head < p->n_kv_heads; head++) {
            double sum = 0;
            for (int i = head * p->dim; i < (head + 1) * p->dim; i++) {
                sum += pow(key_value(&p->k, p->k_leaf, row, i), 2);
                if (p->v_leaf || p->v.leaf)
                    p->v_max =
                        fmax(p->v_max, fabs((double)key_value(&p->v, p->v_leaf, row, i)));
            }
            p->k_norm = fmax(p->k_norm, sqrt(sum));
        }
}

static double weight_error(const attention *p, int row, int head)
{
    double sum = 0;
    for (int i = head * p->dim; i < (head + 1) * p->dim; i++)
        sum += pow(check_operand_value(&p->q, row, i), 2);
    double score = fabs((double)p->scale) * sqrt(sum) * p->k_norm;
    return 4 * CHECK_EPS * (sqrt(p->dim) + 1) * score + 1e-6 +
           2 * CHECK_EPS * sqrt(p->keys);
}

static double attention_tolerance(void *data, int row, int col)
{
    const attention *p = data;
    return weight_error(p, row, col / p->dim) * p->v_max + 1e-35 * p->keys;
}

static double weights_tolerance(void *data, int row, int col)
{
    (void)col;
    const attention *p = data;
    int head = check_leaf_ints(p->heads)[row / p->rows];
    return weight_error(p, row % p->rows, head);
}

/* Heads and the sizes that follow from them; a scale of 1/√D, or 1. */
static attention draw_attention(check_run *run)
{
    static const int dims[] = {1, 2, 3, 8, 15, 16, 17, 32, 64, 64, 80, 128};
    attention p = {.n = 1};
    p.rows = check_random_size(run, 97);
    p.keys = check_random_size(run, 257);
    p.dim = dims[check_random_int(run, 0, 11)];
    p.n_kv_heads = check_random_int(run, 1, 4);
    p.n_heads = p.n_kv_heads * check_random_int(run, 1, 3);
    p.scale = check_random(run) % 4 ? 1 / sqrtf((float)p.dim) : 1;
    if ((double)p.rows * p.keys * p.dim * p.n_heads > 1e6)
        p.rows = check_random_size(run, 3);
    return p;
}

static void make_operands(check_case *c, attention *p)
{
    check_describe(c, "%d rows, %d keys, %d/%d heads of %d, q", p->rows, p->keys,
                   p->n_heads, p->n_kv_heads, p->dim);
    p->q = check_operand_new(c, p->rows, p->n_heads * p->dim, false);
}

/* k and v: both operands, or both leaves (f32 or f16) as a cache of cross attention. */
static void make_keys(check_case *c, attention *p, bool leaves)
{
    int cols = p->n_kv_heads * p->dim;
    if (leaves) {
        asr_dtype dtype = check_random(c->run) % 2 ? ASR_F16 : ASR_F32;
        check_describe(c, ", keys in %s leaves", check_dtype_name(dtype));
        p->k_leaf = check_input(c, dtype, p->keys, cols, false);
        p->v_leaf = check_input(c, dtype, p->keys, cols, false);
        return;
    }
    check_describe(c, ", k");
    p->k = check_operand_new(c, p->keys, cols, false);
    check_describe(c, ", v");
    p->v = check_operand_new(c, p->keys, cols, false);
}

static void fill_operands(check_case *c, attention *p, check_fill fill)
{
    check_leaf *q = p->q.leaf, *k = p->k_leaf ? p->k_leaf : p->k.leaf;
    check_leaf *v = p->v_leaf ? p->v_leaf : p->v.leaf;
    check_leaf_fill(c, q, fill, ASR_F32);
    /* Enormous scores are q's doing alone: their square would leave f32. */
    check_leaf_fill(c, k, fill == CHECK_MAX ? CHECK_NORMAL : fill, ASR_F32);
    if (v)
        check_leaf_fill(c, v, fill, ASR_F32);
    if (fill == CHECK_HUGE_ROW)
        check_leaf_scale(q, 1.0f / 64);
}

static void run_attention(check_case *c, attention *p, check_fill fill,
                          check_tolerance tolerance,
                          void (*refill)(check_case *, attention *))
{
    check_describe(c, ", fill %d", fill);
    bool ok = check_case_build(c, build_attention, p);
    for (int round = 0; ok && round < 2; round++) {
        fill_operands(c, p, fill);
        if (refill)
            refill(c, p);
        ok = check_case_run(c);
        if (ok) {
            find_bounds(p);
            check_result_compare(c, &p->result, tolerance, p);
        }
    }
    check_case_end(&c);
}

static void check_attention_case(check_run *run, attention p, check_fill fill)
{
    check_case *c = check_case_begin(run, "%s", "");
    bool large = (double)p.rows * p.keys * p.dim * p.n_heads > 4e6;
    if (large)
        check_sample_rows(c, p.rows);
    make_operands(c, &p);
    /* Sampled operands would lose keys. */
    make_keys(c, &p, large || check_random(run) % 3 == 0);
    p.result = check_result_new(c, ASR_F32, p.rows, p.n_heads * p.dim);
    run_attention(c, &p, fill, attention_tolerance, NULL);
}

static check_operand bench_operand(check_case *c, int rows, int cols)
{
    check_operand x = {check_input(c, ASR_F32, rows, cols, false), CHECK_AS_LEAF, 0,
                       cols};
    check_leaf_fill(c, x.leaf, CHECK_NORMAL, ASR_F32);
    return x;
}

static void bench_attention(check_run *run, int rows, int keys, asr_dtype dtype)
{
    check_case *c = check_case_begin(run, "%d×%d × 8 heads of 64, %s keys", rows, keys,
                                     check_dtype_name(dtype));
    attention p = {.rows = rows,
                   .keys = keys,
                   .n_heads = 8,
                   .n_kv_heads = 8,
                   .dim = 64,
                   .scale = 0.125f,
                   .n = rows > 100 ? 1 : 8};
    p.q = bench_operand(c, rows, 512);
    p.k_leaf = check_input(c, dtype, keys, 512, false);
    p.v_leaf = check_input(c, dtype, keys, 512, false);
    check_leaf_fill(c, p.k_leaf, CHECK_NORMAL, ASR_F32);
    check_leaf_fill(c, p.v_leaf, CHECK_NORMAL, ASR_F32);
    p.result = check_result_new(c, ASR_F32, rows, 512);
    check_case_bench(c, build_attention, &p, p.n, 4.0 * rows * keys * 512,
                     2.0 * keys * 512 * (double)asr_dtype_size(dtype));
    check_case_end(&c);
}

void check_attention(check_run *run, asr_dtype dtype)
{
    (void)dtype;
    if (run->bench) {
        bench_attention(run, 1500, 1500, ASR_F32);
        bench_attention(run, 5, 1500, ASR_F32);
        bench_attention(run, 5, 1500, ASR_F16);
        return;
    }
    for (int i = 0; i < 60; i++)
        check_attention_case(run, draw_attention(run),
                             i < 30 ? CHECK_NORMAL : i % CHECK_FILLS);
    if (run->large) {
        attention large = {.rows = 1500,
                           .keys = 1500,
                           .n_heads = 8,
                           .n_kv_heads = 8,
                           .dim = 64,
                           .scale = 0.125f,
                           .n = 1};
        check_attention_case(run, large, CHECK_NORMAL);
        large.rows = 5;
        check_attention_case(run, large, CHECK_NORMAL);
    }
}

/* Any row of the caches in any order, lengths from none to all; and what a broken host
 * might write, which is clamped. */
static void fill_table(check_case *c, attention *p)
{
    static const int32_t outside[] = {-1, INT_MIN, INT_MAX};
    check_run *run = c->run;
    int most = p->table->matrix.cols;
    int32_t *table = check_leaf_ints(p->table), *length = check_leaf_ints(p->length);
    for (int r = 0; r < p->rows; r++) {
        for (int i = 0; i < most; i++)
            table[r * most + i] = check_random_int(run, 0, 49)
                                      ? check_random_int(run, 0, p->keys - 1)
                                      : outside[check_random_int(run, 0, 2)];
        const int32_t lengths[] = {
            0, 1, most, most, check_random_int(run, 0, most), most + 1, INT_MAX, -1};
        length[r] = lengths[check_random_int(run, 0, 7)];
    }
}

static void make_table(check_case *c, attention *p, int most)
{
    check_describe(c, ", table of %d", most);
    p->table = check_input(c, ASR_I32, p->rows, most, false);
    p->length = check_input(c, ASR_I32, p->rows, 1, false);
}

static void bench_attention_cached(check_run *run, int rows, int length, asr_dtype dtype)
{
    check_case *c = check_case_begin(run, "%d rows, %d keys, 8 heads of 64, %s", rows,
                                     length, check_dtype_name(dtype));
    attention p = {.rows = rows,
                   .keys = 448 * rows,
                   .n_heads = 8,
                   .n_kv_heads = 8,
                   .dim = 64,
                   .scale = 0.125f,
                   .n = 8};
    p.q = bench_operand(c, rows, 512);
    p.k_leaf = check_input(c, dtype, p.keys, 512, false);
    p.v_leaf = check_input(c, dtype, p.keys, 512, false);
    check_leaf_fill(c, p.k_leaf, CHECK_NORMAL, ASR_F32);
    check_leaf_fill(c, p.v_leaf, CHECK_NORMAL, ASR_F32);
    make_table(c, &p, 448);
    for (int r = 0; r < rows; r++) {
        check_leaf_ints(p.length)[r] = length;
        for (int i = 0; i < 448; i++)
            check_leaf_ints(p.table)[r * 448 + i] = i * rows + r;
    }
    p.result = check_result_new(c, ASR_F32, rows, 512);
    check_case_bench(c, build_attention, &p, p.n, 4.0 * rows * length * 512,
                     2.0 * rows * length * 512 * (double)asr_dtype_size(dtype));
    check_case_end(&c);
}

void check_attention_cached(check_run *run, asr_dtype dtype)
{
    (void)dtype;
    if (run->bench) {
        bench_attention_cached(run, 5, 224, ASR_F32);
        bench_attention_cached(run, 5, 224, ASR_F16);
        return;
    }
    for (int i = 0; i < 60; i++) {
        attention p = draw_attention(run);
        if (p.rows > 17)
            p.rows = check_random_size(run, 8);
        check_case *c = check_case_begin(run, "%s", "");
        make_operands(c, &p);
        make_keys(c, &p, true);
        make_table(c, &p, check_random_size(run, 130));
        p.result = check_result_new(c, ASR_F32, p.rows, p.n_heads * p.dim);
        run_attention(c, &p, i < 30 ? CHECK_NORMAL : i % CHECK_FILLS, attention_tolerance,
                      fill_table);
    }
}

static void fill_heads(check_case *c, attention *p)
{
    for (int i = 0; i < p->heads->matrix.rows; i++)
        check_leaf_ints(p->heads)[i] = check_random_int(c->run, 0, p->n_heads - 1);
}

void check_attention_weights(check_run *run, asr_dtype dtype)
{
    (void)dtype;
    for (int i = 0; i < 40 && !run->bench; i++) {
        attention p = draw_attention(run);
        check_case *c = check_case_begin(run, "%s", "");
        make_operands(c, &p);
        bool leaf = check_random(run) % 2;
        if (leaf) {
            p.k_leaf = check_input(c, check_random(run) % 2 ? ASR_F16 : ASR_F32, p.keys,
                                   p.n_kv_heads * p.dim, false);
        } else {
            check_describe(c, ", k");
            p.k = check_operand_new(c, p.keys, p.n_kv_heads * p.dim, false);
        }
        int n = check_random_int(run, 1, 6);
        p.heads = check_input(c, ASR_I32, n, 1, false);
        check_describe(c, ", %d chosen", n);
        p.result = check_result_new(c, ASR_F32, n * p.rows, p.keys);
        run_attention(c, &p, i < 20 ? CHECK_NORMAL : i % CHECK_FILLS, weights_tolerance,
                      fill_heads);
    }
}
