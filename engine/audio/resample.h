/* Sample rate conversion of a mono stream, by soxr. */
#ifndef ASR_RESAMPLE_H
#define ASR_RESAMPLE_H

#include <stddef.h>

#include "error.h"

/* One stream being converted; one thread at a time. */
typedef struct asr_resampler asr_resampler;

/* Rates in Hz. */
asr_resampler *asr_resampler_create(int from_rate, int to_rate, asr_error *error);

/* Converts from input[n_input] to output[n_output], setting how much of each was used.
 * Output lags behind input, but is not shifted against it: the first sample out is the
 * first in. After the last input, call with `input` NULL until nothing is produced; the
 * total is then the length of the input times the ratio of the rates, rounded. */
bool asr_resampler_process(asr_resampler *resampler, const float *input, size_t n_input,
                           size_t *consumed, float *output, size_t n_output,
                           size_t *produced, asr_error *error);

void asr_resampler_destroy(asr_resampler **resampler);

#endif
