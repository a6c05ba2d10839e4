/* Many channels to one. */
#ifndef ASR_MIX_H
#define ASR_MIX_H

#include <stddef.h>

/* mono[frame] = the mean over c of channels[c][frame * stride]: a stride of 1 for planar
 * channels, of `n_channels` for interleaved ones. What is no sound (not a number,
 * infinite, beyond a million times full scale) counts as 0. */
void asr_mix_to_mono(const float *const *channels, int n_channels, size_t stride,
                     size_t n_frames, float *mono);

#endif
