/* Triangular filters that sum a power spectrum into mel bands. */
#ifndef ASR_FILTERBANK_H
#define ASR_FILTERBANK_H

#include "error.h"

/* Immutable: any number of threads may share one. */
typedef struct asr_filterbank asr_filterbank;

/* Filters on Slaney's mel scale (linear below 1000 Hz, logarithmic above) from 0 Hz to
 * half the sample rate, each of unit area: as librosa.filters.mel and, in transformers,
 * mel_filter_bank with norm="slaney", mel_scale="slaney". */
asr_filterbank *asr_filterbank_create_slaney(int sample_rate, int n_fft, int n_mels,
                                             asr_error *error);

/* mels[m] = sum over k of filter m at bin k × power[k]; power[n_fft / 2 + 1],
 * mels[n_mels]. */
void asr_filterbank_apply(const asr_filterbank *bank, const double *power, float *mels);

void asr_filterbank_destroy(asr_filterbank **bank);

#endif
