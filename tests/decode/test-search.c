/* Searches over a decoder whose next-token probabilities are known, so that the best
 * sequence can be found by trying all. */
#include "decode/search.h"

#include "test.h"

#define VOCABULARY 6
#define END 5
#define MAX_LENGTH 5
#define N_POSITIONS 16
#define N_SLOTS 128

/* Remembers which token each cache row holds, and checks what rows attend to. */
typedef struct mock {
    int cache[N_SLOTS];
    int n_runs;
    bool history_ok;
    bool fail;
} mock;

/* A fixed pseudo-random number in (0, 1) for a path of tokens. */
static double path_noise(const int *path, int n, int next)
{
    uint32_t h = 2166136261u;
    for (int i = 0; i < n; i++)
        h = (h ^ (uint32_t)path[i]) * 16777619u;
    h = (h ^ (uint32_t)(next + 77)) * 16777619u;
    h ^= h >> 15;
    h *= 2246822519u;
    h ^= h >> 13;
    return (h % 9973 + 1) / 9975.0;
}

/* Log-probabilities after a path; the end becomes likelier the longer the path is. */
static void distribution(const int *path, int n, float *logp)
{
    double weight[VOCABULARY], sum = 0;
    for (int t = 0; t < VOCABULARY; t++) {
        weight[t] = pow(path_noise(path, n, t), 3);
        if (t == END)
            weight[t] *= 0.4 * n;
        sum += weight[t];
    }
    for (int t = 0; t < VOCABULARY; t++)
        logp[t] = (float)log(weight[t] / sum);
}

static bool mock_run(void *model, const asr_decoder_row *rows, int n_rows, int k,
                     int32_t *ids, float *scores, asr_error *error)
{
    mock *m = model;
    m->n_runs++;
    if (m->fail)
        return asr_fail(error, "The device is gone.");
    for (int r = 0; r < n_rows; r++)
        m->cache[rows[r].slot] = rows[r].token;
    for (int r = 0; r < n_rows; r++) {
        const asr_decoder_row *row = &rows[r];
        int path[N_POSITIONS];
        float logp[VOCABULARY];
        if (row->n_history != row->position + 1 ||
            row->history[row->position] != row->slot)
            m->history_ok = false;
        for (int i = 0; i < row->n_history; i++)
            path[i] = m->cache[row->history[i]];
        if (!row->rule)
            continue;
        distribution(path, row->n_history, logp);
        for (int i = 0; i < k; i++) {
            int best = -1;
            for (int t = row->rule[ASR_RULE_LOW_0]; t < row->rule[ASR_RULE_HIGH_0]; t++)
                if (logp[t] > -INFINITY && (best < 0 || logp[t] > logp[best]))
                    best = t;
            *ids++ = best;
            *scores++ = best < 0 ? -INFINITY : logp[best];
            if (best >= 0)
                logp[best] = -INFINITY;
        }
    }
    return true;
}

static void allow_all(void *user, const int *tokens, int n, int32_t *rule)
{
    (void)user, (void)tokens, (void)n;
    memset(rule, 0, ASR_RULE_COUNT * sizeof(*rule));
    rule[ASR_RULE_HIGH_0] = VOCABULARY;
}

static const int prompt_tokens[] = {1, 3, 2};

static asr_search_params params_for(int beam_size)
{
    return (asr_search_params){.beam_size = beam_size,
                               .n_samples = 3,
                               .max_tokens = MAX_LENGTH,
                               .end_token = END,
                               .rule = allow_all};
}

/* The score per token of the best finished sequence, by trying all. */
static void try_all(int *path, int n, double total, int depth, double *best)
{
    float logp[VOCABULARY];
    distribution(path, n, logp);
    double ended = (total + logp[END]) / (depth > 0 ? depth : 1);
    *best = fmax(*best, ended);
    for (int t = 0; t < VOCABULARY && depth < MAX_LENGTH; t++)
        if (t != END) {
            path[n] = t;
            try_all(path, n + 1, total + logp[t], depth + 1, best);
        }
}

TEST(greedy_takes_the_most_probable_token)
{
    mock m = {.history_ok = true};
    asr_decoder decoder = {&m, N_SLOTS, N_POSITIONS, mock_run};
    asr_search_params params = params_for(1);
    asr_search_prompt prompt = {prompt_tokens, 3, 0, NULL};
    asr_search_result result;
    asr_error error;
    REQUIRE(asr_search_run(&decoder, &params, &prompt, &result, &error));
    int path[N_POSITIONS] = {1, 3, 2};
    double total = 0;
    int n = 3;
    for (;;) {
        float logp[VOCABULARY];
        int best = 0;
        distribution(path, n, logp);
        for (int t = 1; t < VOCABULARY; t++)
            if (logp[t] > logp[best])
                best = t;
        if (n - 3 == MAX_LENGTH)
            break;
        total += logp[best];
        if (best == END)
            break;
        path[n++] = best;
    }
    EXPECT_INT(result.n, n - 3);
    for (int i = 0; i < result.n; i++)
        EXPECT_INT(result.tokens[i], path[3 + i]);
    EXPECT_NEAR(result.total, total, 1e-5);
    EXPECT(m.history_ok);
    asr_search_clear(&result);
}

TEST(a_wide_beam_finds_the_best_sequence)
{
    mock m = {.history_ok = true};
    asr_decoder decoder = {&m, N_SLOTS, N_POSITIONS, mock_run};
    asr_search_params params = params_for(ASR_SEARCH_MAX_BEAM);
    asr_search_prompt prompt = {prompt_tokens, 3, 0, NULL};
    asr_search_result wide, greedy;
    asr_error error;
    int path[N_POSITIONS] = {1, 3, 2};
    double best = -INFINITY;
    REQUIRE(asr_search_run(&decoder, &params, &prompt, &wide, &error));
    params = params_for(1);
    REQUIRE(asr_search_run(&decoder, &params, &prompt, &greedy, &error));
    try_all(path, 3, 0, 0, &best);
    EXPECT(wide.total / wide.n >= greedy.total / (greedy.n ? greedy.n : 1));
    EXPECT(wide.total / wide.n <= best + 1e-5);
    EXPECT(m.history_ok);
    /* The scores are those of the tokens' own path. */
    double total = 0;
    for (int i = 0; i < wide.n; i++) {
        float logp[VOCABULARY];
        distribution(path, 3 + i, logp);
        EXPECT_NEAR(wide.scores[i], logp[wide.tokens[i]], 1e-6);
        total += wide.scores[i];
        path[3 + i] = wide.tokens[i];
    }
    EXPECT(total >= wide.total - 1e-5);
    asr_search_clear(&wide);
    asr_search_clear(&greedy);
}

TEST(samples_are_reproducible)
{
    mock m = {.history_ok = true};
    asr_decoder decoder = {&m, N_SLOTS, N_POSITIONS, mock_run};
    asr_search_params params = params_for(5);
    asr_search_prompt prompt = {prompt_tokens, 3, 0, NULL};
    asr_search_result a, b;
    asr_error error;
    params.temperature = 0.5f;
    REQUIRE(asr_search_run(&decoder, &params, &prompt, &a, &error));
    REQUIRE(asr_search_run(&decoder, &params, &prompt, &b, &error));
    EXPECT_INT(a.n, b.n);
    EXPECT(a.n == b.n && memcmp(a.tokens, b.tokens, (size_t)a.n * sizeof(int)) == 0);
    EXPECT(m.history_ok);
    asr_search_clear(&a);
    asr_search_clear(&b);
}

TEST(the_probe_reports_its_own_row)
{
    mock m = {.history_ok = true};
    asr_decoder decoder = {&m, N_SLOTS, N_POSITIONS, mock_run};
    asr_search_params params = params_for(2);
    int32_t rule[ASR_RULE_COUNT] = {[ASR_RULE_LOW_0] = 4, [ASR_RULE_HIGH_0] = 5};
    for (int probe = 0; probe < 3; probe++) {
        asr_search_prompt prompt = {prompt_tokens, 3, probe, rule};
        asr_search_result result;
        asr_error error;
        float logp[VOCABULARY];
        REQUIRE(asr_search_run(&decoder, &params, &prompt, &result, &error));
        distribution(prompt_tokens, probe + 1, logp);
        EXPECT_INT(result.probe_token, 4);
        EXPECT_NEAR(result.probe_score, logp[4], 1e-6);
        asr_search_clear(&result);
    }
    EXPECT(m.history_ok);
}

static void allow_end_only(void *user, const int *tokens, int n, int32_t *rule)
{
    allow_all(user, tokens, n, rule);
    rule[ASR_RULE_LOW_0] = END;
}

static void allow_nothing(void *user, const int *tokens, int n, int32_t *rule)
{
    allow_all(user, tokens, n, rule);
    rule[ASR_RULE_HIGH_0] = 0;
}

TEST(a_search_may_find_nothing_to_say)
{
    void (*const rules[])(void *, const int *, int, int32_t *) = {allow_end_only,
                                                                  allow_nothing};
    for (int i = 0; i < 2; i++)
        for (int beam = 1; beam <= 3; beam += 2) {
            mock m = {.history_ok = true};
            asr_decoder decoder = {&m, N_SLOTS, N_POSITIONS, mock_run};
            asr_search_params params = params_for(beam);
            asr_search_prompt prompt = {prompt_tokens, 3, 0, NULL};
            asr_search_result result;
            asr_error error;
            params.rule = rules[i];
            REQUIRE(asr_search_run(&decoder, &params, &prompt, &result, &error));
            EXPECT_INT(result.n, 0);
            asr_search_clear(&result);
        }
}

TEST(a_failing_decoder_fails_the_search)
{
    mock m = {.fail = true};
    asr_decoder decoder = {&m, N_SLOTS, N_POSITIONS, mock_run};
    asr_search_params params = params_for(2);
    asr_search_prompt prompt = {prompt_tokens, 3, 0, NULL};
    asr_search_result result;
    asr_error error;
    EXPECT(!asr_search_run(&decoder, &params, &prompt, &result, &error));
    EXPECT_STR(error.message, "The device is gone.");
    EXPECT(!result.tokens);
}

int main(void)
{
    RUN(greedy_takes_the_most_probable_token);
    RUN(a_wide_beam_finds_the_best_sequence);
    RUN(samples_are_reproducible);
    RUN(the_probe_reports_its_own_row);
    RUN(a_search_may_find_nothing_to_say);
    RUN(a_failing_decoder_fails_the_search);
    return test_end();
}
