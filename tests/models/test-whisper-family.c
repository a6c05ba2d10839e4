/* Recordings longer than a window through a small random checkpoint, whose segments are
 * nonsense but must be in order and within the recording. */
#include "fixture.h"
#include "flat.h"

#include "models/family.h"

enum { RATE = 16000, MAX_BEAM = 3 };

static asr_recognizer *recognizer;

static bool open_model(const char *directory, int max_beam_size)
{
    asr_error error = {""};
    asr_recognizer_params params = {
        .directory = directory,
        .backend = fixture_backend,
        .precision = ASR_PRECISION_F32,
        .max_beam_size = max_beam_size,
    };
    recognizer = asr_recognizer_open(&params, &error);
    if (!recognizer)
        printf("# %s\n", error.message);
    return recognizer != NULL;
}

static void put_16(unsigned char *at, unsigned value)
{
    at[0] = (unsigned char)value;
    at[1] = (unsigned char)(value >> 8);
}

static void put_32(unsigned char *at, size_t value)
{
    put_16(at, (unsigned)(value & 0xFFFF));
    put_16(at + 2, (unsigned)(value >> 16));
}

/* A WAV of `n` samples: the speech fixture over and over, from sample `from` on. */
static const char *recording(const char *name, size_t from, size_t n)
{
    enum { HEADER = 44 };
    size_t n_speech;
    char *speech = scratch_read(fixture_path("speech.wav"), &n_speech);
    unsigned char *bytes = malloc(HEADER + 2 * n);
    scratch_check(bytes != NULL, "malloc");
    memcpy(bytes, "RIFF....WAVEfmt ", 16);
    put_32(bytes + 4, HEADER - 8 + 2 * n);
    put_32(bytes + 16, 16);
    put_16(bytes + 20, 1);
    put_16(bytes + 22, 1);
    put_32(bytes + 24, RATE);
    put_32(bytes + 28, 2 * RATE);
    put_16(bytes + 32, 2);
    put_16(bytes + 34, 16);
    memcpy(bytes + 36, "data", 4);
    put_32(bytes + 40, 2 * n);
    size_t whole = (n_speech - HEADER) / 2;
    for (size_t i = 0; i < n; i++)
        memcpy(bytes + HEADER + 2 * i, speech + HEADER + (from + i) % whole * 2, 2);
    scratch_write(name, bytes, HEADER + 2 * n);
    free(bytes);
    free(speech);
    return scratch_path("%s", name);
}

static asr_transcript *transcribe(const char *path, const asr_transcribe_params *params,
                                  asr_error *error)
{
    error->message[0] = '\0';
    asr_audio_file *audio = asr_audio_file_open(path, RATE, error);
    asr_transcript *transcript =
        audio ? asr_transcript_create("fixture", NULL, error) : NULL;
    if (transcript &&
        !recognizer->family->transcribe(recognizer, audio, params, transcript, error))
        asr_transcript_destroy(&transcript);
    asr_audio_file_destroy(&audio);
    return transcript;
}

static void check_segment(const asr_segment *segment, double from, double duration)
{
    EXPECT(segment->start >= from - 1e-9);
    EXPECT(segment->end >= segment->start);
    EXPECT(segment->end <= duration + ASR_WHISPER_TIMESTAMP_STEP);
    EXPECT(strstr(segment->text, "<|") == NULL);
    EXPECT(segment->n_tokens > 0);
    for (size_t w = 0; w < segment->n_words; w++) {
        const asr_word *word = &segment->words[w];
        EXPECT(word->start >= segment->start - 1e-9 && word->end >= word->start);
        EXPECT(word->end <= segment->end + 1e-9);
        EXPECT(word->probability >= 0 && word->probability <= 1.0001f);
        EXPECT(strstr(word->text, "<|") == NULL);
    }
}

static void check_transcript(const asr_transcript *transcript, double duration,
                             bool ordered)
{
    double from = 0;
    EXPECT_NEAR(transcript->duration, duration, 0.01);
    for (size_t i = 0; i < transcript->n_segments; i++) {
        check_segment(&transcript->segments[i], from, duration);
        if (ordered)
            from = transcript->segments[i].start;
    }
}

/* Window after window until the end, greedy and with a beam, with words and without. */
TEST(long_recordings)
{
    asr_error error;
    const double seconds = 23.7;
    const char *path = recording("long.wav", 0, (size_t)(seconds * RATE));
    size_t n_segments = 0;
    for (int run = 0; run < 8; run++) {
        asr_transcribe_params params = {
            .language = run & 1 ? "en" : NULL,
            .word_times = run & 2,
            .beam_size = run & 4 ? MAX_BEAM : 1,
            .previous_text = run & 1,
        };
        asr_transcript *transcript = transcribe(path, &params, &error);
        EXPECT(transcript != NULL);
        if (!transcript) {
            printf("# %s\n", error.message);
            continue;
        }
        check_transcript(transcript, seconds, true);
        n_segments += transcript->n_segments;
        asr_transcript_destroy(&transcript);
    }
    printf("# %zu segments\n", n_segments);
    EXPECT(n_segments > 8);
}

/* Recordings of every length around what holds a word, and around a window. */
TEST(short_recordings)
{
    static const size_t lengths[] = {1,
                                     159,
                                     1599,
                                     1601,
                                     RATE / 5,
                                     5 * RATE - 1,
                                     5 * RATE + 1,
                                     5 * RATE + 1599,
                                     5 * RATE + 1700};
    asr_error error;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        asr_transcribe_params params = {.beam_size = 1, .word_times = true};
        const char *path = recording("short.wav", 8000, lengths[i]);
        asr_transcript *transcript = transcribe(path, &params, &error);
        EXPECT(transcript != NULL);
        if (!transcript) {
            printf("# %s\n", error.message);
            continue;
        }
        check_transcript(transcript, (double)lengths[i] / RATE, true);
        EXPECT(lengths[i] >= 1600 || transcript->n_segments == 0);
        asr_transcript_destroy(&transcript);
    }
}

typedef struct watcher {
    int calls, stop_at;
    double done;
    size_t n_segments;
} watcher;

static bool watch(void *user, const asr_progress *progress)
{
    watcher *w = user;
    EXPECT(progress->seconds_done > w->done);
    EXPECT(progress->transcript->n_segments >= w->n_segments);
    EXPECT_NEAR(progress->duration, 20, 0.01);
    w->done = progress->seconds_done;
    w->n_segments = progress->transcript->n_segments;
    return ++w->calls != w->stop_at;
}

TEST(progress_is_told_and_may_stop)
{
    asr_error error;
    const char *path = recording("watched.wav", 0, 20 * RATE);
    watcher all = {0}, stopped = {.stop_at = 2};
    asr_transcribe_params params = {.beam_size = 1, .progress = watch, .user = &all};
    asr_transcript *transcript = transcribe(path, &params, &error);
    REQUIRE(transcript);
    EXPECT(all.calls >= 4);
    EXPECT(all.done > 19.8);
    size_t n_all = transcript->n_segments;
    asr_transcript_destroy(&transcript);
    params.user = &stopped;
    transcript = transcribe(path, &params, &error);
    REQUIRE(transcript);
    EXPECT_INT(stopped.calls, 2);
    EXPECT_INT(transcript->n_segments, stopped.n_segments);
    EXPECT(transcript->n_segments <= n_all);
    asr_transcript_destroy(&transcript);
}

TEST(hotwords_fit_whatever_their_number)
{
    static const char *const words[] = {
        "Nebuchadnezzar",
        "",
        " spaced ",
        "\344\270\255\346\226\207",
        "\xff\xfe",
        "a",
        ("an incredibly long phrase that takes more than the room there is for "
         "all hotwords together, so that it must be left out"),
        "<|endoftext|>"};
    asr_error error;
    const char *path = recording("hot.wav", 0, 6 * RATE);
    for (size_t n = 0; n <= sizeof(words) / sizeof(words[0]); n++) {
        asr_transcribe_params params = {
            .beam_size = 1, .previous_text = true, .hotwords = words, .n_hotwords = n};
        asr_transcript *transcript = transcribe(path, &params, &error);
        EXPECT(transcript != NULL);
        asr_transcript_destroy(&transcript);
    }
}

static bool refused(const asr_transcribe_params *params, const char *what)
{
    asr_error error;
    const char *path = fixture_path("speech.wav");
    asr_transcript *transcript = transcribe(path, params, &error);
    bool ok = !transcript && strstr(error.message, what);
    if (!ok)
        printf("# %s\n", error.message);
    asr_transcript_destroy(&transcript);
    return ok;
}

TEST(languages_and_tasks_that_the_model_has_not)
{
    asr_error error;
    asr_transcribe_params params = {.beam_size = 1, .language = "yue"};
    EXPECT(refused(&params, "does not know the language"));
    asr_recognizer_destroy(&recognizer);
    REQUIRE(open_model(fixture_path("english"), MAX_BEAM));
    EXPECT(refused(&params, "English only"));
    params.language = NULL;
    params.translate = true;
    EXPECT(refused(&params, "English only"));
    params.translate = false;
    params.language = "en";
    asr_transcript *transcript = transcribe(fixture_path("speech.wav"), &params, &error);
    REQUIRE(transcript);
    EXPECT_STR(transcript->language, "en");
    asr_transcript_destroy(&transcript);
}

/* A model opened for greedy search falls back to sampling like any other. */
TEST(greedy_models_fall_back)
{
    asr_error error;
    asr_transcribe_params params = {.beam_size = 1, .language = "en"};
    asr_recognizer_destroy(&recognizer);
    REQUIRE(open_model(flat_checkpoint(), 1));
    const char *path = recording("fall-back.wav", 0, 12 * RATE);
    asr_transcript *transcript = transcribe(path, &params, &error);
    EXPECT(transcript != NULL);
    asr_transcript_destroy(&transcript);
}

int main(int argc, char **argv)
{
    fixture_begin(argc > 1 ? argv[1] : "cpu");
    if (!open_model(fixture_path("multilingual"), MAX_BEAM))
        return EXIT_FAILURE;
    RUN(long_recordings);
    RUN(short_recordings);
    RUN(progress_is_told_and_may_stop);
    RUN(hotwords_fit_whatever_their_number);
    RUN(languages_and_tasks_that_the_model_has_not);
    RUN(greedy_models_fall_back);
    asr_recognizer_destroy(&recognizer);
    RUN(validation_is_silent);
    scratch_remove();
    return test_end();
}
