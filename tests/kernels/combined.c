/* Operations together, as models chain them: a block of an encoder, and the step of a
 * decoder that stores into its caches what it then attends to, over several steps.
 *
 * In f32 every value must be within 10⁻³ of the reference. Otherwise a backend may
 * compute more than the products in its reduced precision (attention, for one), and what
 * counts is the cosine between the whole results. */
#include "check.h"

#include <math.h>
#include <stdlib.h>

#define CHANNELS 64
#define HEADS 4
#define WIDE 192
#define STEPS 6
#define VOCABULARY 301

typedef struct layer {
    check_leaf *gain, *bias, *qkv, *qkv_bias, *out, *out_bias, *up, *up_bias, *down;
} layer;

typedef struct model {
    asr_dtype dtype;
    int rows;
    check_operand x;
    check_leaf *conv, *positions;
    layer layer;
    /* decoder */
    check_leaf *embedding, *token, *position, *k_cache, *v_cache, *slot, *table, *length;
    check_leaf *mask, *rules, *ids, *scores;
    check_result result;
} model;

static check_leaf *weight(check_case *c, asr_dtype dtype, int rows, int cols)
{
    check_leaf *leaf = check_weight(c, dtype, rows, cols);
    check_leaf_fill(c, leaf, CHECK_NORMAL, ASR_F32);
    return leaf;
}

/* Products keep their input's magnitude. i8 weights are made so already. */
static check_leaf *matrix(check_case *c, asr_dtype dtype, int rows, int cols)
{
    check_leaf *leaf = check_weight(c, dtype, rows, cols);
    check_leaf_fill_scaled(c, leaf, 1 / sqrtf((float)cols));
    return leaf;
}

static layer make_layer(check_case *c, asr_dtype dtype)
{
    return (layer){
        .gain = weight(c, ASR_F32, 1, CHANNELS),
        .bias = weight(c, ASR_F32, 1, CHANNELS),
        .qkv = matrix(c, dtype, 3 * CHANNELS, CHANNELS),
        .qkv_bias = weight(c, ASR_F32, 1, 3 * CHANNELS),
        .out = matrix(c, dtype, CHANNELS, CHANNELS),
        .out_bias = weight(c, ASR_F32, 1, CHANNELS),
        .up = matrix(c, dtype, WIDE, CHANNELS),
        .up_bias = weight(c, ASR_F32, 1, WIDE),
        .down = matrix(c, dtype, CHANNELS, WIDE),
    };
}

static asr_tensor *norm(const check_graph *g, const layer *l, asr_tensor *x)
{
    return asr_graph_layer_norm(g->graph, x, check_use(g, l->gain), check_use(g, l->bias),
                                1e-5f);
}

static asr_tensor *part(const check_graph *g, asr_tensor *qkv, int index)
{
    return asr_graph_columns(g->graph, qkv, index * CHANNELS, CHANNELS);
}

static asr_tensor *project(const check_graph *g, const layer *l, asr_tensor *x)
{
    return asr_graph_linear(g->graph, norm(g, l, x), check_use(g, l->qkv),
                            check_use(g, l->qkv_bias), ASR_ACT_NONE, NULL);
}

/* What follows the attention: its projection, and the feed-forward half. */
static asr_tensor *finish_layer(const check_graph *g, const layer *l, asr_tensor *x,
                                asr_tensor *seen)
{
    x = asr_graph_linear(g->graph, seen, check_use(g, l->out), check_use(g, l->out_bias),
                         ASR_ACT_NONE, x);
    asr_tensor *wide = asr_graph_linear(g->graph, norm(g, l, x), check_use(g, l->up),
                                        check_use(g, l->up_bias), ASR_ACT_GELU, NULL);
    return asr_graph_linear(g->graph, wide, check_use(g, l->down), NULL, ASR_ACT_NONE, x);
}

static void build_encoder(check_graph *g, void *data)
{
    model *m = data;
    check_result_begin(g, &m->result);
    asr_tensor *x = check_operand_use(g, &m->x);
    x = asr_graph_conv1d(g->graph, x, check_use(g, m->conv), NULL, 3, 2, 1, ASR_ACT_GELU);
    x = asr_graph_add(g->graph, x, check_use(g, m->positions));
    asr_tensor *qkv = project(g, &m->layer, x);
    asr_tensor *seen =
        asr_graph_attention(g->graph, part(g, qkv, 0), part(g, qkv, 1), part(g, qkv, 2),
                            HEADS, HEADS, 1 / sqrtf(CHANNELS / HEADS));
    check_result_end(g, &m->result, finish_layer(g, &m->layer, x, seen));
}

static double near(void *data, int row, int col)
{
    (void)data, (void)row, (void)col;
    return 1e-3;
}

static void compare(check_case *c, const model *m)
{
    if (m->dtype == ASR_F32)
        check_result_compare(c, &m->result, near, NULL);
    else
        check_result_compare_cosine(c, &m->result, 0.9995);
}

void check_encoder_block(check_run *run, asr_dtype dtype)
{
    static const int frames[] = {2, 3, 33, 64, 131, 300};
    for (int i = 0; i < 6 && !run->bench; i++) {
        check_case *c = check_case_begin(run, "%d frames", frames[i]);
        model m = {.dtype = dtype, .rows = (frames[i] - 1) / 2 + 1};
        m.x = check_operand_new(c, frames[i], CHANNELS, true);
        m.conv = matrix(c, dtype, CHANNELS, 3 * CHANNELS);
        m.positions = weight(c, ASR_F32, m.rows + 7, CHANNELS);
        m.layer = make_layer(c, dtype);
        m.result = check_result_new(c, ASR_F32, m.rows, CHANNELS);
        bool ok = check_case_build(c, build_encoder, &m);
        for (int round = 0; ok && round < 2; round++) {
            check_leaf_fill(c, m.x.leaf, CHECK_NORMAL, ASR_F32);
            ok = check_case_run(c);
            if (ok)
                compare(c, &m);
        }
        check_case_end(&c);
    }
}

static void build_decoder(check_graph *g, void *data)
{
    model *m = data;
    check_result_begin(g, &m->result);
    asr_tensor *embedding = check_use(g, m->embedding), *slot = check_use(g, m->slot);
    asr_tensor *k = check_use(g, m->k_cache), *v = check_use(g, m->v_cache);
    asr_tensor *token = asr_graph_rows(g->graph, embedding, check_use(g, m->token));
    asr_tensor *position =
        asr_graph_rows(g->graph, check_use(g, m->positions), check_use(g, m->position));
    asr_tensor *x = asr_graph_add(g->graph, token, position);
    asr_tensor *qkv = project(g, &m->layer, x);
    asr_graph_store(g->graph, part(g, qkv, 1), k, slot);
    asr_graph_store(g->graph, part(g, qkv, 2), v, slot);
    asr_tensor *seen = asr_graph_attention_cached(
        g->graph, part(g, qkv, 0), k, v, check_use(g, m->table), check_use(g, m->length),
        HEADS, HEADS, 1 / sqrtf(CHANNELS / HEADS));
    x = finish_layer(g, &m->layer, x, seen);
    asr_tensor *logits = asr_graph_linear(g->graph, norm(g, &m->layer, x), embedding,
                                          NULL, ASR_ACT_NONE, NULL);
    asr_graph_pick(g->graph, logits, check_use(g, m->mask), check_use(g, m->rules),
                   check_use(g, m->ids), check_use(g, m->scores));
    check_result_end(g, &m->result, logits);
}

/* Row r is hypothesis r, which after each step goes on from hypothesis r−1's past. */
static void fill_step(check_run *run, model *m, int step)
{
    for (int r = 0; r < m->rows; r++) {
        check_leaf_ints(m->token)[r] = check_random_int(run, 0, VOCABULARY - 1);
        check_leaf_ints(m->position)[r] = step;
        check_leaf_ints(m->slot)[r] = step * m->rows + r;
        check_leaf_ints(m->length)[r] = step + 1;
        for (int i = 0; i <= step; i++)
            check_leaf_ints(m->table)[r * STEPS + i] =
                i * m->rows + (r + (step - i) * (m->rows - 1)) % m->rows;
    }
}

static model make_decoder(check_case *c, asr_dtype dtype, int rows, asr_dtype cache)
{
    model m = {.dtype = dtype, .rows = rows};
    m.embedding = matrix(c, dtype, VOCABULARY, CHANNELS);
    m.positions = weight(c, ASR_F32, STEPS, CHANNELS);
    m.layer = make_layer(c, dtype);
    m.token = check_input(c, ASR_I32, rows, 1, false);
    m.position = check_input(c, ASR_I32, rows, 1, false);
    m.slot = check_input(c, ASR_I32, rows, 1, false);
    m.table = check_input(c, ASR_I32, rows, STEPS, false);
    m.length = check_input(c, ASR_I32, rows, 1, false);
    m.k_cache = check_input(c, cache, STEPS * rows, CHANNELS, false);
    m.v_cache = check_input(c, cache, STEPS * rows, CHANNELS, false);
    m.k_cache->is_kept = m.v_cache->is_kept = true;
    m.mask = check_input(c, ASR_F32, 1, VOCABULARY, false);
    m.rules = check_input(c, ASR_I32, rows, ASR_RULE_COUNT, false);
    for (int r = 0; r < rows; r++)
        check_leaf_ints(m.rules)[r * ASR_RULE_COUNT + ASR_RULE_HIGH_0] = VOCABULARY;
    m.ids = check_output(c, ASR_I32, rows, 2);
    m.scores = check_output(c, ASR_F32, rows, 2);
    m.result = check_result_new(c, ASR_F32, rows, VOCABULARY);
    return m;
}

/* The best tokens' log-probabilities, which a wrong token would change; with a narrower
 * dtype near ties may fall either way. */
static void check_scores(check_case *c, const model *m)
{
    float *scores[2];
    for (int side = 0; side < CHECK_SIDES; side++)
        scores[side] = check_leaf_read(c, m->scores, side);
    for (int i = 0; i < 2 * m->rows && m->dtype == ASR_F32; i++)
        if (!(fabsf(scores[0][i] - scores[1][i]) <= 1e-3f))
            check_fail(c, "score %d: %g instead of %g", i, (double)scores[1][i],
                       (double)scores[0][i]);
    free(scores[0]);
    free(scores[1]);
}

void check_decoder_step(check_run *run, asr_dtype dtype)
{
    static const int rows[] = {1, 2, 5, 8};
    for (int i = 0; i < 8 && !run->bench; i++) {
        asr_dtype cache = i % 2 && dtype != ASR_F32 ? ASR_F16 : ASR_F32;
        check_case *c = check_case_begin(run, "%d hypotheses, caches %s", rows[i / 2],
                                         check_dtype_name(cache));
        model m = make_decoder(c, dtype, rows[i / 2], cache);
        bool ok = check_case_build(c, build_decoder, &m);
        for (int step = 0; ok && step < STEPS; step++) {
            fill_step(run, &m, step);
            ok = check_case_run(c);
            if (ok) {
                compare(c, &m);
                check_scores(c, &m);
            }
        }
        check_case_end(&c);
    }
}
