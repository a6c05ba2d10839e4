/* Whisper's log-mel spectrogram, frame by frame. */
#include "features/mel.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "features/fft.h"
#include "features/filterbank.h"

static const float floor_power = 1e-10f;
static const float dynamic_range = 8.0f; /* of log10: 80 dB */

struct asr_mel {
    asr_mel_params params;
    double *window; /* [n_fft] */
    asr_fft *fft;
    asr_filterbank *bank;
};

/* The periodic Hann window. */
static double *create_window(int size)
{
    double *window = malloc((size_t)size * sizeof(*window));
    for (int i = 0; window && i < size; i++)
        window[i] = 0.5 - 0.5 * cos(2 * M_PI * i / size);
    return window;
}

asr_mel *asr_mel_create(const asr_mel_params *params, asr_error *error)
{
    if (params->sample_rate < 1 || params->hop < 1 || params->n_mels < 1 ||
        params->n_fft < 2 || params->n_fft % 2 != 0 || params->n_fft > 1 << 16 ||
        params->n_mels > 1 << 10) {
        asr_fail(error,
                 "The model asks for %d mel bands from windows of %d samples every %d "
                 "samples, which cannot be; its preprocessor_config.json is damaged.",
                 params->n_mels, params->n_fft, params->hop);
        return NULL;
    }
    asr_mel *mel = calloc(1, sizeof(*mel));
    if (!mel) {
        asr_fail_memory(error);
        return NULL;
    }
    mel->params = *params;
    mel->window = create_window(params->n_fft);
    if (!mel->window) {
        asr_fail_memory(error);
        goto fail;
    }
    mel->fft = asr_fft_create(params->n_fft, error);
    if (!mel->fft)
        goto fail;
    mel->bank = asr_filterbank_create_slaney(params->sample_rate, params->n_fft,
                                             params->n_mels, error);
    if (!mel->bank)
        goto fail;
    return mel;

fail:
    asr_mel_destroy(&mel);
    return NULL;
}

/* A clip of samples[n_samples], then zeros up to `length`, mirrored at both ends. */
typedef struct clip {
    const float *samples;
    ptrdiff_t n_samples;
    ptrdiff_t length;
} clip;

static float clip_at(const clip *c, ptrdiff_t i)
{
    if (i < 0)
        i = -i;
    if (i >= c->length)
        i = 2 * (c->length - 1) - i;
    return i < c->n_samples ? c->samples[i] : 0.0f;
}

/* frame[i] = window[i] × clip[start + i] */
static void load_frame(const asr_mel *mel, const clip *c, ptrdiff_t start, double *frame)
{
    int size = mel->params.n_fft;
    if (start >= 0 && start + size <= c->n_samples) {
        for (int i = 0; i < size; i++)
            frame[i] = mel->window[i] * c->samples[start + i];
        return;
    }
    for (int i = 0; i < size; i++)
        frame[i] = mel->window[i] * clip_at(c, start + i);
}

/* values[i] = log10 of values[i], at least of the floor. Returns the greatest. */
static float take_log(float *values, int count)
{
    float top = log10f(floor_power);
    for (int i = 0; i < count; i++) {
        values[i] = log10f(fmaxf(values[i], floor_power));
        top = fmaxf(top, values[i]);
    }
    return top;
}

static void compress(float *values, size_t count, float top)
{
    float bottom = top - dynamic_range;
    for (size_t i = 0; i < count; i++)
        values[i] = (fmaxf(values[i], bottom) + 4.0f) / 4.0f;
}

bool asr_mel_compute(const asr_mel *mel, const float *samples, size_t n_samples,
                     int n_frames, float *out, asr_error *error)
{
    ptrdiff_t hop = mel->params.hop, half = mel->params.n_fft / 2;
    size_t n_mels = (size_t)mel->params.n_mels;
    clip c = {samples, (ptrdiff_t)n_samples, n_frames * hop};
    assert(c.length > half);
    if (c.n_samples > c.length)
        c.n_samples = c.length;
    asr_fft_work work;
    if (!asr_fft_work_create(mel->fft, &work, error))
        return false;
    float silence = log10f(floor_power), top = silence;
    for (int t = 0; t < n_frames; t++) {
        ptrdiff_t start = t * hop - half;
        float *row = out + (size_t)t * n_mels;
        if (start >= c.n_samples) {
            for (size_t m = 0; m < n_mels; m++)
                row[m] = silence;
            continue;
        }
        load_frame(mel, &c, start, work.frame);
        asr_fft_power(mel->fft, &work);
        asr_filterbank_apply(mel->bank, work.power, row);
        top = fmaxf(top, take_log(row, (int)n_mels));
    }
    asr_fft_work_destroy(&work);
    compress(out, (size_t)n_frames * n_mels, top);
    return true;
}

void asr_mel_destroy(asr_mel **mel)
{
    if (!*mel)
        return;
    asr_filterbank_destroy(&(*mel)->bank);
    asr_fft_destroy(&(*mel)->fft);
    free((*mel)->window);
    free(*mel);
    *mel = NULL;
}
