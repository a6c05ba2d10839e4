/* Whisper's log-mel spectrogram.
 *
 * Equal to WhisperFeatureExtractor of Hugging Face transformers (and audio.py of OpenAI's
 * whisper): periodic Hann window, frames centred on multiples of the hop with reflected
 * edges, power spectrum, Slaney mel filters of unit area, then
 *
 *     y = (max(log10(max(m, 1e-10)), top - 8) + 4) / 4
 *
 * where `top` is the largest log10 of the whole clip. */
#ifndef ASR_MEL_H
#define ASR_MEL_H

#include <stddef.h>

#include "error.h"

typedef struct asr_mel_params {
    int sample_rate; /* Hz; 16000 */
    int n_fft;       /* window length in samples; 400 */
    int hop;         /* samples from frame to frame; 160 */
    int n_mels;      /* 80 or 128 */
} asr_mel_params;

/* Window, filters and FFT plan. Immutable: any number of threads may share one. */
typedef struct asr_mel asr_mel;

asr_mel *asr_mel_create(const asr_mel_params *params, asr_error *error);

/* Computes `n_frames` frames of samples[n_samples] (full scale ±1), extended with zeros,
 * or cut, to n_frames × hop samples. Writes out[n_frames, n_mels]: the mels of a frame
 * lie together. Frames wholly within the zeros cost next to nothing. Fails only for want
 * of memory. */
bool asr_mel_compute(const asr_mel *mel, const float *samples, size_t n_samples,
                     int n_frames, float *out, asr_error *error);

void asr_mel_destroy(asr_mel **mel);

#endif
