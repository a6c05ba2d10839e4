/* Checkpoints under tests/fixtures/whisper on the backend that a test is run for: its
 * first argument, "reference", "cpu" or "vulkan". One include a program. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include "audio/file.h"
#include "cpu/cpu.h"
#include "models/whisper-decode.h"
#include "models/whisper.h"
#include "reference/reference.h"
#include "test.h"
#include "vulkan/vulkan.h"
#include "weights/safetensors.h"

/* The layer leaks, and is gone when LeakSanitizer would look for its name: the
 * sanitizers' pass does without. */
#ifdef __SANITIZE_ADDRESS__
#define FIXTURE_IS_WATCHED false
#else
#define FIXTURE_IS_WATCHED true
#endif

/* The backend, watched by the validation layer where it is Vulkan. */
static asr_backend *fixture_backend;
static asr_vulkan_validation fixture_validation;

/* Where fixtures are: FIXTURES/whisper/NAME. Valid until the fourth call after. */
static inline const char *fixture_path(const char *name)
{
    static char paths[4][1024];
    static int next;
    char *path = paths[next++ % 4];
    const char *folder = getenv("VERBATIM_TEST_DATA");
    snprintf(path, sizeof(paths[0]), "%s/whisper/%s", folder ? folder : "tests/fixtures",
             name);
    return path;
}

static inline asr_backend *fixture_open_vulkan(asr_error *error)
{
    enum { MOST = 16 };
    static asr_vulkan_device devices[MOST];
    int n = asr_vulkan_devices(devices, MOST, error);
    for (int i = 0; i < n && i < MOST; i++)
        if (devices[i].usable) {
            asr_vulkan_params params = {
                .device_index = i,
                .validation = FIXTURE_IS_WATCHED ? &fixture_validation : NULL};
            return asr_vulkan_create(&params, error);
        }
    if (n >= 0)
        asr_fail(error, "There is no usable Vulkan device.");
    return NULL;
}

/* Opens the backend `name`. A machine without Vulkan skips all tests, which ends the
 * program. */
static inline void fixture_begin(const char *name)
{
    asr_error error = {""};
    if (strcmp(name, "vulkan") == 0) {
        fixture_backend = fixture_open_vulkan(&error);
        if (!fixture_backend) {
            printf("1..0 # SKIP %s\n", error.message);
            exit(EXIT_SUCCESS);
        }
    } else {
        fixture_backend = strcmp(name, "cpu") == 0 ? asr_cpu_create(NULL, &error)
                                                   : asr_reference_create(&error);
    }
    if (!fixture_backend) {
        printf("Bail out! %s\n", error.message);
        exit(EXIT_FAILURE);
    }
    printf("# %s\n", asr_backend_description(fixture_backend));
}

/* Closes the backend, whose validation layer must have had nothing to say. */
TEST(validation_is_silent)
{
    asr_backend_destroy(&fixture_backend);
    EXPECT_INT(fixture_validation.n_messages, 0);
    if (fixture_validation.n_messages > 0)
        printf("# %.1000s\n", fixture_validation.first);
}

/* A message on failure. */
static inline asr_whisper *fixture_open_at(const char *directory, asr_precision precision)
{
    asr_error error;
    asr_whisper_params params = {
        .directory = directory,
        .backend = fixture_backend,
        .precision = precision,
        .max_hypotheses = ASR_WHISPER_SAMPLES,
    };
    asr_whisper *whisper = asr_whisper_open(&params, &error);
    if (!whisper)
        printf("# %s\n", error.message);
    return whisper;
}

static inline asr_whisper *fixture_open(const char *name, asr_precision precision)
{
    return fixture_open_at(fixture_path(name), precision);
}

/* The features of the first window of a recording, [2·n_audio_ctx, n_mels], and how many
 * samples it has. The caller frees them. */
static inline float *fixture_features(const asr_whisper *whisper, const char *path,
                                      size_t *n_samples)
{
    const asr_whisper_config *c = asr_whisper_get_config(whisper);
    asr_error error;
    int n_frames = 2 * c->n_audio_ctx;
    size_t room = (size_t)n_frames * ASR_WHISPER_HOP;
    ptrdiff_t n;
    float *samples = malloc(room * sizeof(*samples));
    float *features = malloc((size_t)n_frames * (size_t)c->n_mels * sizeof(*features));
    asr_audio_file *audio = asr_audio_file_open(path, ASR_WHISPER_SAMPLE_RATE, &error);
    bool ok = samples && features && audio;
    for (*n_samples = 0; ok && *n_samples < room; *n_samples += (size_t)n) {
        n = asr_audio_file_read(audio, samples + *n_samples, room - *n_samples, &error);
        ok = n >= 0;
        if (n <= 0)
            break;
    }
    ok = ok && asr_mel_compute(asr_whisper_get_mel(whisper), samples, *n_samples,
                               n_frames, features, &error);
    asr_audio_file_destroy(&audio);
    free(samples);
    if (!ok) {
        printf("# %s\n", error.message);
        free(features);
        return NULL;
    }
    return features;
}

/* Encodes speech.wav; false with a failed test. */
static inline bool fixture_encode(asr_whisper *whisper)
{
    asr_error error = {""};
    size_t n_samples;
    float *features = fixture_features(whisper, fixture_path("speech.wav"), &n_samples);
    bool ok = features && asr_whisper_encode(whisper, features, NULL, &error);
    EXPECT(ok);
    free(features);
    return ok;
}

/* A tensor of an expected file, whose type and size must be these. */
static inline const asr_stored_tensor *fixture_tensor(const asr_safetensors *file,
                                                      const char *name, asr_dtype dtype)
{
    const asr_stored_tensor *tensor = asr_safetensors_find(file, name);
    if (!tensor || tensor->dtype != dtype) {
        printf("Bail out! The fixture lacks %s; make it again.\n", name);
        exit(EXIT_FAILURE);
    }
    return tensor;
}

#endif
