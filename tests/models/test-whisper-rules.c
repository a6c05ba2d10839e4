/* Which token may follow which: Whisper's timestamp rules against a plain reading of the
 * published description, on random sequences of tokens; and what a prompt begins with. */
#include "fixture.h"

#include "text/language.h"

/* A small vocabulary in the order of the trained ones. */
enum {
    SPACE = 3,
    END = 10,
    START,
    FIRST_LANGUAGE,
    N_LANGUAGES = 5,
    TRANSLATE = FIRST_LANGUAGE + N_LANGUAGES,
    TRANSCRIBE,
    PREVIOUS,
    NO_SPEECH,
    NO_TIMESTAMPS,
    FIRST_TIMESTAMP,
    N_TIMESTAMPS = 31,
    VOCABULARY = FIRST_TIMESTAMP + N_TIMESTAMPS + 6, /* padded to a round number */
    LATEST_FIRST = 12,
    LONGEST = 24,
    SEQUENCES = 20000,
};

static const asr_whisper_config config = {
    .vocab_size = VOCABULARY,
    .tokens = {.end = END,
               .start = START,
               .first_language = FIRST_LANGUAGE,
               .n_languages = N_LANGUAGES,
               .translate = TRANSLATE,
               .transcribe = TRANSCRIBE,
               .previous = PREVIOUS,
               .no_speech = NO_SPEECH,
               .no_timestamps = NO_TIMESTAMPS,
               .first_timestamp = FIRST_TIMESTAMP,
               .n_timestamps = N_TIMESTAMPS},
    .max_initial_timestamp = LATEST_FIRST,
};

static uint32_t random_state = 2463534242u;

static int random_below(int n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return (int)(random_state % (uint32_t)n);
}

/* Random tokens, half of them timestamps; most sequences keep to the rules' order. */
static int random_tokens(int *tokens)
{
    int n = random_below(LONGEST + 1), last = 0;
    bool ordered = random_below(4) > 0;
    for (int i = 0; i < n; i++) {
        int step = random_below(ordered ? 4 : N_TIMESTAMPS);
        last = ordered ? (last + step < N_TIMESTAMPS ? last + step : N_TIMESTAMPS - 1)
                       : step;
        tokens[i] = random_below(2) ? FIRST_TIMESTAMP + last : random_below(END);
    }
    return n;
}

static bool is_timestamp(int token)
{
    return token >= FIRST_TIMESTAMP;
}

/* The description: timestamps come in pairs, except before the end; they never decrease,
 * and a segment is not empty; the first token is a timestamp, and an early one. */
static void allow(const int *tokens, int n, bool allowed[VOCABULARY])
{
    bool last = n >= 1 && is_timestamp(tokens[n - 1]);
    bool before_last = n < 2 || is_timestamp(tokens[n - 2]);
    for (int t = 0; t < VOCABULARY; t++) {
        allowed[t] = t < FIRST_TIMESTAMP + N_TIMESTAMPS;
        if (last && before_last && is_timestamp(t))
            allowed[t] = false;
        if (last && !before_last && t < END)
            allowed[t] = false;
        if (n == 0 && (!is_timestamp(t) || t > FIRST_TIMESTAMP + LATEST_FIRST))
            allowed[t] = false;
    }
    int latest = -1;
    for (int i = 0; i < n; i++)
        if (is_timestamp(tokens[i]))
            latest = tokens[i];
    int least = latest < 0 ? 0 : last && !before_last ? latest : latest + 1;
    for (int t = FIRST_TIMESTAMP; t < least; t++)
        allowed[t] = false;
}

static bool in_rule(const int32_t *rule, int token)
{
    return (token >= rule[ASR_RULE_LOW_0] && token < rule[ASR_RULE_HIGH_0]) ||
           (token >= rule[ASR_RULE_LOW_1] && token < rule[ASR_RULE_HIGH_1]);
}

static void print_tokens(const int *tokens, int n)
{
    printf("#");
    for (int i = 0; i < n; i++)
        printf(is_timestamp(tokens[i]) ? " <%d>" : " %d",
               is_timestamp(tokens[i]) ? tokens[i] - FIRST_TIMESTAMP : tokens[i]);
    printf("\n");
}

TEST(timestamp_rules_are_the_published_ones)
{
    for (int s = 0; s < SEQUENCES && !test_case_failed; s++) {
        int tokens[LONGEST], n = random_tokens(tokens);
        int32_t rule[ASR_RULE_COUNT];
        bool allowed[VOCABULARY];
        allow(tokens, n, allowed);
        asr_whisper_rule(&config, true, tokens, n, rule);
        for (int t = 0; t < VOCABULARY; t++)
            if (in_rule(rule, t) != allowed[t]) {
                printf("# token %d is %s after\n", t, allowed[t] ? "missing" : "allowed");
                print_tokens(tokens, n);
                test_case_failed = true;
                break;
            }
        EXPECT_INT(rule[ASR_RULE_MASK],
                   n == 0 ? ASR_WHISPER_MASK_BEGIN : ASR_WHISPER_MASK_ALWAYS);
        /* The rule of the mass weighs timestamps against text. */
        EXPECT(n == 0 || rule[ASR_RULE_FLAGS] == ASR_PICK_MASS_RULE);
        EXPECT(rule[ASR_RULE_HIGH_0] <= FIRST_TIMESTAMP);
        EXPECT(rule[ASR_RULE_LOW_1] >= FIRST_TIMESTAMP ||
               rule[ASR_RULE_HIGH_1] <= rule[ASR_RULE_LOW_1]);
    }
}

TEST(without_timestamps_all_text_is_allowed)
{
    for (int s = 0; s < 200; s++) {
        int tokens[LONGEST], n = s % LONGEST;
        int32_t rule[ASR_RULE_COUNT];
        for (int i = 0; i < n; i++)
            tokens[i] = random_below(END);
        asr_whisper_rule(&config, false, tokens, n, rule);
        for (int t = 0; t < VOCABULARY; t++)
            EXPECT(in_rule(rule, t) == (t < FIRST_TIMESTAMP));
        EXPECT_INT(rule[ASR_RULE_MASK],
                   n == 0 ? ASR_WHISPER_MASK_BEGIN : ASR_WHISPER_MASK_ALWAYS);
        EXPECT_INT(rule[ASR_RULE_FLAGS], 0);
    }
}

/* The first timestamp may be later than the vocabulary has any. */
TEST(first_timestamp_stays_in_the_vocabulary)
{
    asr_whisper_config late = config;
    int32_t rule[ASR_RULE_COUNT];
    late.max_initial_timestamp = 1500;
    asr_whisper_rule(&late, true, NULL, 0, rule);
    EXPECT_INT(rule[ASR_RULE_LOW_1], FIRST_TIMESTAMP);
    EXPECT_INT(rule[ASR_RULE_HIGH_1], FIRST_TIMESTAMP + N_TIMESTAMPS);
    late.max_initial_timestamp = 0;
    asr_whisper_rule(&late, true, NULL, 0, rule);
    EXPECT_INT(rule[ASR_RULE_HIGH_1], FIRST_TIMESTAMP + 1);
}

/* A pick after the rules: logits and mask in, the best token out. */
typedef struct picker {
    asr_buffer *logits, *mask, *rules, *ids, *scores;
    asr_plan *plan;
} picker;

static bool picker_create(picker *p)
{
    asr_error error;
    asr_backend *b = fixture_backend;
    p->logits = asr_buffer_create(b, ASR_F32, 1, VOCABULARY, ASR_USAGE_HOST, &error);
    p->mask = asr_buffer_create(b, ASR_F32, ASR_WHISPER_MASKS, VOCABULARY, ASR_USAGE_HOST,
                                &error);
    p->rules = asr_buffer_create(b, ASR_I32, 1, ASR_RULE_COUNT, ASR_USAGE_HOST, &error);
    p->ids = asr_buffer_create(b, ASR_I32, 1, 1, ASR_USAGE_HOST, &error);
    p->scores = asr_buffer_create(b, ASR_F32, 1, 1, ASR_USAGE_HOST, &error);
    asr_graph *graph = asr_graph_create();
    asr_graph_pick(graph, asr_graph_leaf(graph, p->logits),
                   asr_graph_leaf(graph, p->mask), asr_graph_leaf(graph, p->rules),
                   asr_graph_leaf(graph, p->ids), asr_graph_leaf(graph, p->scores));
    p->plan = asr_plan_create(b, &graph, &error);
    return p->plan != NULL;
}

static void picker_destroy(picker *p)
{
    asr_plan_destroy(&p->plan);
    asr_buffer_destroy(&p->logits);
    asr_buffer_destroy(&p->mask);
    asr_buffer_destroy(&p->rules);
    asr_buffer_destroy(&p->ids);
    asr_buffer_destroy(&p->scores);
}

/* What the description picks: of what is allowed the most probable, or the most probable
 * timestamp where all of them together outweigh every single text token. */
static int pick_plainly(const float *logits, const int *tokens, int n)
{
    bool allowed[VOCABULARY];
    double mass = 0;
    int text = -1, timestamp = -1;
    allow(tokens, n, allowed);
    for (int t = 0; t < VOCABULARY; t++) {
        if (!allowed[t] || t == NO_TIMESTAMPS || (n == 0 && (t == SPACE || t == END)))
            continue;
        int *best = is_timestamp(t) ? &timestamp : &text;
        if (*best < 0 || logits[t] > logits[*best])
            *best = t;
        mass += is_timestamp(t) ? exp(logits[t]) : 0;
    }
    if (text < 0 || (timestamp >= 0 && log(mass) > logits[text]))
        return timestamp;
    return timestamp < 0 || logits[text] >= logits[timestamp] ? text : timestamp;
}

TEST(picks_follow_the_rules)
{
    picker p = {0};
    asr_error error;
    float mask[ASR_WHISPER_MASKS][VOCABULARY] = {0}, logits[VOCABULARY];
    mask[ASR_WHISPER_MASK_ALWAYS][NO_TIMESTAMPS] = -INFINITY;
    mask[ASR_WHISPER_MASK_BEGIN][NO_TIMESTAMPS] = -INFINITY;
    mask[ASR_WHISPER_MASK_BEGIN][SPACE] = mask[ASR_WHISPER_MASK_BEGIN][END] = -INFINITY;
    bool made = picker_create(&p);
    EXPECT(made && asr_buffer_write(p.mask, 0, ASR_WHISPER_MASKS, mask, &error));
    for (int s = 0; made && s < 3000; s++) {
        int tokens[LONGEST], n = random_tokens(tokens);
        int32_t rule[ASR_RULE_COUNT], id = -1;
        for (int t = 0; t < VOCABULARY; t++)
            logits[t] = (float)random_below(1 << 20) * 0x1p-17f;
        asr_whisper_rule(&config, true, tokens, n, rule);
        EXPECT(asr_buffer_write(p.logits, 0, 1, logits, &error) &&
               asr_buffer_write(p.rules, 0, 1, rule, &error) &&
               asr_plan_run(p.plan, &error) && asr_buffer_read(p.ids, 0, 1, &id, &error));
        EXPECT_INT(id, pick_plainly(logits, tokens, n));
        if (test_case_failed) {
            print_tokens(tokens, n);
            break;
        }
    }
    picker_destroy(&p);
}

/* Whether the start tokens are those of a list that ends with -1. */
static bool starts_with(const asr_whisper_config *c, int language, bool translate,
                        bool timestamps, const int *expected)
{
    int tokens[4];
    int n = asr_whisper_start_tokens(c, language, translate, timestamps, tokens);
    for (int i = 0; i < n; i++)
        if (tokens[i] != expected[i])
            return false;
    return expected[n] == -1;
}

TEST(start_tokens)
{
    const int german = FIRST_LANGUAGE + 2;
    EXPECT(starts_with(&config, german, false, true,
                       (int[]){START, german, TRANSCRIBE, -1}));
    EXPECT(
        starts_with(&config, german, true, true, (int[]){START, german, TRANSLATE, -1}));
    EXPECT(starts_with(&config, german, false, false,
                       (int[]){START, german, TRANSCRIBE, NO_TIMESTAMPS, -1}));
    EXPECT(starts_with(&config, german, true, false,
                       (int[]){START, german, TRANSLATE, NO_TIMESTAMPS, -1}));
    EXPECT(starts_with(&config, -1, false, true, (int[]){START, -1}));
    EXPECT(starts_with(&config, -1, false, false, (int[]){START, NO_TIMESTAMPS, -1}));
}

TEST(language_tokens)
{
    asr_whisper_config wide = config;
    size_t n;
    const asr_language *languages = asr_language_list(&n);
    EXPECT_INT(asr_whisper_language_token(&config, "en"), FIRST_LANGUAGE);
    for (size_t i = 0; i < n; i++)
        EXPECT_INT(asr_whisper_language_token(&config, languages[i].code),
                   i < N_LANGUAGES ? FIRST_LANGUAGE + (int)i : -1);
    EXPECT_INT(asr_whisper_language_token(&config, "xx"), -1);
    EXPECT_INT(asr_whisper_language_token(&config, ""), -1);
    wide.tokens.n_languages = (int)n;
    EXPECT_INT(asr_whisper_language_token(&wide, languages[n - 1].code),
               FIRST_LANGUAGE + (int)n - 1);
    wide.tokens.n_languages = 0;
    wide.tokens.first_language = -1;
    EXPECT_INT(asr_whisper_language_token(&wide, "en"), -1);
}

int main(int argc, char **argv)
{
    fixture_begin(argc > 1 ? argv[1] : "reference");
    RUN(timestamp_rules_are_the_published_ones);
    RUN(without_timestamps_all_text_is_allowed);
    RUN(first_timestamp_stays_in_the_vocabulary);
    RUN(picks_follow_the_rules);
    RUN(start_tokens);
    RUN(language_tokens);
    RUN(validation_is_silent);
    return test_end();
}
