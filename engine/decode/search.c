/* One search: prompt, steps, ranking. */
#include "decode/search.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A sequence of tokens and the cache rows that hold it. */
typedef struct hypothesis {
    int *tokens;
    float *scores;
    int n;
    double total;
    int32_t *history; /* [n_positions]: prompt and tokens so far */
} hypothesis;

/* A token that may extend a hypothesis. */
typedef struct candidate {
    int parent;
    int token;
    float score;
    double total;
} candidate;

typedef struct search {
    const asr_decoder *decoder;
    const asr_search_params *params;
    const asr_search_prompt *prompt;
    int width;         /* hypotheses at most */
    int k;             /* candidates of each */
    hypothesis *lists; /* owns live, next and finished */
    hypothesis *live, *next;
    int n_live;
    hypothesis *finished; /* [2·width] */
    int n_finished;
    candidate *candidates; /* [width·k] */
    int n_candidates;
    asr_decoder_row *rows;
    int32_t *rules; /* [width, ASR_RULE_COUNT] */
    int32_t *ids;
    float *scores;
    void *storage; /* of all hypotheses */
} search;

/* Carves the arrays of `n` hypotheses out of one block. */
static size_t place_hypotheses(hypothesis *list, int n, int max_tokens, int n_positions,
                               char *block)
{
    size_t size = (size_t)max_tokens * (sizeof(int) + sizeof(float)) +
                  (size_t)n_positions * sizeof(int32_t);
    for (int i = 0; i < n && block; i++, block += size) {
        list[i].tokens = (int *)(void *)block;
        list[i].scores = (float *)(list[i].tokens + max_tokens);
        list[i].history = (int32_t *)(list[i].scores + max_tokens);
    }
    return (size_t)n * size;
}

static bool search_create(search *s, asr_error *error)
{
    int n_lists = 4 * s->width; /* live, next, and twice as many finished */
    int max_tokens = s->params->max_tokens, n_positions = s->decoder->n_positions;
    int n_rows = s->prompt->n > s->width ? s->prompt->n : s->width;
    size_t outputs =
        (size_t)(s->width + 1) * (size_t)s->k; /* the prompt's are two rows */
    s->lists = calloc((size_t)n_lists, sizeof(*s->lists));
    s->candidates = calloc(outputs, sizeof(*s->candidates));
    s->rows = calloc((size_t)n_rows + 1, sizeof(*s->rows));
    s->rules = calloc((size_t)s->width * ASR_RULE_COUNT, sizeof(*s->rules));
    s->ids = calloc(outputs, sizeof(*s->ids));
    s->scores = calloc(outputs, sizeof(*s->scores));
    s->storage =
        calloc(1, place_hypotheses(NULL, n_lists, max_tokens, n_positions, NULL));
    if (!s->lists || !s->candidates || !s->rows || !s->rules || !s->ids || !s->scores ||
        !s->storage)
        return asr_fail_memory(error);
    place_hypotheses(s->lists, n_lists, max_tokens, n_positions, s->storage);
    s->live = s->lists;
    s->next = s->live + s->width;
    s->finished = s->next + s->width;
    return true;
}

static void search_destroy(search *s)
{
    free(s->lists);
    free(s->candidates);
    free(s->rows);
    free(s->rules);
    free(s->ids);
    free(s->scores);
    free(s->storage);
}

/* Copies all but the arrays' addresses. */
static void hypothesis_copy(hypothesis *to, const hypothesis *from, int n_prompt)
{
    memcpy(to->tokens, from->tokens, (size_t)from->n * sizeof(*to->tokens));
    memcpy(to->scores, from->scores, (size_t)from->n * sizeof(*to->scores));
    memcpy(to->history, from->history,
           (size_t)(n_prompt + from->n) * sizeof(*to->history));
    to->n = from->n;
    to->total = from->total;
}

/* A different stream of noise for each sample and step. */
static int32_t noise_seed(const search *s, int sample, int step)
{
    return (int32_t)(s->params->seed + 0x9E3779B9u * (uint32_t)(sample + 1) +
                     0x85EBCA6Bu * (uint32_t)step);
}

static int32_t *make_rule(search *s, int index, const hypothesis *h)
{
    int32_t *rule = s->rules + index * ASR_RULE_COUNT;
    float temperature = s->params->temperature;
    s->params->rule(s->params->user, h->tokens, h->n, rule);
    rule[ASR_RULE_SEED] = noise_seed(s, index, h->n);
    memcpy(&rule[ASR_RULE_TEMPERATURE], &temperature, sizeof(temperature));
    return rule;
}

/* Turns the picks for hypothesis `parent` into candidates. */
static void add_candidates(search *s, int parent, const int32_t *ids, const float *scores)
{
    for (int i = 0; i < s->k; i++)
        if (ids[i] >= 0)
            s->candidates[s->n_candidates++] =
                (candidate){parent, ids[i], scores[i], s->live[parent].total + scores[i]};
}

/* Runs the prompt and fills the candidates of the first step. The probe is a row of its
 * own, a second copy of its token's: it may be the last token, which has a rule already.
 */
static bool run_prompt(search *s, asr_search_result *result, asr_error *error)
{
    const asr_search_prompt *prompt = s->prompt;
    hypothesis *first = &s->live[0];
    int n = prompt->n;
    s->n_live = 1;
    for (int i = 0; i < n; i++) {
        first->history[i] = i;
        s->rows[i] =
            (asr_decoder_row){prompt->tokens[i], i, i, first->history, i + 1, NULL};
    }
    s->rows[n - 1].rule = make_rule(s, 0, first);
    if (prompt->probe_rule) {
        s->rows[n] = s->rows[prompt->probe];
        s->rows[n++].rule = prompt->probe_rule;
    }
    if (!s->decoder->run(s->decoder->model, s->rows, n, s->k, s->ids, s->scores, error))
        return false;
    if (prompt->probe_rule) {
        result->probe_token = s->ids[s->k];
        result->probe_score = s->scores[s->k];
    }
    add_candidates(s, 0, s->ids, s->scores);
    return true;
}

/* Runs one step of every live hypothesis, whose last token has no cache row yet. */
static bool run_step(search *s, int step, asr_error *error)
{
    int n_prompt = s->prompt->n;
    for (int i = 0; i < s->n_live; i++) {
        hypothesis *h = &s->live[i];
        int position = n_prompt + h->n - 1;
        int slot = n_prompt + (step - 1) * s->width + i;
        assert(slot < s->decoder->n_slots);
        h->history[position] = slot;
        s->rows[i] =
            (asr_decoder_row){h->tokens[h->n - 1], position,     slot,
                              h->history,          position + 1, make_rule(s, i, h)};
    }
    if (!s->decoder->run(s->decoder->model, s->rows, s->n_live, s->k, s->ids, s->scores,
                         error))
        return false;
    for (int i = 0; i < s->n_live; i++)
        add_candidates(s, i, s->ids + i * s->k, s->scores + i * s->k);
    return true;
}

static int compare_candidates(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    if (x->total != y->total)
        return x->total < y->total ? 1 : -1;
    return x->parent != y->parent ? x->parent - y->parent : x->token - y->token;
}

/* Moves a hypothesis that has ended to the finished ones. */
static void finish(search *s, const hypothesis *h, double total)
{
    if (s->n_finished == 2 * s->width)
        return;
    hypothesis *f = &s->finished[s->n_finished++];
    hypothesis_copy(f, h, s->prompt->n);
    f->total = total;
}

static void extend(search *s, const candidate *c)
{
    hypothesis *h = &s->next[s->n_live++];
    hypothesis_copy(h, &s->live[c->parent], s->prompt->n);
    h->tokens[h->n] = c->token;
    h->scores[h->n++] = c->score;
    h->total = c->total;
}

/* The best candidates become the live hypotheses of the next step. */
static void advance_beam(search *s)
{
    qsort(s->candidates, (size_t)s->n_candidates, sizeof(*s->candidates),
          compare_candidates);
    s->n_live = 0;
    for (int i = 0; i < s->n_candidates && s->n_live < s->width; i++) {
        const candidate *c = &s->candidates[i];
        if (c->token == s->params->end_token)
            finish(s, &s->live[c->parent], c->total);
        else
            extend(s, c);
    }
}

/* Each sample goes on with what was drawn for it. */
static void advance_samples(search *s)
{
    s->n_live = 0;
    for (int i = 0; i < s->n_candidates; i++) {
        const candidate *c = &s->candidates[i];
        if (c->token == s->params->end_token)
            finish(s, &s->live[c->parent], c->total);
        else
            extend(s, c);
    }
}

static void advance(search *s)
{
    if (s->params->temperature > 0)
        advance_samples(s);
    else
        advance_beam(s);
    hypothesis *swap = s->live;
    s->live = s->next;
    s->next = swap;
    s->n_candidates = 0;
}

/* After the prompt all samples are alike: each draws its own first token. */
static void spread_samples(search *s)
{
    s->n_candidates = s->n_candidates < s->width ? s->n_candidates : s->width;
}

static double rank(const hypothesis *h)
{
    return h->total / (h->n > 0 ? h->n : 1);
}

static bool take_best(search *s, asr_search_result *result, asr_error *error)
{
    const hypothesis *best = &s->finished[0];
    for (int i = 1; i < s->n_finished; i++)
        if (rank(&s->finished[i]) > rank(best))
            best = &s->finished[i];
    size_t n = (size_t)best->n;
    result->tokens = malloc((n + 1) * sizeof(*result->tokens));
    result->scores = malloc((n + 1) * sizeof(*result->scores));
    if (!result->tokens || !result->scores)
        return asr_fail_memory(error);
    memcpy(result->tokens, best->tokens, n * sizeof(*result->tokens));
    memcpy(result->scores, best->scores, n * sizeof(*result->scores));
    result->n = best->n;
    result->total = best->total;
    return true;
}

bool asr_search_run(const asr_decoder *decoder, const asr_search_params *params,
                    const asr_search_prompt *prompt, asr_search_result *result,
                    asr_error *error)
{
    bool sampling = params->temperature > 0;
    int width = sampling ? params->n_samples : params->beam_size;
    assert(width > 0 && width <= ASR_SEARCH_MAX_BEAM && prompt->n > 0);
    assert(prompt->n + params->max_tokens <= decoder->n_positions);
    search s = {.decoder = decoder, .params = params, .prompt = prompt, .width = width};
    /* The prompt's draw gives every sample its first token; a beam needs one candidate
     * more than its width, for the one that may end. */
    s.k = width == 1 ? 1 : sampling ? width : width + 1;
    *result = (asr_search_result){.probe_token = -1, .probe_score = -INFINITY};
    bool ok = search_create(&s, error) && run_prompt(&s, result, error);
    if (ok && sampling)
        spread_samples(&s);
    if (ok)
        advance(&s);
    if (sampling)
        s.k = 1;
    for (int step = 1;
         ok && step < params->max_tokens && s.n_live > 0 && s.n_finished < s.width;
         step++) {
        ok = run_step(&s, step, error);
        if (ok)
            advance(&s);
    }
    for (int i = 0; ok && i < s.n_live && s.n_finished < s.width; i++)
        finish(&s, &s.live[i], s.live[i].total);
    /* A model that may say nothing at all has said it. */
    if (ok && s.n_finished == 0)
        s.n_finished = 1;
    ok = ok && take_best(&s, result, error);
    if (!ok)
        asr_search_clear(result);
    search_destroy(&s);
    return ok;
}

void asr_search_clear(asr_search_result *result)
{
    free(result->tokens);
    free(result->scores);
    *result = (asr_search_result){.probe_token = -1, .probe_score = -INFINITY};
}
