/* How far what a model computes is from what its reference implementation does. */
#ifndef COMPARE_H
#define COMPARE_H

#include <math.h>
#include <stddef.h>

typedef struct difference {
    double relative; /* norm of the difference over the norm of the expected */
    double cosine;   /* of the rows as one vector */
} difference;

/* Compares `n_rows` rows of `cols` values: row r of the expected ones with row index[r]
 * of the actual ones, or with row r where `index` is NULL. */
static inline difference compare_rows(const float *actual, const int *index,
                                      const float *expected, size_t n_rows, size_t cols)
{
    difference d = {0};
    double error = 0, norm = 0, norm_actual = 0, product = 0;
    for (size_t r = 0; r < n_rows; r++) {
        const float *a = actual + (index ? (size_t)index[r] : r) * cols;
        const float *e = expected + r * cols;
        for (size_t c = 0; c < cols; c++) {
            double off = (double)a[c] - e[c];
            error += off * off;
            norm_actual += (double)a[c] * a[c];
            norm += (double)e[c] * e[c];
            product += (double)a[c] * e[c];
        }
    }
    d.relative = sqrt(error / norm);
    d.cosine = product / (sqrt(norm_actual * norm) + 1e-30);
    return d;
}

/* The index of the largest of n values. */
static inline int best_of(const float *values, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        if (values[i] > values[best])
            best = i;
    return best;
}

#endif
