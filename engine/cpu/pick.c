/* PICK: the k best tokens of each row of logits, one task a row. */
#include "cpu/internal.h"

#include "graph/half.h"

#include <math.h>
#include <string.h>

/* Above the largest value of asr_pick_noise(): −ln(−ln(1 − 2^-24)) = 16.64. */
#define NOISE_MAX 17.0f

typedef struct pick_job {
    cpu_backend *backend;
    const asr_tensor *t;
    cpu_matrix logits, mask, rules, ids, scores;
} pick_job;

/* What may be picked in one row. */
typedef struct pick_row {
    const cpu_pick_kernels *kernels;
    const float *logits; /* with the mask added */
    int low[2], high[2];
    float max[2];    /* of each interval */
    double total[2]; /* log Σ exp of each interval */
    uint32_t seed;
    float temperature;
} pick_row;

/* The best so far, best first. */
typedef struct pick_list {
    int k, count;
    int ids[ASR_PICK_MAX];
    float keys[ASR_PICK_MAX];
} pick_list;

bool cpu_pick_prepare(cpu_plan *plan, const asr_tensor *t, asr_error *error)
{
    size_t bytes = (size_t)t->src[0]->cols * sizeof(float);
    return cpu_backend_reserve(plan->backend, 0, bytes, error);
}

static int clamp(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

static double log_sum(const cpu_pick_kernels *kernels, const float *x, int n, float *max)
{
    *max = n > 0 ? kernels->max(x, n) : -INFINITY;
    return *max == -INFINITY ? -INFINITY : *max + log(kernels->sum_exp(x, n, *max));
}

static double log_add(double a, double b)
{
    double max = fmax(a, b);
    return max == -INFINITY ? max : max + log(exp(a - max) + exp(b - max));
}

/* Below this nothing enters the list. */
static float threshold_of(const pick_list *list)
{
    return list->count < list->k ? -INFINITY : list->keys[list->k - 1];
}

/* Puts a token in its place, behind those of equal key. */
static void insert(pick_list *list, int id, float key)
{
    for (int i = 0; i < list->count; i++)
        if (list->ids[i] == id)
            return;
    int at = list->count < list->k ? list->count++ : list->k - 1;
    for (; at > 0 && list->keys[at - 1] < key; at--) {
        list->ids[at] = list->ids[at - 1];
        list->keys[at] = list->keys[at - 1];
    }
    list->ids[at] = id;
    list->keys[at] = key;
}

static void scan_logits(const pick_row *row, int interval, pick_list *list)
{
    int high = row->high[interval], i = row->low[interval];
    for (;; i++) {
        i = row->kernels->next_above(row->logits, i, high, threshold_of(list));
        if (i >= high)
            return;
        insert(list, i, row->logits[i]);
    }
}

/* The same with noise: a logit that cannot reach the list with the most noise there is
 * needs none drawn. */
static void scan_noisy(const pick_row *row, int interval, pick_list *list)
{
    int high = row->high[interval], i = row->low[interval];
    for (;; i++) {
        float least = (threshold_of(list) - NOISE_MAX) * row->temperature;
        i = row->kernels->next_above(row->logits, i, high, least);
        if (i >= high)
            return;
        float key =
            row->logits[i] / row->temperature + asr_pick_noise(row->seed, (uint32_t)i);
        if (key > threshold_of(list))
            insert(list, i, key);
    }
}

static void scan_interval(const pick_row *row, int interval, pick_list *list)
{
    if (row->temperature > 0)
        scan_noisy(row, interval, list);
    else
        scan_logits(row, interval, list);
}

static void read_rules(const pick_job *job, int r, pick_row *row)
{
    const int32_t *rules = cpu_row_i32(&job->rules, r);
    int vocabulary = job->logits.cols;
    for (int i = 0; i < 2; i++) {
        row->low[i] = clamp(rules[ASR_RULE_LOW_0 + 2 * i], 0, vocabulary);
        row->high[i] = clamp(rules[ASR_RULE_HIGH_0 + 2 * i], 0, vocabulary);
    }
    row->seed = (uint32_t)rules[ASR_RULE_SEED];
    row->temperature = asr_bits_to_float((uint32_t)rules[ASR_RULE_TEMPERATURE]);
}

static void pick_task(void *context, int r, int thread)
{
    const pick_job *job = context;
    const cpu_pick_kernels *kernels = job->backend->kernels->pick;
    const int32_t *rules = cpu_row_i32(&job->rules, r);
    const float *logits = cpu_row(&job->logits, r);
    int vocabulary = job->logits.cols;
    pick_row row = {.kernels = kernels, .logits = logits};
    read_rules(job, r, &row);
    int mask_row = rules[ASR_RULE_MASK];
    if (mask_row >= 0 && mask_row < job->mask.rows) {
        float *masked = (float *)job->backend->local[thread].data;
        kernels->add_mask(logits, cpu_row(&job->mask, mask_row), vocabulary, masked);
        row.logits = masked;
    }
    for (int i = 0; i < 2; i++)
        row.total[i] = log_sum(kernels, row.logits + row.low[i], row.high[i] - row.low[i],
                               &row.max[i]);
    if ((rules[ASR_RULE_FLAGS] & ASR_PICK_MASS_RULE) && row.total[1] > row.max[0]) {
        row.high[0] = row.low[0];
        row.total[0] = -INFINITY;
    }
    pick_list list = {.k = job->t->k};
    int lower = row.low[1] < row.low[0]; /* first: among equals the lower id wins */
    scan_interval(&row, lower, &list);
    scan_interval(&row, 1 - lower, &list);
    float max;
    double norm = (rules[ASR_RULE_FLAGS] & ASR_PICK_NORMALISE_ALL)
                      ? log_sum(kernels, logits, vocabulary, &max)
                      : log_add(row.total[0], row.total[1]);
    for (int i = 0; i < list.k; i++) {
        bool found = i < list.count;
        cpu_row_i32(&job->ids, r)[i] = found ? list.ids[i] : -1;
        cpu_row(&job->scores, r)[i] =
            found ? (float)((double)row.logits[list.ids[i]] - norm) : -INFINITY;
    }
}

void cpu_pick_run(cpu_plan *plan, const asr_tensor *t)
{
    cpu_backend *backend = plan->backend;
    pick_job job = {
        .backend = backend,
        .t = t,
        .logits = cpu_matrix_of(backend, t->src[0]),
        .mask = cpu_matrix_of(backend, t->src[1]),
        .rules = cpu_matrix_of(backend, t->src[2]),
        .ids = cpu_matrix_of(backend, t->src[3]),
        .scores = cpu_matrix_of(backend, t->src[4]),
    };
    cpu_pool_run(backend->pool, t->rows, pick_task, &job);
}
