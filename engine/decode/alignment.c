/* Attention to frames: normalisation, median filter, dynamic time warping. */
#include "decode/alignment.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MEDIAN_WIDTH 7

/* Makes the first n_frames of each row a distribution of its own. */
static void renormalise_rows(float *head, int n_tokens, int n_positions, int n_frames)
{
    for (int t = 0; t < n_tokens; t++) {
        float *row = head + (size_t)t * (size_t)n_positions;
        float sum = 0;
        for (int f = 0; f < n_frames; f++)
            sum += row[f];
        float inverse = sum > 0 ? 1.0f / sum : 0;
        for (int f = 0; f < n_frames; f++)
            row[f] *= inverse;
    }
}

/* Each frame's weights over the tokens get mean 0 and variance 1. */
static void standardise_frames(float *head, int n_tokens, int n_positions, int n_frames)
{
    for (int f = 0; f < n_frames; f++) {
        double mean = 0, variance = 0;
        for (int t = 0; t < n_tokens; t++)
            mean += head[(size_t)t * (size_t)n_positions + (size_t)f];
        mean /= n_tokens;
        for (int t = 0; t < n_tokens; t++) {
            double d = head[(size_t)t * (size_t)n_positions + (size_t)f] - mean;
            variance += d * d;
        }
        double inverse = variance > 0 ? 1.0 / sqrt(variance / n_tokens) : 0;
        for (int t = 0; t < n_tokens; t++) {
            float *x = &head[(size_t)t * (size_t)n_positions + (size_t)f];
            *x = (float)((*x - mean) * inverse);
        }
    }
}

static float median(const float *x)
{
    float sorted[MEDIAN_WIDTH];
    for (int i = 0; i < MEDIAN_WIDTH; i++) {
        int j = i;
        for (; j > 0 && sorted[j - 1] > x[i]; j--)
            sorted[j] = sorted[j - 1];
        sorted[j] = x[i];
    }
    return sorted[MEDIAN_WIDTH / 2];
}

/* Adds the median over time of `row` to `sum`; the ends are mirrored. `padded` has room
 * for n + MEDIAN_WIDTH values. Rows too short to mirror are added as they are. */
static void add_smoothed(const float *row, int n, float *padded, float *sum)
{
    const int half = MEDIAN_WIDTH / 2;
    if (n <= half) {
        for (int f = 0; f < n; f++)
            sum[f] += row[f];
        return;
    }
    memcpy(padded + half, row, (size_t)n * sizeof(*row));
    for (int i = 1; i <= half; i++) {
        padded[half - i] = row[i];
        padded[half + n - 1 + i] = row[n - 1 - i];
    }
    for (int f = 0; f < n; f++)
        sum[f] += median(padded + f);
}

/* Steps of the cheapest path into a cell. */
enum { STEP_BOTH, STEP_TOKEN, STEP_FRAME };

/* The frame at which the path through gain [n, m] enters each row. */
static bool warp(const float *gain, int n, int m, int *first, asr_error *error)
{
    size_t width = (size_t)m + 1;
    float *cost = malloc(2 * width * sizeof(*cost));
    uint8_t *step = malloc((size_t)(n + 1) * width);
    if (!cost || !step) {
        free(cost);
        free(step);
        return asr_fail_memory(error);
    }
    float *above = cost, *row = cost + width;
    for (size_t j = 0; j < width; j++) {
        above[j] = j == 0 ? 0 : INFINITY;
        step[j] = STEP_FRAME;
    }
    for (int i = 1; i <= n; i++) {
        row[0] = INFINITY;
        step[(size_t)i * width] = STEP_TOKEN;
        for (size_t j = 1; j < width; j++) {
            float both = above[j - 1], token = above[j], frame = row[j - 1];
            float best = both;
            uint8_t how = STEP_BOTH;
            if (!(both < token && both < frame)) {
                how = token < both && token < frame ? STEP_TOKEN : STEP_FRAME;
                best = how == STEP_TOKEN ? token : frame;
            }
            row[j] = best - gain[(size_t)(i - 1) * (size_t)m + j - 1];
            step[(size_t)i * width + j] = how;
        }
        float *swap = above;
        above = row;
        row = swap;
    }
    for (int i = n, j = m; i > 0 && j > 0;) {
        first[i - 1] = j - 1;
        uint8_t how = step[(size_t)i * width + (size_t)j];
        i -= how != STEP_FRAME;
        j -= how != STEP_TOKEN;
    }
    free(cost);
    free(step);
    return true;
}

bool asr_alignment_frames(float *weights, int n_heads, int n_tokens, int n_positions,
                          int n_frames, int n_skip, int *first, asr_error *error)
{
    assert(n_frames > 0 && n_frames <= n_positions && n_skip < n_tokens);
    int n = n_tokens - n_skip;
    float *gain = calloc((size_t)n * (size_t)n_frames, sizeof(*gain));
    float *padded = malloc(((size_t)n_frames + MEDIAN_WIDTH) * sizeof(*padded));
    bool ok = gain && padded;
    if (!ok)
        asr_fail_memory(error);
    for (int h = 0; h < n_heads && ok; h++) {
        float *head = weights + (size_t)h * (size_t)n_tokens * (size_t)n_positions;
        renormalise_rows(head, n_tokens, n_positions, n_frames);
        standardise_frames(head, n_tokens, n_positions, n_frames);
        for (int t = 0; t < n; t++)
            add_smoothed(head + (size_t)(t + n_skip) * (size_t)n_positions, n_frames,
                         padded, gain + (size_t)t * (size_t)n_frames);
    }
    for (int t = 0; t < n; t++)
        first[t] = 0;
    ok = ok && warp(gain, n, n_frames, first, error);
    free(gain);
    free(padded);
    return ok;
}
