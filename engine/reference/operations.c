/* The operations of graph.h as plainly as they can be written. Sums run in double, so
 * that what another backend computes in f32 is compared with something better than f32.
 */
#include "graph/half.h"
#include "reference/internal.h"

#include <math.h>
#include <stdlib.h>

reference_operand reference_operand_of(const asr_tensor *t, char *arena)
{
    reference_operand x = {0};
    if (!t)
        return x;
    x = (reference_operand){t->dtype, t->rows, t->cols, t->row_stride, NULL, NULL};
    if (t->op == ASR_OP_LEAF) {
        const asr_host_buffer *buffer = (const asr_host_buffer *)t->buffer;
        x.data = buffer->data;
        x.scales = buffer->scales;
    } else {
        const asr_tensor *storage = t->view_of ? t->view_of : t;
        x.data = (const float *)(arena + storage->arena_offset) + t->first_col;
    }
    return x;
}

float reference_load(const reference_operand *x, int row, int col)
{
    size_t i = (size_t)row * (size_t)x->row_stride + (size_t)col;
    switch (x->dtype) {
    case ASR_F32:
        return ((const float *)x->data)[i];
    case ASR_F16:
        return asr_f16_to_f32(((const uint16_t *)x->data)[i]);
    case ASR_BF16:
        return asr_bf16_to_f32(((const uint16_t *)x->data)[i]);
    case ASR_I8:
        return (float)((const int8_t *)x->data)[i] * x->scales[row];
    case ASR_I32:
        return (float)((const int32_t *)x->data)[i];
    }
    return 0;
}

int32_t reference_load_int(const reference_operand *x, int row, int col)
{
    return ((const int32_t *)x->data)[(size_t)row * (size_t)x->row_stride + (size_t)col];
}

/* Without the scale. */
static int load_int8(const reference_operand *x, int row, int col)
{
    return ((const int8_t *)x->data)[(size_t)row * (size_t)x->row_stride + (size_t)col];
}

static void store(const reference_operand *x, int row, int col, float value)
{
    size_t i = (size_t)row * (size_t)x->row_stride + (size_t)col;
    if (x->dtype == ASR_F16)
        ((uint16_t *)(uintptr_t)x->data)[i] = asr_f32_to_f16(value);
    else
        ((float *)(uintptr_t)x->data)[i] = value;
}

static void store_int(const reference_operand *x, int row, int col, int32_t value)
{
    ((int32_t *)(uintptr_t)x->data)[(size_t)row * (size_t)x->row_stride + (size_t)col] =
        value;
}

float asr_reference_activate(asr_activation act, double x)
{
    switch (act) {
    case ASR_ACT_NONE:
        return (float)x;
    case ASR_ACT_GELU:
        return (float)(0.5 * x * (1.0 + erf(x * M_SQRT1_2)));
    case ASR_ACT_RELU:
        return (float)(x > 0 ? x : 0);
    case ASR_ACT_SILU:
        return (float)(x / (1.0 + exp(-x)));
    }
    return (float)x;
}

/* Value i of x, read as one long line from row first_row on; zero outside x, which is how
 * a convolution pads. */
static float patch_value(const reference_operand *x, int first_row, int i)
{
    int row = first_row + i / x->cols;
    return row < 0 || row >= x->rows ? 0 : reference_load(x, row, i % x->cols);
}

/* What row n of w is multiplied with: the values, or for i8 weights their multiples of
 * the step that is returned. */
static double load_patch(const reference_operand *x, int first_row,
                         const reference_operand *w, double *patch)
{
    double max = 0;
    for (int i = 0; i < w->cols; i++) {
        patch[i] = patch_value(x, first_row, i);
        max = fmax(max, fabs(patch[i]));
    }
    if (w->dtype != ASR_I8)
        return 1;
    for (int i = 0; i < w->cols && max > 0; i++)
        patch[i] = nearbyint(patch[i] * (127.0 / max));
    return max / 127.0;
}

/* Σ patch·w over row n of w. */
static double dot(const double *patch, const reference_operand *w, int n)
{
    double sum = 0;
    for (int i = 0; i < w->cols; i++)
        sum += patch[i] *
               (w->dtype == ASR_I8 ? load_int8(w, n, i) : reference_load(w, n, i));
    return w->dtype == ASR_I8 ? sum * w->scales[n] : sum;
}

/* LINEAR and CONV1D: a linear layer is a convolution with one tap. */
static void run_linear(const asr_tensor *t, char *arena)
{
    reference_operand x = reference_operand_of(t->src[0], arena);
    reference_operand w = reference_operand_of(t->src[1], arena);
    reference_operand bias = reference_operand_of(t->src[2], arena);
    reference_operand residual = reference_operand_of(t->src[3], arena);
    reference_operand out = reference_operand_of(t, arena);
    int stride = t->op == ASR_OP_CONV1D ? t->stride : 1;
    double *patch = malloc((size_t)w.cols * sizeof(*patch));
    if (!patch)
        abort();
    for (int r = 0; r < t->rows; r++) {
        double step = load_patch(&x, r * stride - t->pad, &w, patch);
        for (int n = 0; n < t->cols; n++) {
            double sum = dot(patch, &w, n) * step;
            sum += bias.data ? reference_load(&bias, 0, n) : 0;
            float y = asr_reference_activate(t->act, sum);
            store(&out, r, n, y + (residual.data ? reference_load(&residual, r, n) : 0));
        }
    }
    free(patch);
}

static void run_layer_norm(const asr_tensor *t, char *arena)
{
    reference_operand x = reference_operand_of(t->src[0], arena);
    reference_operand gain = reference_operand_of(t->src[1], arena);
    reference_operand bias = reference_operand_of(t->src[2], arena);
    reference_operand out = reference_operand_of(t, arena);
    for (int r = 0; r < t->rows; r++) {
        double mean = 0, variance = 0;
        for (int c = 0; c < t->cols; c++)
            mean += reference_load(&x, r, c);
        mean /= t->cols;
        for (int c = 0; c < t->cols; c++) {
            double d = reference_load(&x, r, c) - mean;
            variance += d * d;
        }
        double inverse = 1.0 / sqrt(variance / t->cols + t->eps);
        for (int c = 0; c < t->cols; c++) {
            double y = (reference_load(&x, r, c) - mean) * inverse;
            store(&out, r, c,
                  (float)(y * reference_load(&gain, 0, c) + reference_load(&bias, 0, c)));
        }
    }
}

static void run_add(const asr_tensor *t, char *arena)
{
    reference_operand a = reference_operand_of(t->src[0], arena);
    reference_operand b = reference_operand_of(t->src[1], arena);
    reference_operand out = reference_operand_of(t, arena);
    for (int r = 0; r < t->rows; r++)
        for (int c = 0; c < t->cols; c++)
            store(&out, r, c, reference_load(&a, r, c) + reference_load(&b, r, c));
}

static void run_rows(const asr_tensor *t, char *arena)
{
    reference_operand table = reference_operand_of(t->src[0], arena);
    reference_operand index = reference_operand_of(t->src[1], arena);
    reference_operand out = reference_operand_of(t, arena);
    for (int r = 0; r < t->rows; r++) {
        int row = reference_load_int(&index, r, 0);
        bool inside = row >= 0 && row < table.rows;
        for (int c = 0; c < t->cols; c++)
            store(&out, r, c, inside ? reference_load(&table, row, c) : 0);
    }
}

static void run_store(const asr_tensor *t, char *arena)
{
    reference_operand x = reference_operand_of(t->src[0], arena);
    reference_operand leaf = reference_operand_of(t->src[1], arena);
    reference_operand slot = reference_operand_of(t->src[2], arena);
    for (int r = 0; r < t->rows; r++) {
        int row = slot.data ? reference_load_int(&slot, r, 0) : r;
        if (row < 0 || row >= leaf.rows)
            continue;
        for (int c = 0; c < t->cols; c++)
            store(&leaf, row, c, reference_load(&x, r, c));
    }
}

static int clamp(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

/* The keys that row r of q sees: all rows of k, or those that a table lists. */
typedef struct key_set {
    reference_operand table, length;
    int all;
} key_set;

static int key_count(const key_set *set, int r)
{
    if (!set->table.data)
        return set->all;
    return clamp(reference_load_int(&set->length, r, 0), 0, set->table.cols);
}

static int key_row(const key_set *set, int r, int i)
{
    if (!set->table.data)
        return i;
    return clamp(reference_load_int(&set->table, r, i), 0, set->all - 1);
}

/* Softmax(scale·q·kᵀ) for one head and row of q into weights[count]. */
static void softmax_row(const asr_tensor *t, const reference_operand *q,
                        const reference_operand *k, const key_set *set, int head, int r,
                        double *weights)
{
    int dim = q->cols / t->n_heads;
    int kv_head = head / (t->n_heads / t->n_kv_heads);
    int count = key_count(set, r);
    double max = -INFINITY, sum = 0;
    for (int i = 0; i < count; i++) {
        double s = 0;
        for (int d = 0; d < dim; d++)
            s += (double)reference_load(q, r, head * dim + d) *
                 reference_load(k, key_row(set, r, i), kv_head * dim + d);
        weights[i] = s * t->scale;
        max = fmax(max, weights[i]);
    }
    for (int i = 0; i < count; i++)
        sum += weights[i] = exp(weights[i] - max);
    for (int i = 0; i < count; i++)
        weights[i] /= sum;
}

static void run_attention(const asr_tensor *t, char *arena)
{
    reference_operand q = reference_operand_of(t->src[0], arena);
    reference_operand k = reference_operand_of(t->src[1], arena);
    reference_operand v = reference_operand_of(t->src[2], arena);
    reference_operand out = reference_operand_of(t, arena);
    key_set set = {reference_operand_of(t->src[3], arena),
                   reference_operand_of(t->src[4], arena), k.rows};
    int dim = q.cols / t->n_heads;
    int most = set.table.data ? set.table.cols : k.rows;
    double *weights = malloc((size_t)most * sizeof(*weights));
    if (!weights)
        abort();
    for (int r = 0; r < t->rows; r++)
        for (int head = 0; head < t->n_heads; head++) {
            int kv_head = head / (t->n_heads / t->n_kv_heads);
            softmax_row(t, &q, &k, &set, head, r, weights);
            for (int d = 0; d < dim; d++) {
                double sum = 0;
                for (int i = 0; i < key_count(&set, r); i++)
                    sum += weights[i] *
                           reference_load(&v, key_row(&set, r, i), kv_head * dim + d);
                store(&out, r, head * dim + d, (float)sum);
            }
        }
    free(weights);
}

static void run_attention_weights(const asr_tensor *t, char *arena)
{
    reference_operand q = reference_operand_of(t->src[0], arena);
    reference_operand k = reference_operand_of(t->src[1], arena);
    reference_operand heads = reference_operand_of(t->src[2], arena);
    reference_operand out = reference_operand_of(t, arena);
    key_set set = {.all = k.rows};
    double *weights = malloc((size_t)k.rows * sizeof(*weights));
    if (!weights)
        abort();
    for (int h = 0; h < heads.rows; h++)
        for (int r = 0; r < q.rows; r++) {
            int head = clamp(reference_load_int(&heads, h, 0), 0, t->n_heads - 1);
            softmax_row(t, &q, &k, &set, head, r, weights);
            for (int i = 0; i < k.rows; i++)
                store(&out, h * q.rows + r, i, (float)weights[i]);
        }
    free(weights);
}

/* What the rules say of one row of logits. */
typedef struct pick_row {
    reference_operand logits, mask;
    int row, mask_row;
    int low[2], high[2];
    int flags;
    uint32_t seed;
    float temperature;
} pick_row;

static pick_row pick_row_of(const asr_tensor *t, char *arena, int r)
{
    reference_operand rules = reference_operand_of(t->src[2], arena);
    pick_row p = {reference_operand_of(t->src[0], arena),
                  reference_operand_of(t->src[1], arena),
                  r,
                  0,
                  {0},
                  {0},
                  0,
                  0,
                  0};
    int vocabulary = p.logits.cols;
    p.mask_row = reference_load_int(&rules, r, ASR_RULE_MASK);
    if (p.mask_row >= p.mask.rows)
        p.mask_row = -1;
    for (int i = 0; i < 2; i++) {
        p.low[i] =
            clamp(reference_load_int(&rules, r, ASR_RULE_LOW_0 + 2 * i), 0, vocabulary);
        p.high[i] =
            clamp(reference_load_int(&rules, r, ASR_RULE_HIGH_0 + 2 * i), 0, vocabulary);
    }
    p.flags = reference_load_int(&rules, r, ASR_RULE_FLAGS);
    p.seed = (uint32_t)reference_load_int(&rules, r, ASR_RULE_SEED);
    p.temperature =
        asr_bits_to_float((uint32_t)reference_load_int(&rules, r, ASR_RULE_TEMPERATURE));
    return p;
}

static float masked_logit(const pick_row *p, int token)
{
    float x = reference_load(&p->logits, p->row, token);
    return p->mask_row >= 0 ? x + reference_load(&p->mask, p->mask_row, token) : x;
}

/* log Σ exp over one interval; `max` is its largest logit. */
static double log_sum(const pick_row *p, int interval, double *max)
{
    double sum = 0;
    *max = -INFINITY;
    for (int i = p->low[interval]; i < p->high[interval]; i++)
        *max = fmax(*max, masked_logit(p, i));
    for (int i = p->low[interval]; i < p->high[interval]; i++)
        sum += exp(masked_logit(p, i) - *max);
    return *max == -INFINITY ? -INFINITY : *max + log(sum);
}

static double log_add(double a, double b)
{
    double max = fmax(a, b);
    return max == -INFINITY ? max : max + log(exp(a - max) + exp(b - max));
}

static double log_sum_all(const pick_row *p)
{
    double max = -INFINITY, sum = 0;
    for (int i = 0; i < p->logits.cols; i++)
        max = fmax(max, reference_load(&p->logits, p->row, i));
    for (int i = 0; i < p->logits.cols; i++)
        sum += exp(reference_load(&p->logits, p->row, i) - max);
    return max + log(sum);
}

static bool is_picked(const reference_operand *ids, int row, int n, int token)
{
    for (int i = 0; i < n; i++)
        if (reference_load_int(ids, row, i) == token)
            return true;
    return false;
}

static void run_pick(const asr_tensor *t, char *arena)
{
    reference_operand ids = reference_operand_of(t->src[3], arena);
    reference_operand scores = reference_operand_of(t->src[4], arena);
    for (int r = 0; r < t->rows; r++) {
        pick_row p = pick_row_of(t, arena, r);
        double max_0, max_1;
        double sum_0 = log_sum(&p, 0, &max_0), sum_1 = log_sum(&p, 1, &max_1);
        if ((p.flags & ASR_PICK_MASS_RULE) && sum_1 > max_0) {
            p.high[0] = p.low[0];
            sum_0 = -INFINITY;
        }
        double norm =
            (p.flags & ASR_PICK_NORMALISE_ALL) ? log_sum_all(&p) : log_add(sum_0, sum_1);
        for (int n = 0; n < t->k; n++) {
            int best = -1;
            float best_key = -INFINITY;
            for (int interval = 0; interval < 2; interval++)
                for (int i = p.low[interval]; i < p.high[interval]; i++) {
                    float key = masked_logit(&p, i);
                    if (p.temperature > 0)
                        key = key / p.temperature + asr_pick_noise(p.seed, (uint32_t)i);
                    bool better = key > best_key || (key == best_key && i < best);
                    if (better && !is_picked(&ids, r, n, i)) {
                        best = i;
                        best_key = key;
                    }
                }
            store_int(&ids, r, n, best);
            store(&scores, r, n,
                  best < 0 ? -INFINITY : (float)(masked_logit(&p, best) - norm));
        }
    }
}

void reference_run_node(const asr_tensor *t, char *arena)
{
    switch (t->op) {
    case ASR_OP_LINEAR:
    case ASR_OP_CONV1D:
        run_linear(t, arena);
        break;
    case ASR_OP_LAYER_NORM:
        run_layer_norm(t, arena);
        break;
    case ASR_OP_ADD:
        run_add(t, arena);
        break;
    case ASR_OP_ROWS:
        run_rows(t, arena);
        break;
    case ASR_OP_STORE:
        run_store(t, arena);
        break;
    case ASR_OP_ATTENTION:
    case ASR_OP_ATTENTION_CACHED:
        run_attention(t, arena);
        break;
    case ASR_OP_ATTENTION_WEIGHTS:
        run_attention_weights(t, arena);
        break;
    case ASR_OP_PICK:
        run_pick(t, arena);
        break;
    case ASR_OP_LEAF:
    case ASR_OP_COLUMNS:
    case ASR_OP_COUNT:
        break;
    }
}
