/* The log-mel spectrogram: against transformers on speech, and against what follows from
 * its definition. */
#include "features/mel.h"

#include <pthread.h>
#include <sndfile.h>

#include "test.h"
#include "weights/safetensors.h"

enum { RATE = 16000, HOP = 160, MELS = 80, WINDOW = 30 * RATE, FRAMES = WINDOW / HOP };

static asr_mel *create_mel(int n_mels)
{
    asr_mel_params params = {
        .sample_rate = RATE, .n_fft = 400, .hop = HOP, .n_mels = n_mels};
    return asr_mel_create(&params, NULL);
}

/* The features of a clip, [n_frames, MELS], which the caller frees. */
static float *features(const float *samples, size_t n_samples, int n_frames)
{
    float *out = malloc((size_t)n_frames * MELS * sizeof(*out));
    asr_mel *mel = create_mel(MELS);
    if (!out || !mel || !asr_mel_compute(mel, samples, n_samples, n_frames, out, NULL))
        abort();
    asr_mel_destroy(&mel);
    return out;
}

static float *tone(size_t n_samples, double hz, double level)
{
    float *samples = malloc(n_samples * sizeof(*samples));
    for (size_t i = 0; samples && i < n_samples; i++)
        samples[i] = (float)(level * cos(2 * M_PI * hz * (double)i / RATE));
    return samples;
}

static double greatest_difference(const float *a, const float *b, size_t count)
{
    double greatest = 0;
    for (size_t i = 0; i < count; i++)
        greatest = fmax(greatest, fabs((double)a[i] - b[i]));
    return greatest;
}

static const char *fixture(const char *name)
{
    static char path[1024];
    const char *folder = getenv("VERBATIM_TEST_DATA");
    snprintf(path, sizeof(path), "%s/whisper/%s", folder ? folder : "tests/fixtures",
             name);
    return path;
}

static size_t read_speech(float *samples)
{
    SF_INFO info = {0};
    SNDFILE *file = sf_open(fixture("speech.wav"), SFM_READ, &info);
    if (!file)
        return 0;
    sf_count_t n = info.samplerate == RATE ? sf_read_float(file, samples, WINDOW) : 0;
    sf_close(file);
    return (size_t)n;
}

/* Compares with the tensor [n_mels, K] of every fifth frame. */
static void compare_with_transformers(const asr_safetensors *file, const char *name,
                                      const float *samples, size_t n_samples)
{
    const asr_stored_tensor *expected = asr_safetensors_find(file, name);
    REQUIRE(n_samples > 0 && expected && expected->n_dims == 2);
    int n_mels = (int)expected->dims[0];
    int64_t n_listed = expected->dims[1];
    float *out = malloc((size_t)n_mels * FRAMES * sizeof(*out));
    asr_mel *mel = create_mel(n_mels);
    if (!out || !mel)
        abort();
    EXPECT(asr_mel_compute(mel, samples, n_samples, FRAMES, out, NULL));
    double greatest = 0;
    for (int64_t i = 0; i < n_listed; i++) {
        for (int m = 0; m < n_mels; m++) {
            float theirs = ((const float *)expected->data)[m * n_listed + i];
            greatest = fmax(greatest, fabs((double)out[5 * i * n_mels + m] - theirs));
        }
    }
    EXPECT_NEAR(greatest, 0, 1e-4);
    asr_mel_destroy(&mel);
    free(out);
}

TEST(equals_transformers_on_speech)
{
    static float samples[WINDOW];
    size_t n_samples = read_speech(samples);
    asr_safetensors *file = asr_safetensors_open(fixture("features.safetensors"), NULL);
    REQUIRE(file);
    compare_with_transformers(file, "mel80", samples, n_samples);
    compare_with_transformers(file, "mel128", samples, n_samples);
    asr_safetensors_destroy(&file);
}

TEST(silence_is_flat)
{
    float *out = features(NULL, 0, FRAMES);
    for (int i = 0; i < FRAMES * MELS; i++)
        EXPECT_NEAR(out[i], -1.5, 1e-6);
    free(out);
}

/* An impulse at the centre of frame 10 has the power 1 in every bin, and a filter of unit
 * area makes 1 / 40 Hz of it. Frames that do not touch it are 80 dB
 * below. */
TEST(impulse_has_a_white_spectrum)
{
    float *samples = calloc(RATE, sizeof(*samples));
    samples[10 * HOP] = 1;
    float *out = features(samples, RATE, FRAMES);
    for (int m = 50; m < MELS; m++)
        EXPECT_NEAR(out[10 * MELS + m], (log10(1.0 / 40) + 4) / 4, 0.005);
    float top = -10;
    for (int m = 0; m < MELS; m++)
        top = fmaxf(top, out[10 * MELS + m]);
    for (int m = 0; m < MELS; m++) {
        EXPECT_NEAR(out[8 * MELS + m], top - 2, 1e-6);
        EXPECT_NEAR(out[12 * MELS + m], top - 2, 1e-6);
        EXPECT_NEAR(out[(FRAMES - 1) * MELS + m], top - 2, 1e-6);
    }
    free(samples);
    free(out);
}

/* 400 Hz has four periods in a hop, so that every frame sees the same; mirrored at the
 * start, a cosine goes on as itself. */
TEST(start_is_mirrored)
{
    float *samples = tone(WINDOW, 400, 0.5);
    float *out = features(samples, WINDOW, FRAMES);
    for (int t = 0; t < 5; t++)
        EXPECT_NEAR(greatest_difference(out + t * MELS, out + 10 * MELS, MELS), 0, 1e-5);
    free(samples);
    free(out);
}

TEST(end_is_mirrored)
{
    enum { COUNT = 50 * HOP, BEYOND = 2 * HOP };
    float *samples = tone(COUNT + BEYOND, 317, 0.002);
    samples[3 * HOP] = 1; /* the loudest frame is the same in both */
    float *mirrored = features(samples, COUNT, 50);
    for (int i = 0; i < BEYOND; i++)
        samples[COUNT + i] = samples[COUNT - 2 - i];
    float *spelled_out = features(samples, COUNT + BEYOND, 52);
    EXPECT_NEAR(greatest_difference(mirrored, spelled_out, 50 * MELS), 0, 1e-6);
    free(mirrored);
    free(spelled_out);
    free(samples);
}

TEST(padding_equals_written_zeros)
{
    static const size_t lengths[] = {1, 159, 199, 200, 201, 16000, 41234};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        float *samples = calloc(WINDOW, sizeof(*samples));
        float *sound = tone(lengths[i], 1234, 0.7);
        memcpy(samples, sound, lengths[i] * sizeof(*samples));
        float *written = features(samples, WINDOW, FRAMES);
        float *padded = features(sound, lengths[i], FRAMES);
        EXPECT(memcmp(written, padded, (size_t)FRAMES * MELS * sizeof(*padded)) == 0);
        free(written);
        free(padded);
        free(samples);
        free(sound);
    }
}

TEST(longer_clips_are_cut)
{
    float *samples = tone(WINDOW, 777, 0.7);
    samples[100 * HOP] = 1;
    float *cut = features(samples, WINDOW, 100);
    float *exact = features(samples, (size_t)100 * HOP, 100);
    EXPECT(memcmp(cut, exact, 100 * MELS * sizeof(*cut)) == 0);
    free(cut);
    free(exact);
    free(samples);
}

typedef struct job {
    const asr_mel *shared;
    const float *samples;
    float out[100 * MELS];
    bool done;
} job;

static void *run_job(void *data)
{
    job *j = data;
    j->done = true;
    for (int i = 0; i < 20; i++) {
        asr_mel *own = create_mel(128);
        j->done &= own && asr_mel_compute(j->shared, j->samples, (size_t)100 * HOP, 100,
                                          j->out, NULL);
        asr_mel_destroy(&own);
    }
    return NULL;
}

TEST(threads_share_and_create)
{
    enum { THREADS = 4 };
    static job jobs[THREADS];
    pthread_t threads[THREADS];
    float *samples = tone(100 * HOP, 950, 0.4);
    asr_mel *mel = create_mel(MELS);
    REQUIRE(mel);
    for (int i = 0; i < THREADS; i++) {
        jobs[i].shared = mel;
        jobs[i].samples = samples;
        REQUIRE(pthread_create(&threads[i], NULL, run_job, &jobs[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    float *expected = features(samples, (size_t)100 * HOP, 100);
    for (int i = 0; i < THREADS; i++)
        EXPECT(jobs[i].done && memcmp(jobs[i].out, expected, sizeof(jobs[i].out)) == 0);
    free(expected);
    asr_mel_destroy(&mel);
    free(samples);
}

TEST(refuses_what_cannot_be)
{
    static const asr_mel_params wrong[] = {
        {0, 400, 160, 80},          {16000, 401, 160, 80}, {16000, 400, 0, 80},
        {16000, 400, 160, 0},       {16000, -4, 160, 80},  {16000, 1 << 30, 160, 80},
        {16000, 400, 160, 1 << 30},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        asr_error error = {0};
        asr_mel *mel = asr_mel_create(&wrong[i], &error);
        EXPECT(!mel);
        EXPECT(strstr(error.message, "preprocessor_config.json"));
        asr_mel_destroy(&mel);
    }
}

int main(void)
{
    RUN(equals_transformers_on_speech);
    RUN(silence_is_flat);
    RUN(impulse_has_a_white_spectrum);
    RUN(start_is_mirrored);
    RUN(end_is_mirrored);
    RUN(padding_equals_written_zeros);
    RUN(longer_clips_are_cut);
    RUN(threads_share_and_create);
    RUN(refuses_what_cannot_be);
    return test_end();
}
