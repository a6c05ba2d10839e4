/* Decoding a window: what comes out keeps to the rules and has the probabilities that the
 * decoder's logits say; languages; words with times. On random checkpoints, whose
 * nonsense falls back to every temperature there is. */
#include "compare.h"
#include "fixture.h"
#include "flat.h"

#include "models/whisper-words.h"

enum { MOST_TOKENS = 64 };

static const char *const checkpoints[] = {"multilingual", "distil", "english"};

static asr_whisper *whisper; /* the checkpoint at hand, with speech.wav encoded */
static const asr_whisper_config *config;
static float *logits; /* [n_text_ctx, vocab_size] */

static void begin(const char *directory)
{
    whisper = fixture_open_at(directory, ASR_PRECISION_F32);
    if (!whisper || !fixture_encode(whisper))
        exit(EXIT_FAILURE);
    config = asr_whisper_get_config(whisper);
    logits =
        malloc((size_t)config->n_text_ctx * (size_t)config->vocab_size * sizeof(*logits));
    if (!logits)
        exit(EXIT_FAILURE);
}

static void end(void)
{
    free(logits);
    asr_whisper_destroy(&whisper);
}

static bool is_listed(const int *list, size_t n, int token)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == token)
            return true;
    return false;
}

/* Quotes, dashes and colons, which may be said though a checkpoint's list suppresses
 * them.
 */
static bool is_of_dialogue(int token)
{
    size_t n, at = 0;
    const char *text = asr_tokenizer_bytes(asr_whisper_get_tokenizer(whisper), token, &n);
    while (at < n && memchr(" \"'-:;", text[at], 6))
        at++;
    return n > 0 && at == n;
}

/* Whether the masks leave a token out, whatever the rule. */
static bool is_masked(int token, bool first)
{
    const asr_whisper_tokens *t = &config->tokens;
    const int special[] = {t->start,    t->translate, t->transcribe,
                           t->previous, t->no_speech, t->no_timestamps};
    if (is_listed(special, 6, token))
        return true;
    if (token == t->end)
        return first;
    return (is_listed(config->suppress, config->n_suppress, token) &&
            !is_of_dialogue(token)) ||
           (first && is_listed(config->begin_suppress, config->n_begin_suppress, token));
}

static double log_sum(const float *row, const bool *in, double *max)
{
    double sum = 0;
    *max = -INFINITY;
    for (int t = 0; t < config->vocab_size; t++)
        if (in[t])
            *max = fmax(*max, row[t]);
    for (int t = 0; t < config->vocab_size; t++)
        if (in[t])
            sum += exp(row[t] - *max);
    return sum > 0 ? *max + log(sum) : -INFINITY;
}

/* The log-probability of a token after the n tokens of a window, from the logits; NaN for
 * a token that may not follow. */
static double plain_score(const float *row, const asr_whisper_decode_params *params,
                          const int *tokens, int n, int token)
{
    asr_whisper_config limited = *config;
    if (params->seconds > 0) /* the timestamps that the sound has */
        limited.tokens.n_timestamps = (int)ceil(params->seconds / 0.02) + 1;
    int32_t rule[ASR_RULE_COUNT];
    size_t vocab = (size_t)config->vocab_size;
    bool *text = calloc(vocab, sizeof(*text)), *times = calloc(vocab, sizeof(*times));
    double best_text, best_time, score = NAN;
    if (!text || !times)
        exit(EXIT_FAILURE);
    asr_whisper_rule(&limited, params->timestamps, tokens, n, rule);
    for (int t = 0; t < config->vocab_size; t++) {
        bool free_to_go = !is_masked(t, n == 0);
        text[t] = free_to_go && t >= rule[ASR_RULE_LOW_0] && t < rule[ASR_RULE_HIGH_0];
        times[t] = free_to_go && t >= rule[ASR_RULE_LOW_1] && t < rule[ASR_RULE_HIGH_1];
    }
    double sum_text = log_sum(row, text, &best_text);
    double sum_time = log_sum(row, times, &best_time);
    bool only_times = (rule[ASR_RULE_FLAGS] & ASR_PICK_MASS_RULE) && sum_time > best_text;
    if (times[token] || (text[token] && !only_times)) {
        double top = fmax(sum_text, sum_time);
        double all =
            only_times ? sum_time : top + log(exp(sum_text - top) + exp(sum_time - top));
        score = row[token] - all;
    }
    free(text);
    free(times);
    return score;
}

/* The decoder's input: context, start tokens, and the result's. */
static int whole_input(const asr_whisper_decode_params *p, const asr_whisper_result *r,
                       int *tokens, int *start)
{
    int n = 0, most = config->n_text_ctx / 2 - 1;
    int kept = p->n_previous < most ? p->n_previous : most;
    if (kept > 0) {
        tokens[n++] = config->tokens.previous;
        for (int i = p->n_previous - kept; i < p->n_previous; i++)
            tokens[n++] = p->previous[i];
    }
    *start = n;
    n += asr_whisper_start_tokens(config, p->language, p->translate, p->timestamps,
                                  tokens + n);
    memcpy(tokens + n, r->tokens, (size_t)r->n * sizeof(*tokens));
    return n + r->n;
}

static double no_speech_of(const float *row)
{
    double max = -INFINITY, sum = 0;
    for (int t = 0; t < config->vocab_size; t++)
        max = fmax(max, row[t]);
    for (int t = 0; t < config->vocab_size; t++)
        sum += exp(row[t] - max);
    return exp(row[config->tokens.no_speech] - max) / sum;
}

/* Everything a result says, recomputed from the logits of the whole sequence. */
static void check_result(const asr_whisper_decode_params *p, const asr_whisper_result *r)
{
    int tokens[MOST_TOKENS + 8], start;
    asr_error error;
    double total = 0;
    REQUIRE(r->n <= config->n_text_ctx / 2);
    int n = whole_input(p, r, tokens, &start), n_prompt = n - r->n;
    REQUIRE(n <= config->n_text_ctx);
    REQUIRE(asr_whisper_logits(whisper, tokens, n, logits, &error));
    const float *row = logits + (size_t)(n_prompt - 1) * (size_t)config->vocab_size;
    for (int i = 0; i < r->n; i++, row += config->vocab_size) {
        double score = plain_score(row, p, r->tokens, i, r->tokens[i]);
        EXPECT_NEAR(r->scores[i], score, 2e-3);
        total += r->scores[i];
    }
    /* The end's score counts as well, unless there was no room for it. */
    double last = r->mean_score * (r->n + 1) - total;
    double finish = plain_score(row, p, r->tokens, r->n, config->tokens.end);
    if (n < config->n_text_ctx && r->n < config->n_text_ctx / 2)
        EXPECT_NEAR(last, finish, 5e-3);
    else
        EXPECT(fabs(last) < 5e-3 || fabs(last - finish) < 5e-3);
    row = logits + (size_t)start * (size_t)config->vocab_size;
    EXPECT_NEAR(r->no_speech, no_speech_of(row), 1e-4);
    EXPECT(r->compression >= 0 && r->compression < 100);
    EXPECT(r->temperature >= 0 && r->temperature <= 1);
}

static asr_whisper_decode_params window_params(int beam_size)
{
    return (asr_whisper_decode_params){
        .language = config->tokens.first_language,
        .timestamps = true,
        .beam_size = beam_size,
        .seed = 7,
    };
}

static void decode_and_check(const asr_whisper_decode_params *params)
{
    asr_error error = {""};
    asr_whisper_result result, again;
    bool ok = asr_whisper_decode(whisper, params, &result, &error);
    EXPECT(ok);
    if (!ok) {
        printf("# %s\n", error.message);
        return;
    }
    check_result(params, &result);
    /* The same seed gives the same. */
    EXPECT(asr_whisper_decode(whisper, params, &again, &error));
    EXPECT_INT(again.n, result.n);
    EXPECT(again.n == result.n && memcmp(again.tokens, result.tokens,
                                         (size_t)result.n * sizeof(*result.tokens)) == 0);
    asr_whisper_result_clear(&again);
    asr_whisper_result_clear(&result);
    EXPECT(result.tokens == NULL);
}

TEST(results_have_the_scores_of_the_logits)
{
    static const int beams[] = {1, 2, 5};
    for (size_t b = 0; b < 3; b++) {
        asr_whisper_decode_params params = window_params(beams[b]);
        decode_and_check(&params);
        params.seconds = 0.3;
        decode_and_check(&params);
        params.timestamps = false;
        decode_and_check(&params);
        params.translate = true;
        decode_and_check(&params);
    }
}

/* A context as long as it may be, and longer. */
TEST(results_after_a_context)
{
    int previous[MOST_TOKENS];
    for (int i = 0; i < MOST_TOKENS; i++)
        previous[i] = 40 + i * 3 % 150;
    static const int lengths[] = {1, 10, 30, 31, 32, 63};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        asr_whisper_decode_params params = window_params(i % 2 ? 5 : 1);
        params.previous = previous;
        params.n_previous = lengths[i];
        decode_and_check(&params);
    }
}

/* Of a checkpoint that is sure of nothing every window falls back, and other seeds draw
 * other samples. */
TEST(fall_back_draws_by_the_seed)
{
    asr_error error;
    asr_whisper_result results[4];
    int n = 0, different = 0;
    for (; n < 4; n++) {
        asr_whisper_decode_params params = window_params(n % 2 ? 5 : 1);
        params.seed = (uint32_t)n * 1000;
        if (!asr_whisper_decode(whisper, &params, &results[n], &error))
            break;
        EXPECT(results[n].temperature > 0);
        EXPECT(results[n].mean_score < -1);
        different += results[n].n != results[0].n ||
                     memcmp(results[n].tokens, results[0].tokens,
                            (size_t)results[0].n * sizeof(int)) != 0;
    }
    EXPECT_INT(n, 4);
    EXPECT(different > 1);
    while (n > 0)
        asr_whisper_result_clear(&results[--n]);
}

TEST(languages_are_detected_by_their_tokens)
{
    const asr_whisper_tokens *t = &config->tokens;
    asr_error error;
    int language = 12345;
    REQUIRE(asr_whisper_detect_language(whisper, &language, &error));
    if (t->n_languages == 0) {
        EXPECT_INT(language, -1);
        return;
    }
    REQUIRE(asr_whisper_logits(whisper, &t->start, 1, logits, &error));
    EXPECT_INT(language,
               t->first_language + best_of(logits + t->first_language, t->n_languages));
}

/* The words of a list of tokens; NULL with a failed test. */
static bool find_words(const int *tokens, const float *scores, size_t n, const char *code,
                       double seconds, double offset, asr_word_list *list)
{
    asr_error error = {""};
    asr_word_params params = {.tokens = tokens,
                              .scores = scores,
                              .n = n,
                              .language = config->tokens.first_language,
                              .language_code = code,
                              .seconds = seconds,
                              .offset = offset};
    bool ok = asr_whisper_words(whisper, &params, list, &error);
    if (!ok)
        printf("# %s\n", error.message);
    return ok;
}

/* Words spell their tokens' bytes, in order, and follow each other in the audio. */
static void check_words(const asr_word_list *list, const int *tokens, size_t n,
                        double seconds, double offset)
{
    const asr_tokenizer *tokenizer = asr_whisper_get_tokenizer(whisper);
    size_t token = 0;
    for (size_t w = 0; w < list->n; w++) {
        const asr_word *word = &list->words[w];
        const char *text = word->text;
        size_t next = w + 1 < list->n ? list->first_token[w + 1] : n;
        EXPECT_INT(list->first_token[w], token);
        for (; token < next; token++) {
            size_t length;
            const char *bytes = asr_tokenizer_bytes(tokenizer, tokens[token], &length);
            EXPECT(memcmp(text, bytes, length) == 0);
            text += length;
        }
        EXPECT(*text == '\0');
        EXPECT(word->probability >= 0 && word->probability <= 1.0001f);
        EXPECT(word->start <= word->end + 1e-9);
        EXPECT(word->start >= offset - 1e-9);
        EXPECT(word->end <= offset + seconds + ASR_WHISPER_TIMESTAMP_STEP);
        if (w > 0)
            EXPECT(word->start >= list->words[w - 1].end - 1e-9);
    }
    EXPECT_INT(token, n);
}

/* Tokens of a text, whose scores are made up. */
static int *tokens_of(const char *text, size_t *n)
{
    asr_error error;
    int *tokens = asr_tokenizer_encode(asr_whisper_get_tokenizer(whisper), text,
                                       strlen(text), false, n, &error);
    if (!tokens)
        exit(EXIT_FAILURE);
    return tokens;
}

/* The words a text is cut into, joined by "|". */
static const char *cut(const char *text, const char *code)
{
    static char joined[512];
    static const float scores[MOST_TOKENS];
    asr_word_list list;
    size_t n;
    int *tokens = tokens_of(text, &n);
    joined[0] = '\0';
    if (find_words(tokens, scores, n, code, 2.99, 0, &list)) {
        check_words(&list, tokens, n, 2.99, 0);
        for (size_t w = 0; w < list.n; w++)
            snprintf(joined + strlen(joined), sizeof(joined) - strlen(joined), "%s%s",
                     w ? "|" : "", list.words[w].text);
    }
    asr_word_list_clear(&list);
    free(tokens);
    return joined;
}

TEST(words_are_cut_at_spaces_and_keep_their_punctuation)
{
    EXPECT_STR(cut(" the time of day", "en"), " the| time| of| day");
    EXPECT_STR(cut(" a caf\303\251, is it?", "en"), " a| caf\303\251,| is| it?");
    EXPECT_STR(cut(" he said (so)", "en"), " he| said| (so)");
    EXPECT_STR(cut("no space first", "en"), "no| space| first");
    EXPECT_STR(cut(" \303\251", "fr"), " \303\251");
    EXPECT_STR(cut("\344\270\255\346\226\207\343\200\202", "zh"),
               "\344\270\255|\346\226\207\343\200\202");
    EXPECT_STR(cut("\344\270\255\346\226\207", "en"), "\344\270\255\346\226\207");
    EXPECT_STR(cut("", "en"), "");
}

TEST(words_of_what_was_decoded)
{
    asr_error error;
    asr_whisper_decode_params params = window_params(5);
    asr_whisper_result result;
    asr_word_list list, moved;
    int text[MOST_TOKENS];
    float scores[MOST_TOKENS];
    size_t n = 0;
    REQUIRE(asr_whisper_decode(whisper, &params, &result, &error));
    for (int i = 0; i < result.n; i++)
        if (result.tokens[i] < config->tokens.end) {
            scores[n] = result.scores[i];
            text[n++] = result.tokens[i];
        }
    EXPECT(find_words(text, scores, n, "en", 2.99, 0, &list));
    check_words(&list, text, n, 2.99, 0);
    EXPECT(find_words(text, scores, n, "en", 2.99, 100, &moved));
    check_words(&moved, text, n, 2.99, 100);
    EXPECT_INT(moved.n, list.n);
    for (size_t w = 0; w < list.n && w < moved.n; w++)
        EXPECT_NEAR(moved.words[w].start, list.words[w].start + 100, 1e-9);
    asr_word_list_clear(&moved);
    /* Next to no audio. */
    EXPECT(find_words(text, scores, n, "en", 0, 0, &moved));
    check_words(&moved, text, n, 0, 0);
    asr_word_list_clear(&moved);
    asr_word_list_clear(&list);
    asr_whisper_result_clear(&result);
}

TEST(more_words_than_fit_are_refused)
{
    static int tokens[2 * MOST_TOKENS];
    static float scores[2 * MOST_TOKENS];
    asr_word_list list;
    size_t n = (size_t)config->n_text_ctx;
    EXPECT(!find_words(tokens, scores, n, "en", 1, 0, &list));
    asr_word_list_clear(&list);
    int start[4];
    n -= (size_t)asr_whisper_start_tokens(config, config->tokens.first_language, false,
                                          false, start);
    EXPECT(find_words(tokens, scores, n, "en", 1, 0, &list));
    check_words(&list, tokens, n, 1, 0);
    asr_word_list_clear(&list);
}

/* Bytes that end within a character are one word; a lone piece of one is kept. */
TEST(broken_characters_are_kept)
{
    size_t n;
    static const float scores[MOST_TOKENS];
    asr_word_list list;
    int *tokens = tokens_of("\344\270\255", &n);
    if (n > 1) {
        EXPECT(find_words(tokens, scores, n - 1, "zh", 1, 0, &list));
        EXPECT_INT(list.n, 1);
        check_words(&list, tokens, n - 1, 1, 0);
        asr_word_list_clear(&list);
    }
    free(tokens);
}

TEST(text_has_neither_timestamps_nor_special_tokens)
{
    const asr_whisper_tokens *t = &config->tokens;
    asr_error error;
    size_t n, length;
    int *words = tokens_of(" the day", &n), tokens[MOST_TOKENS];
    REQUIRE(n + 4 < MOST_TOKENS);
    tokens[0] = t->first_timestamp;
    memcpy(tokens + 1, words, n * sizeof(*words));
    tokens[n + 1] = t->first_timestamp + 77;
    tokens[n + 2] = t->start + 5; /* a language */
    tokens[n + 3] = t->end;
    char *text = asr_whisper_text(whisper, tokens, (int)n + 4, &length, &error);
    EXPECT_STR(text, " the day");
    EXPECT_INT(length, 8);
    free(text);
    free(words);
}

int main(int argc, char **argv)
{
    fixture_begin(argc > 1 ? argv[1] : "cpu");
    for (size_t i = 0; i < sizeof(checkpoints) / sizeof(checkpoints[0]); i++) {
        printf("# %s\n", checkpoints[i]);
        begin(fixture_path(checkpoints[i]));
        RUN(results_have_the_scores_of_the_logits);
        RUN(results_after_a_context);
        RUN(languages_are_detected_by_their_tokens);
        RUN(words_are_cut_at_spaces_and_keep_their_punctuation);
        RUN(words_of_what_was_decoded);
        RUN(more_words_than_fit_are_refused);
        RUN(broken_characters_are_kept);
        RUN(text_has_neither_timestamps_nor_special_tokens);
        end();
    }
    begin(flat_checkpoint());
    RUN(results_have_the_scores_of_the_logits);
    RUN(results_after_a_context);
    RUN(fall_back_draws_by_the_seed);
    end();
    RUN(validation_is_silent);
    scratch_remove();
    return test_end();
}
