/* PICK. At temperature 0 the tokens are those of an exact comparison and must be equal;
 * with noise, whose logarithms differ in their last bits from one device to another, a
 * token whose key is as good may stand in another's place. Scores are logarithms of sums
 * of exponentials, each good to 10⁻⁶. */
#include "check.h"
#include "graph/half.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>

typedef struct pick {
    int rows, vocabulary, k;
    check_operand logits;
    check_leaf *mask, *rules, *ids, *scores;
    int n; /* operations; above 1 only in benchmarks */
} pick;

static void build_pick(check_graph *g, void *data)
{
    pick *p = data;
    asr_tensor *logits = check_operand_use(g, &p->logits);
    asr_tensor *mask = check_use(g, p->mask), *rules = check_use(g, p->rules);
    asr_tensor *ids = check_use(g, p->ids), *scores = check_use(g, p->scores);
    for (int i = 0; i < p->n; i++)
        asr_graph_pick(g->graph, logits, mask, rules, ids, scores);
}

static void make_leaves(check_case *c, pick *p, int n_masks)
{
    p->mask = check_input(c, ASR_F32, n_masks, p->vocabulary, false);
    p->rules = check_input(c, ASR_I32, p->rows, ASR_RULE_COUNT, false);
    p->ids = check_output(c, ASR_I32, p->rows, p->k);
    p->scores = check_output(c, ASR_F32, p->rows, p->k);
}

static void fill_mask(check_run *run, check_leaf *mask)
{
    int count = mask->matrix.rows * mask->matrix.cols;
    int share = check_random_int(run, 2, 16);
    bool most = check_random(run) % 4 == 0;
    for (int i = 0; i < count; i++) {
        bool drawn = check_random_int(run, 1, share) == 1;
        check_leaf_floats(mask)[i] = drawn != most ? -INFINITY : 0;
    }
}

/* Two intervals that do not overlap, in either order; now and then empty, inverted or
 * reaching beyond the vocabulary. */
static void draw_intervals(check_run *run, int32_t *rule, int vocabulary)
{
    int cut = check_random_int(run, 0, vocabulary);
    int32_t bounds[4] = {0, cut, cut, vocabulary};
    switch (check_random_int(run, 0, 5)) {
    case 0:
        bounds[0] = INT_MIN;
        bounds[3] = INT_MAX;
        break;
    case 1:
        bounds[1] = bounds[0] = check_random_int(run, 0, cut);
        break;
    case 2:
        bounds[2] = vocabulary;
        bounds[3] = cut;
        break;
    case 3:
        bounds[0] = check_random_int(run, 0, cut);
        bounds[3] = check_random_int(run, cut, vocabulary);
        break;
    default:
        break;
    }
    int first = check_random(run) % 4 == 0 ? 2 : 0;
    rule[ASR_RULE_LOW_0] = bounds[first];
    rule[ASR_RULE_HIGH_0] = bounds[first + 1];
    rule[ASR_RULE_LOW_1] = bounds[2 - first];
    rule[ASR_RULE_HIGH_1] = bounds[3 - first];
}

static float masked_logit(const pick *p, int row, int token)
{
    int mask = check_leaf_ints(p->rules)[row * ASR_RULE_COUNT + ASR_RULE_MASK];
    float logit = check_operand_value(&p->logits, row, token);
    bool masked = mask >= 0 && mask < p->mask->matrix.rows;
    return masked ? logit + check_leaf_value(p->mask, mask, token) : logit;
}

/* Whether interval 1 holds as much as the best of interval 0, give or take a rounding:
 * then the mass rule may go either way. */
static bool is_balanced(const pick *p, int row)
{
    const int32_t *rule = check_leaf_ints(p->rules) + row * ASR_RULE_COUNT;
    double best = -INFINITY, sum = 0;
    for (int i = 0; i < p->vocabulary; i++)
        if (i >= rule[ASR_RULE_LOW_0] && i < rule[ASR_RULE_HIGH_0])
            best = fmax(best, masked_logit(p, row, i));
    for (int i = 0; i < p->vocabulary; i++)
        if (i >= rule[ASR_RULE_LOW_1] && i < rule[ASR_RULE_HIGH_1])
            sum += exp(masked_logit(p, row, i) - best);
    return fabs(sum - 1) < 1e-4;
}

static void fill_rules(check_run *run, pick *p)
{
    static const float temperatures[] = {0, 0, 0.2f, 1, 3};
    for (int r = 0; r < p->rows; r++) {
        int32_t *rule = check_leaf_ints(p->rules) + r * ASR_RULE_COUNT;
        const int32_t masks[] = {-1, check_random_int(run, 0, p->mask->matrix.rows - 1),
                                 check_random_int(run, 0, p->mask->matrix.rows - 1),
                                 p->mask->matrix.rows, INT_MIN};
        rule[ASR_RULE_MASK] = masks[check_random_int(run, 0, 4)];
        draw_intervals(run, rule, p->vocabulary);
        rule[ASR_RULE_FLAGS] = check_random_int(run, 0, 3);
        rule[ASR_RULE_SEED] = (int32_t)check_random(run);
        rule[ASR_RULE_TEMPERATURE] =
            (int32_t)asr_float_to_bits(temperatures[check_random_int(run, 0, 4)]);
        if (is_balanced(p, r))
            rule[ASR_RULE_FLAGS] &= ~ASR_PICK_MASS_RULE;
    }
}

/* Whether `actual` may stand where the reference has `expected`. */
static bool is_as_good(const pick *p, int row, int actual, int expected)
{
    const int32_t *rule = check_leaf_ints(p->rules) + row * ASR_RULE_COUNT;
    float temperature = asr_bits_to_float((uint32_t)rule[ASR_RULE_TEMPERATURE]);
    if (actual == expected)
        return true;
    if (temperature == 0 || actual < 0 || actual >= p->vocabulary || expected < 0)
        return false;
    uint32_t seed = (uint32_t)rule[ASR_RULE_SEED];
    double a = masked_logit(p, row, actual) / temperature +
               asr_pick_noise(seed, (uint32_t)actual);
    double b = masked_logit(p, row, expected) / temperature +
               asr_pick_noise(seed, (uint32_t)expected);
    return fabs(a - b) <= 1e-5 * (10 + fabs(b));
}

static double largest_logit(const pick *p, int row)
{
    double largest = 0;
    for (int i = 0; i < p->vocabulary; i++)
        largest = fmax(largest, fabs((double)check_operand_value(&p->logits, row, i)));
    return largest;
}

/* What the row's rules are, for a failure's description. */
static void describe_row(check_case *c, const pick *p, int row)
{
    const int32_t *rule = check_leaf_ints(p->rules) + row * ASR_RULE_COUNT;
    check_describe(c, "; mask %d, [%d, %d), [%d, %d), flags %d, seed %d, temperature %g",
                   rule[ASR_RULE_MASK], rule[ASR_RULE_LOW_0], rule[ASR_RULE_HIGH_0],
                   rule[ASR_RULE_LOW_1], rule[ASR_RULE_HIGH_1], rule[ASR_RULE_FLAGS],
                   rule[ASR_RULE_SEED],
                   (double)asr_bits_to_float((uint32_t)rule[ASR_RULE_TEMPERATURE]));
}

static void compare_row(check_case *c, const pick *p, int row,
                        const int32_t *const ids[2], const float *const scores[2])
{
    double tolerance = 1e-5 + 4 * CHECK_EPS * largest_logit(p, row);
    for (int i = row * p->k; i < (row + 1) * p->k; i++) {
        int actual = ids[CHECK_TESTED][i], expected = ids[CHECK_REFERENCE][i];
        if (!is_as_good(p, row, actual, expected)) {
            describe_row(c, p, row);
            check_fail(c, "row %d, rank %d: token %d instead of %d", row, i - row * p->k,
                       actual, expected);
            return;
        }
        float score = scores[CHECK_TESTED][i], right = scores[CHECK_REFERENCE][i];
        if (actual != expected)
            right += masked_logit(p, row, actual) - masked_logit(p, row, expected);
        if (score != right && !(fabs((double)score - right) <= tolerance)) {
            check_fail(c, "row %d, rank %d, token %d: score %.9g instead of %.9g", row,
                       i - row * p->k, actual, (double)score, (double)right);
            return;
        }
    }
}

static void compare(check_case *c, const pick *p)
{
    int32_t *ids[2];
    float *scores[2];
    for (int side = 0; side < CHECK_SIDES; side++) {
        ids[side] = check_leaf_read(c, p->ids, side);
        scores[side] = check_leaf_read(c, p->scores, side);
    }
    for (int row = 0; row < p->rows && !c->failed; row++)
        compare_row(c, p, row, (const int32_t *const *)ids, (const float *const *)scores);
    for (int side = 0; side < CHECK_SIDES; side++) {
        free(ids[side]);
        free(scores[side]);
    }
}

static void check_pick_case(check_run *run, int rows, int vocabulary, int k,
                            check_fill fill)
{
    check_case *c =
        check_case_begin(run, "%d of %d×%d, fill %d, logits", k, rows, vocabulary, fill);
    pick p = {.rows = rows, .vocabulary = vocabulary, .k = k, .n = 1};
    p.logits = check_operand_new(c, rows, vocabulary, false);
    make_leaves(c, &p, check_random_int(run, 1, 3));
    bool ok = check_case_build(c, build_pick, &p);
    for (int round = 0; ok && round < 2; round++) {
        check_leaf_fill(c, p.logits.leaf, fill, ASR_F32);
        if (fill == CHECK_NORMAL)
            check_leaf_scale(p.logits.leaf, 4);
        fill_mask(run, p.mask);
        fill_rules(run, &p);
        ok = check_case_run(c);
        if (ok)
            compare(c, &p);
    }
    check_case_end(&c);
}

static void bench_pick(check_run *run, int rows, int vocabulary, int k)
{
    check_case *c =
        check_case_begin(run, "%d of %d×%d, mask, mass rule", k, rows, vocabulary);
    pick p = {.rows = rows, .vocabulary = vocabulary, .k = k, .n = 8};
    p.logits = (check_operand){check_input(c, ASR_F32, rows, vocabulary, false),
                               CHECK_AS_LEAF, 0, vocabulary};
    check_leaf_fill(c, p.logits.leaf, CHECK_NORMAL, ASR_F32);
    make_leaves(c, &p, 1);
    for (int r = 0; r < rows; r++) {
        int32_t *rule = check_leaf_ints(p.rules) + r * ASR_RULE_COUNT;
        rule[ASR_RULE_HIGH_0] = rule[ASR_RULE_LOW_1] = vocabulary - vocabulary / 32;
        rule[ASR_RULE_HIGH_1] = vocabulary;
        rule[ASR_RULE_FLAGS] = ASR_PICK_MASS_RULE;
    }
    check_case_bench(c, build_pick, &p, p.n, 0, 4.0 * vocabulary * (rows + 1));
    check_case_end(&c);
}

void check_pick(check_run *run, asr_dtype dtype)
{
    static const int ks[] = {1, 2, 5, 10, ASR_PICK_MAX};
    static const int vocabularies[] = {1, 2, 3, 7, 16, 33, 64, 65, 257, 1000, 5003};
    (void)dtype;
    if (run->bench) {
        bench_pick(run, 1, 51865, 1);
        bench_pick(run, 5, 51865, 5);
        bench_pick(run, 5, 51865, 10);
        return;
    }
    for (int i = 0; i < 60; i++)
        check_pick_case(
            run, check_random_size(run, 8), vocabularies[check_random_int(run, 0, 10)],
            ks[check_random_int(run, 0, 4)], i < 30 ? CHECK_NORMAL : i % CHECK_DENORMAL);
    if (run->large) {
        check_pick_case(run, 5, 51865, 5, CHECK_NORMAL);
        check_pick_case(run, 2, 51866, ASR_PICK_MAX, CHECK_NORMAL);
    }
}
