/* The trained Whisper base on real speech, where it is installed: against what
 * transformers computes (tests/reference/make_whisper_base.py), and word for word.
 *
 * Recordings: five sentences of LibriVox from Debian's pocketsphinx-testdata, and jfk.wav
 * where the checkout has a shared/audio beside it. */
#include "compare.h"
#include "fixture.h"

#include "engine.h"
#include "models/whisper-words.h"
#include "scratch.h"

#include <ctype.h>
#include <unistd.h>

#define LIBRIVOX "/usr/share/pocketsphinx/test/data/librivox/"
#define SENTENCE "sense_and_sensibility_01_austen_64kb-"

static char model[1024]; /* its directory */
static asr_safetensors *expected;
static const char *recording;

/* $XDG_DATA_HOME/verbatim/models/whisper-base, as app/paths.c has it. */
static bool find_model(void)
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (data && data[0] == '/')
        snprintf(model, sizeof(model), "%s/verbatim/models/whisper-base", data);
    else
        snprintf(model, sizeof(model), "%s/.local/share/verbatim/models/whisper-base",
                 home ? home : "");
    return access(model, R_OK) == 0;
}

/* The path of jfk.wav or of a LibriVox sentence, or NULL. */
static const char *find_recording(const char *name)
{
    static char path[1024];
    snprintf(path, sizeof(path), "%s%s.wav", LIBRIVOX, name);
    if (access(path, R_OK) == 0)
        return path;
    snprintf(path, sizeof(path), "%s", fixture_path("../../../../shared/audio/"));
    snprintf(path + strlen(path), sizeof(path) - strlen(path), "%s.wav", name);
    return access(path, R_OK) == 0 ? path : NULL;
}

static const float *floats(const char *name)
{
    return fixture_tensor(expected, name, ASR_F32)->data;
}

static const int *ints(const char *name, int *n)
{
    const asr_stored_tensor *tensor = fixture_tensor(expected, name, ASR_I32);
    *n = (int)tensor->n_elements;
    return tensor->data;
}

static void check_features(const float *features, int n_mels)
{
    int n;
    const int *frames = ints("features.frames", &n);
    const float *wanted = floats("features"); /* [n_mels, n] */
    for (int f = 0; f < n; f++)
        for (int m = 0; m < n_mels; m++)
            EXPECT_NEAR(features[(size_t)frames[f] * (size_t)n_mels + (size_t)m],
                        wanted[(size_t)m * (size_t)n + (size_t)f], 1e-4);
}

static void check_encoder(const float *output, const asr_whisper_config *c,
                          asr_precision precision)
{
    int n;
    const int *frames = ints("encoder.frames", &n);
    difference d =
        compare_rows(output, frames, floats("encoder"), (size_t)n, (size_t)c->d_model);
    printf("# encoder: relative %.1e, cosine %.6f\n", d.relative, d.cosine);
    if (precision == ASR_PRECISION_F32)
        EXPECT(d.relative <= 1e-3);
    EXPECT(d.cosine >= 0.999);
}

/* Opens the model, and runs the encoder on the recording; NULL with a failed test. */
static asr_whisper *open_encoded(asr_precision precision)
{
    asr_error error = {""};
    size_t n_samples;
    asr_whisper *whisper = fixture_open_at(model, precision);
    EXPECT(whisper != NULL);
    if (!whisper)
        return NULL;
    const asr_whisper_config *c = asr_whisper_get_config(whisper);
    float *features = fixture_features(whisper, recording, &n_samples);
    float *output = malloc((size_t)c->n_audio_ctx * (size_t)c->d_model * sizeof(*output));
    bool ok = features && output && asr_whisper_encode(whisper, features, output, &error);
    EXPECT(ok);
    if (ok) {
        check_features(features, c->n_mels);
        check_encoder(output, c, precision);
    }
    free(features);
    free(output);
    if (!ok)
        asr_whisper_destroy(&whisper);
    return whisper;
}

/* The 200 best logits of each row, and the mean of all. */
static void check_row(const float *row, int vocab, int index)
{
    int n;
    size_t n_best = (size_t)fixture_tensor(expected, "logits.ids", ASR_I32)->dims[1];
    const int *ids = ints("logits.ids", &n) + (size_t)index * n_best;
    const float *values = floats("logits.values") + (size_t)index * n_best;
    double error = 0, norm = 0, mean = 0;
    for (size_t i = 0; i < n_best; i++) {
        error += pow((double)row[ids[i]] - values[i], 2);
        norm += pow(values[i], 2);
    }
    for (int i = 0; i < vocab; i++)
        mean += row[i];
    EXPECT(sqrt(error / norm) <= 1e-3);
    EXPECT_NEAR(mean / vocab, floats("logits.mean")[index], 1e-2);
}

/* Teacher forcing: each token of the greedy path is the best after those before it. */
static void check_logits(asr_whisper *whisper)
{
    int n, vocab = asr_whisper_get_config(whisper)->vocab_size, n_prompt;
    asr_error error;
    const int *tokens = ints("tokens", &n);
    float *logits = malloc((size_t)n * (size_t)vocab * sizeof(*logits));
    ints("prompt", &n_prompt);
    REQUIRE(logits);
    EXPECT(asr_whisper_logits(whisper, tokens, n, logits, &error));
    for (int i = 0; i < n; i++) {
        const float *row = logits + (size_t)i * (size_t)vocab;
        check_row(row, vocab, i);
        if (i + 1 >= n_prompt && i + 1 < n)
            EXPECT_INT(best_of(row, vocab), tokens[i + 1]);
    }
    free(logits);
}

/* The same path as transformers'. It names the times after the token that a row was fed,
 * while that row shows where the next token is (as in OpenAI's implementation, and as one
 * hears): what it calls the start of a word's last token is the word's end. Words that
 * are shortened beside a pause differ. */
static void check_times(asr_whisper *whisper)
{
    int n;
    static const float scores[448];
    asr_error error;
    asr_word_list list;
    const int *tokens = ints("times.tokens", &n);
    const float *starts = floats("times.start");
    const asr_whisper_config *c = asr_whisper_get_config(whisper);
    REQUIRE(n <= 448);
    asr_audio_file *audio =
        asr_audio_file_open(recording, ASR_WHISPER_SAMPLE_RATE, &error);
    REQUIRE(audio);
    asr_word_params params = {.tokens = tokens,
                              .scores = scores,
                              .n = (size_t)n,
                              .language = asr_whisper_language_token(c, "en"),
                              .language_code = "en",
                              .seconds = asr_audio_file_duration(audio)};
    EXPECT(asr_whisper_words(whisper, &params, &list, &error));
    size_t moved = 0;
    for (size_t w = 0; w < list.n; w++) {
        size_t next = w + 1 < list.n ? list.first_token[w + 1] : (size_t)n;
        moved += fabs(list.words[w].end - starts[next - 1]) > 0.041;
    }
    printf("# %zu of %zu words end elsewhere\n", moved, list.n);
    EXPECT(list.n > 15);
    EXPECT(moved <= list.n / 8);
    asr_word_list_clear(&list);
    asr_audio_file_destroy(&audio);
}

TEST(f32_is_what_transformers_computes)
{
    asr_whisper *whisper = open_encoded(ASR_PRECISION_F32);
    REQUIRE(whisper);
    check_logits(whisper);
    check_times(whisper);
    asr_whisper_destroy(&whisper);
}

TEST(int8_is_close_to_it)
{
    asr_whisper *whisper = open_encoded(ASR_PRECISION_INT8);
    asr_whisper_destroy(&whisper);
}

static void check_trace(const char *name)
{
    char path[128];
    asr_error error = {""};
    recording = find_recording(name);
    if (!recording) {
        printf("# %s is not on this machine\n", name);
        return;
    }
    printf("# %s\n", name);
    snprintf(path, sizeof(path), "base/%s.safetensors", name);
    expected = asr_safetensors_open(fixture_path(path), &error);
    scratch_check(expected != NULL, error.message);
    RUN(f32_is_what_transformers_computes);
    RUN(int8_is_close_to_it);
    asr_safetensors_destroy(&expected);
}

/* Lower case, words with single spaces between them, "Mr." written out. */
static const char *words_of(const asr_transcript *transcript)
{
    static char words[1024];
    size_t n = 0;
    for (size_t i = 0; i < transcript->n_segments; i++)
        for (const char *p = transcript->segments[i].text; *p && n < 1000; p++) {
            if (strncmp(p, "Mr.", 3) == 0) {
                n += (size_t)sprintf(words + n, "mister");
                p += 2;
            } else if (isalpha((unsigned char)*p)) {
                words[n++] = (char)tolower((unsigned char)*p);
            } else if (n > 0 && words[n - 1] != ' ' && *p != '\'') {
                words[n++] = ' ';
            }
        }
    n -= n > 0 && words[n - 1] == ' ';
    words[n] = '\0';
    return words;
}

/* What is said; the reader of 0920 stumbles over an "a" that no recogniser writes. */
static const char *const sentences[][2] = {
    {"0870", "and mister john dashwood had then leisure to consider how much there might "
             "be prudently in his power to do for them"},
    {"0880", "he was not an ill disposed young man"},
    {"0890", "unless to be rather cold hearted and rather selfish is to be ill disposed"},
    {"0920", "had he married a more amiable woman he might have been made still more "
             "respectable than he was"},
    {"0930", "he might even have been made amiable himself"},
};

static void check_sentences(const char *precision, int beam_size)
{
    asr_error error = {""};
    asr_model_params params = {.directory = model,
                               .cache_directory = scratch_path("cache"),
                               .device = "cpu",
                               .max_beam_size = beam_size};
    REQUIRE(asr_precision_parse(precision, &params.precision, &error));
    asr_model *opened = asr_model_open(&params, &error);
    EXPECT(opened != NULL);
    for (size_t i = 0; opened && i < sizeof(sentences) / sizeof(sentences[0]); i++) {
        char name[64];
        asr_transcribe_params request = {.beam_size = beam_size, .word_times = true};
        snprintf(name, sizeof(name), SENTENCE "%s", sentences[i][0]);
        const char *path = find_recording(name);
        asr_transcript *transcript =
            path ? asr_model_transcribe(opened, path, &request, &error) : NULL;
        EXPECT(transcript != NULL);
        if (transcript) {
            EXPECT_STR(transcript->language, "en");
            EXPECT_STR(words_of(transcript), sentences[i][1]);
        }
        asr_transcript_destroy(&transcript);
    }
    asr_model_destroy(&opened);
}

TEST(sentences_in_int8)
{
    check_sentences("int8", 5);
}

TEST(sentences_in_f32)
{
    check_sentences("f32", 1);
}

int main(void)
{
    if (!find_model() || !find_recording(SENTENCE "0870")) {
        printf("1..0 # SKIP %s\n", model[0] && access(model, R_OK) == 0
                                       ? "pocketsphinx-testdata is not installed"
                                       : "the model whisper-base is not installed");
        return EXIT_SUCCESS;
    }
    fixture_begin("cpu");
    check_trace(SENTENCE "0870");
    check_trace("jfk");
    RUN(validation_is_silent);
    RUN(sentences_in_int8);
    RUN(sentences_in_f32);
    scratch_remove();
    return test_end();
}
