/* Whisper's features, encoder, decoder and attention against what transformers computes
 * with the same small random checkpoints (tests/reference/make_whisper.py).
 *
 *     test-whisper reference|cpu|vulkan */
#include "compare.h"
#include "fixture.h"

/* One checkpoint with what is expected of it. */
static const char *name;
static asr_safetensors *expected;

static const float *floats(const char *tensor)
{
    return fixture_tensor(expected, tensor, ASR_F32)->data;
}

static const int *ints(const char *tensor, int *n)
{
    const asr_stored_tensor *t = fixture_tensor(expected, tensor, ASR_I32);
    if (n)
        *n = (int)t->n_elements;
    return t->data;
}

/* Opens the checkpoint and encodes speech.wav. */
static asr_whisper *open_encoded(asr_precision precision)
{
    asr_whisper *whisper = fixture_open(name, precision);
    EXPECT(whisper != NULL);
    if (whisper && !fixture_encode(whisper))
        asr_whisper_destroy(&whisper);
    return whisper;
}

TEST(features)
{
    int n;
    size_t n_samples;
    const int *frames = ints("features.frames", &n);
    asr_whisper *whisper = fixture_open(name, ASR_PRECISION_F32);
    REQUIRE(whisper);
    int n_mels = asr_whisper_get_config(whisper)->n_mels;
    float *values = fixture_features(whisper, fixture_path("speech.wav"), &n_samples);
    const float *wanted = floats("features"); /* [n_mels, n] */
    for (int f = 0; values && f < n; f++)
        for (int m = 0; m < n_mels; m++)
            EXPECT_NEAR(values[(size_t)frames[f] * (size_t)n_mels + (size_t)m],
                        wanted[(size_t)m * (size_t)n + (size_t)f], 1e-4);
    EXPECT(values != NULL);
    free(values);
    asr_whisper_destroy(&whisper);
}

/* The encoder's output of speech.wav against the reference's, in rows. */
static difference encoder_difference(asr_precision precision)
{
    int n;
    size_t n_samples;
    difference d = {INFINITY, -1};
    asr_error error = {""};
    const int *frames = ints("encoder.frames", &n);
    asr_whisper *whisper = fixture_open(name, precision);
    if (!whisper)
        return d;
    const asr_whisper_config *c = asr_whisper_get_config(whisper);
    float *features = fixture_features(whisper, fixture_path("speech.wav"), &n_samples);
    float *output = malloc((size_t)c->n_audio_ctx * (size_t)c->d_model * sizeof(*output));
    if (features && output && asr_whisper_encode(whisper, features, output, &error))
        d = compare_rows(output, frames, floats("encoder"), (size_t)n,
                         (size_t)c->d_model);
    printf("# %s: relative %.1e, cosine %.6f %s\n", name, d.relative, d.cosine,
           error.message);
    free(features);
    free(output);
    asr_whisper_destroy(&whisper);
    return d;
}

TEST(encoder_f32)
{
    difference d = encoder_difference(ASR_PRECISION_F32);
    EXPECT(d.relative <= 1e-3);
}

TEST(encoder_f16)
{
    difference d = encoder_difference(ASR_PRECISION_F16);
    EXPECT(d.cosine >= 0.9995);
}

TEST(encoder_int8)
{
    difference d = encoder_difference(ASR_PRECISION_INT8);
    EXPECT(d.cosine >= 0.999);
}

TEST(logits)
{
    int n;
    asr_error error;
    const int *tokens = ints("tokens", &n);
    asr_whisper *whisper = open_encoded(ASR_PRECISION_F32);
    REQUIRE(whisper);
    size_t vocab = (size_t)asr_whisper_get_config(whisper)->vocab_size;
    float *values = malloc((size_t)n * vocab * sizeof(*values));
    bool ok = values && asr_whisper_logits(whisper, tokens, n, values, &error);
    EXPECT(ok);
    if (ok) {
        difference d = compare_rows(values, NULL, floats("logits"), (size_t)n, vocab);
        printf("# %s: relative %.1e, cosine %.7f\n", name, d.relative, d.cosine);
        EXPECT(d.relative <= 1e-3);
    }
    free(values);
    asr_whisper_destroy(&whisper);
}

/* The best token after each prefix of the expected path: if all are the path's next, a
 * greedy run takes it. */
TEST(greedy_tokens)
{
    int n_prompt, n_greedy, tokens[128];
    asr_error error;
    const int *prompt = ints("prompt", &n_prompt), *greedy = ints("greedy", &n_greedy);
    asr_whisper *whisper = open_encoded(ASR_PRECISION_F32);
    REQUIRE(whisper);
    const asr_whisper_config *c = asr_whisper_get_config(whisper);
    int n = n_prompt + n_greedy - 1;
    REQUIRE(n_greedy == 60 && n < c->n_text_ctx);
    size_t vocab = (size_t)c->vocab_size;
    float *values = malloc((size_t)n * vocab * sizeof(*values));
    REQUIRE(values);
    memcpy(tokens, prompt, (size_t)n_prompt * sizeof(*tokens));
    memcpy(tokens + n_prompt, greedy, (size_t)(n_greedy - 1) * sizeof(*tokens));
    EXPECT(asr_whisper_logits(whisper, tokens, n, values, &error));
    for (int i = 0; i < n_greedy; i++)
        EXPECT_INT(best_of(values + (size_t)(n_prompt - 1 + i) * vocab, c->vocab_size),
                   greedy[i]);
    free(values);
    asr_whisper_destroy(&whisper);
}

/* A rule that allows every token. */
static void allow_all(const asr_whisper_config *c, int32_t *rule)
{
    memset(rule, 0, ASR_RULE_COUNT * sizeof(*rule));
    rule[ASR_RULE_MASK] = -1;
    rule[ASR_RULE_HIGH_0] = c->vocab_size;
}

/* The same tokens one at a time, from the cache: the prompt as rows of one run, then a
 * row a step, in slots that have nothing to do with the positions. Beside it a hypothesis
 * that shares the prompt's slots and says something else. */
TEST(greedy_tokens_from_the_cache)
{
    int n_prompt, n_greedy;
    asr_error error;
    const int *prompt = ints("prompt", &n_prompt), *greedy = ints("greedy", &n_greedy);
    asr_whisper *whisper = open_encoded(ASR_PRECISION_F32);
    REQUIRE(whisper);
    asr_decoder decoder = asr_whisper_decoder(whisper);
    int32_t history[2][128], rule[ASR_RULE_COUNT], ids[2] = {-1, -1};
    float scores[2];
    asr_decoder_row rows[8];
    allow_all(asr_whisper_get_config(whisper), rule);
    REQUIRE(n_prompt <= 8 && n_prompt + 2 * n_greedy <= decoder.n_slots);
    for (int i = 0; i < n_prompt; i++) {
        history[0][i] = history[1][i] = n_prompt - 1 - i;
        rows[i] = (asr_decoder_row){prompt[i],  i,     history[0][i],
                                    history[0], i + 1, i == n_prompt - 1 ? rule : NULL};
    }
    EXPECT(decoder.run(decoder.model, rows, n_prompt, 1, ids, scores, &error));
    EXPECT_INT(ids[0], greedy[0]);
    for (int i = 1; i < n_greedy; i++) {
        int position = n_prompt + i - 1;
        for (int h = 0; h < 2; h++) {
            history[h][position] = decoder.n_slots - 1 - 2 * i - h;
            rows[h] = (asr_decoder_row){h ? 7 * i % 256 : greedy[i - 1],
                                        position,
                                        history[h][position],
                                        history[h],
                                        position + 1,
                                        rule};
        }
        EXPECT(decoder.run(decoder.model, rows, 2, 1, ids, scores, &error));
        EXPECT_INT(ids[0], greedy[i]);
        EXPECT(scores[0] <= 0);
    }
    asr_whisper_destroy(&whisper);
}

TEST(cross_attention)
{
    int n, n_frames, n_heads;
    asr_error error;
    const int *tokens = ints("tokens", &n), *frames = ints("encoder.frames", &n_frames);
    const float *wanted = floats("cross_attention"); /* [heads, tokens, frames] */
    ints("alignment_heads", &n_heads);
    n_heads /= 2;
    asr_whisper *whisper = open_encoded(ASR_PRECISION_F32);
    REQUIRE(whisper);
    const asr_whisper_config *c = asr_whisper_get_config(whisper);
    EXPECT_INT(c->n_alignment_heads, n_heads);
    int rows = n_heads * n, positions = c->n_audio_ctx;
    float *weights = malloc((size_t)rows * (size_t)positions * sizeof(*weights));
    REQUIRE(weights);
    EXPECT(asr_whisper_attention(whisper, tokens, n, weights, &error));
    for (int r = 0; r < rows; r++) {
        const float *row = weights + (size_t)r * (size_t)positions;
        double sum = 0;
        for (int p = 0; p < positions; p++)
            sum += row[p];
        EXPECT_NEAR(sum, 1, 1e-4);
        for (int f = 0; f < n_frames; f++)
            EXPECT_NEAR(row[frames[f]], wanted[(size_t)r * (size_t)n_frames + (size_t)f],
                        1e-4);
    }
    free(weights);
    asr_whisper_destroy(&whisper);
}

/* Asking in another order, for other lengths, and for another window changes nothing:
 * plans and caches are reused. */
TEST(runs_do_not_disturb_each_other)
{
    int n;
    asr_error error;
    const int *tokens = ints("tokens", &n);
    asr_whisper *whisper = open_encoded(ASR_PRECISION_AUTO);
    REQUIRE(whisper);
    const asr_whisper_config *c = asr_whisper_get_config(whisper);
    size_t count = (size_t)n * (size_t)c->vocab_size;
    size_t n_features = 2 * (size_t)c->n_audio_ctx * (size_t)c->n_mels;
    size_t n_weights = c->n_alignment_heads * (size_t)n * (size_t)c->n_audio_ctx;
    float *first = malloc(count * sizeof(*first)),
          *again = malloc(count * sizeof(*again));
    float *weights = malloc(n_weights * sizeof(*weights));
    float *silence = calloc(n_features, sizeof(*silence));
    REQUIRE(first && again && weights && silence);
    EXPECT(asr_whisper_logits(whisper, tokens, n, first, &error));
    for (int length = 1; length < n; length++)
        EXPECT(asr_whisper_logits(whisper, tokens, length, again, &error));
    EXPECT(asr_whisper_attention(whisper, tokens, n, weights, &error));
    EXPECT(asr_whisper_logits(whisper, tokens, n, again, &error));
    EXPECT(memcmp(first, again, count * sizeof(*first)) == 0);
    EXPECT(asr_whisper_encode(whisper, silence, NULL, &error));
    EXPECT(asr_whisper_logits(whisper, tokens, n, again, &error));
    EXPECT(memcmp(first, again, count * sizeof(*first)) != 0);
    EXPECT(fixture_encode(whisper));
    EXPECT(asr_whisper_logits(whisper, tokens, n, again, &error));
    EXPECT(memcmp(first, again, count * sizeof(*first)) == 0);
    free(first);
    free(again);
    free(weights);
    free(silence);
    asr_whisper_destroy(&whisper);
}

static void check_checkpoint(const char *checkpoint)
{
    char path[64];
    asr_error error;
    name = checkpoint;
    snprintf(path, sizeof(path), "%s/expected.safetensors", checkpoint);
    expected = asr_safetensors_open(fixture_path(path), &error);
    if (!expected) {
        printf("Bail out! %s\n", error.message);
        exit(EXIT_FAILURE);
    }
    printf("# %s\n", checkpoint);
    RUN(features);
    RUN(encoder_f32);
    RUN(encoder_f16);
    RUN(encoder_int8);
    RUN(logits);
    RUN(greedy_tokens);
    RUN(greedy_tokens_from_the_cache);
    RUN(cross_attention);
    RUN(runs_do_not_disturb_each_other);
    asr_safetensors_destroy(&expected);
}

int main(int argc, char **argv)
{
    fixture_begin(argc > 1 ? argv[1] : "reference");
    check_checkpoint("multilingual");
    check_checkpoint("distil");
    check_checkpoint("english");
    RUN(validation_is_silent);
    return test_end();
}
