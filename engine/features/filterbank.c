/* Mel filters. A filter covers a few neighbouring bins of the spectrum, and only these
 * are kept: the whole matrix is 97 % zeros. */
#include "features/filterbank.h"

#include <math.h>
#include <stdlib.h>

typedef struct filter {
    int first_bin;
    int n_bins;
    int offset; /* of its weights */
} filter;

struct asr_filterbank {
    int n_filters;
    filter *filters;
    double *weights; /* those of all filters, one after the other */
};

static double slaney_to_hz(double mel)
{
    return mel < 15 ? mel * 200 / 3 : 1000 * exp((mel - 15) * log(6.4) / 27);
}

static double hz_to_slaney(double hz)
{
    return hz < 1000 ? hz * 3 / 200 : 15 + log(hz / 1000) * 27 / log(6.4);
}

/* The filter that rises from `low` to `centre` and falls to `high`, at `hz`. */
static double triangle(double low, double centre, double high, double hz)
{
    double height = fmin((hz - low) / (centre - low), (high - hz) / (high - centre));
    return fmax(height, 0) * 2 / (high - low);
}

/* Appends filter `m`. */
static void add_filter(asr_filterbank *bank, int m, const double edges[3], int n_fft,
                       int sample_rate)
{
    filter *f = &bank->filters[m];
    f->offset = m > 0 ? f[-1].offset + f[-1].n_bins : 0;
    for (int k = 0; k <= n_fft / 2; k++) {
        double hz = (double)k * sample_rate / n_fft;
        double weight = triangle(edges[0], edges[1], edges[2], hz);
        if (weight <= 0)
            continue;
        if (f->n_bins == 0)
            f->first_bin = k;
        bank->weights[f->offset + f->n_bins++] = weight;
    }
}

asr_filterbank *asr_filterbank_create_slaney(int sample_rate, int n_fft, int n_mels,
                                             asr_error *error)
{
    asr_filterbank *bank = calloc(1, sizeof(*bank));
    if (!bank)
        goto fail;
    bank->n_filters = n_mels;
    bank->filters = calloc((size_t)n_mels, sizeof(*bank->filters));
    /* A bin lies in two filters at most: each ends where the next but one begins. */
    bank->weights = calloc((size_t)n_fft + 2, sizeof(*bank->weights));
    if (!bank->filters || !bank->weights)
        goto fail;
    double step = hz_to_slaney(sample_rate / 2.0) / (n_mels + 1);
    for (int m = 0; m < n_mels; m++) {
        double edges[3];
        for (int i = 0; i < 3; i++)
            edges[i] = slaney_to_hz((m + i) * step);
        add_filter(bank, m, edges, n_fft, sample_rate);
    }
    return bank;

fail:
    asr_fail_memory(error);
    asr_filterbank_destroy(&bank);
    return NULL;
}

void asr_filterbank_apply(const asr_filterbank *bank, const double *power, float *mels)
{
    for (int m = 0; m < bank->n_filters; m++) {
        const filter *f = &bank->filters[m];
        const double *weights = bank->weights + f->offset;
        const double *bins = power + f->first_bin;
        double sum = 0;
        for (int k = 0; k < f->n_bins; k++)
            sum += weights[k] * bins[k];
        mels[m] = (float)sum;
    }
}

void asr_filterbank_destroy(asr_filterbank **bank)
{
    if (!*bank)
        return;
    free((*bank)->filters);
    free((*bank)->weights);
    free(*bank);
    *bank = NULL;
}
