/* The power spectrum of real frames, by FFTW. Double precision: rounding in the
 * FFT leaks from strong bins into weak ones, which the logarithm magnifies to 1e-4 in
 * single precision; the time is the same within 5 %. */
#ifndef ASR_FFT_H
#define ASR_FFT_H

#include <stddef.h>

#include "error.h"

/* A plan for one size. Immutable: any number of threads may share one. */
typedef struct asr_fft asr_fft;

/* The memory of one computation, for one thread at a time. */
typedef struct asr_fft_work {
    double *frame;    /* [size], to be filled by the caller; overwritten */
    double *spectrum; /* [size / 2 + 1, 2], real and imaginary */
    double *power;    /* [size / 2 + 1] */
} asr_fft_work;

/* `size` is even; small prime factors are fast. */
asr_fft *asr_fft_create(int size, asr_error *error);

/* Allocates the parts of `work`, with the alignment that the plan needs. */
bool asr_fft_work_create(const asr_fft *fft, asr_fft_work *work, asr_error *error);

/* power[k] = |sum over n of frame[n] exp(-2 pi i k n / size)|², not normalised. */
void asr_fft_power(const asr_fft *fft, asr_fft_work *work);

void asr_fft_work_destroy(asr_fft_work *work);
void asr_fft_destroy(asr_fft **fft);

#endif
