/* Power spectra by FFTW. */
#include "features/fft.h"

#include <fftw3.h>
#include <pthread.h>
#include <stdlib.h>

/* FFTW plans with tables of its own that it does not guard; running a plan is safe. */
static pthread_mutex_t planner = PTHREAD_MUTEX_INITIALIZER;

struct asr_fft {
    int size;
    fftw_plan plan;
};

asr_fft *asr_fft_create(int size, asr_error *error)
{
    asr_fft_work work = {0};
    asr_fft *fft = calloc(1, sizeof(*fft));
    if (!fft) {
        asr_fail_memory(error);
        return NULL;
    }
    fft->size = size;
    if (!asr_fft_work_create(fft, &work, error))
        goto fail;
    pthread_mutex_lock(&planner);
    fft->plan = fftw_plan_dft_r2c_1d(size, work.frame, (fftw_complex *)work.spectrum,
                                     FFTW_ESTIMATE | FFTW_DESTROY_INPUT);
    pthread_mutex_unlock(&planner);
    asr_fft_work_destroy(&work);
    if (!fft->plan) {
        asr_fail_memory(error);
        goto fail;
    }
    return fft;

fail:
    asr_fft_destroy(&fft);
    return NULL;
}

bool asr_fft_work_create(const asr_fft *fft, asr_fft_work *work, asr_error *error)
{
    size_t bins = (size_t)fft->size / 2 + 1;
    work->frame = fftw_alloc_real((size_t)fft->size);
    work->spectrum = fftw_alloc_real(2 * bins);
    work->power = fftw_alloc_real(bins);
    if (work->frame && work->spectrum && work->power)
        return true;
    asr_fft_work_destroy(work);
    return asr_fail_memory(error);
}

void asr_fft_power(const asr_fft *fft, asr_fft_work *work)
{
    const double *restrict z = work->spectrum;
    double *restrict power = work->power;
    fftw_execute_dft_r2c(fft->plan, work->frame, (fftw_complex *)work->spectrum);
    for (int k = 0; k <= fft->size / 2; k++)
        power[k] = z[2 * k] * z[2 * k] + z[2 * k + 1] * z[2 * k + 1];
}

void asr_fft_work_destroy(asr_fft_work *work)
{
    fftw_free(work->frame);
    fftw_free(work->spectrum);
    fftw_free(work->power);
    *work = (asr_fft_work){0};
}

void asr_fft_destroy(asr_fft **fft)
{
    if (!*fft)
        return;
    if ((*fft)->plan) {
        pthread_mutex_lock(&planner);
        fftw_destroy_plan((*fft)->plan);
        pthread_mutex_unlock(&planner);
    }
    free(*fft);
    *fft = NULL;
}
