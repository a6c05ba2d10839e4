/* Mixing to mono. Samples are checked here, before anything can spread: one NaN would
 * silence a whole channel of the resampler, and squares of huge values overflow. */
#include "audio/mix.h"

#include <math.h>
#include <string.h>

static const float loudest = 1e6f;

static void add_channel(const float *channel, size_t stride, size_t n_frames, float scale,
                        float *mono)
{
    for (size_t i = 0; i < n_frames; i++) {
        float sample = channel[i * stride];
        mono[i] += fabsf(sample) <= loudest ? sample * scale : 0.0f;
    }
}

void asr_mix_to_mono(const float *const *channels, int n_channels, size_t stride,
                     size_t n_frames, float *mono)
{
    memset(mono, 0, n_frames * sizeof(*mono));
    for (int c = 0; c < n_channels; c++)
        add_channel(channels[c], stride, n_frames, 1.0f / (float)n_channels, mono);
}
