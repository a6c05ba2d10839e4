/* How far what a model computes is from what its reference implementation does. */
#ifndef COMPARE_H
#define COMPARE_H

#include <math.h>
#include <stddef.h>

typedef struct difference {
    double largest;  /* absolute, of one value */
    double relative; /* norm of the difference over the norm of the expected */
    double cosine;   /* the least of a row */
} difference;

/* Compares `n_rows` rows of `cols` values: row r of the expected ones with row index[r]
 * of the actual ones, or with row r where `index` is NULL. */
static inline difference compare_rows(const float *actual, const int *index,
                                      const float *expected, size_t n_rows, size_t cols)
{
    difference d = {0, 0, 1};
    double error = 0, norm = 0;
    for (size_t r = 0; r < n_rows; r++) {
        const float *a = actual + (index ? (size_t)index[r] : r) * cols;
        const float *e = expected + r * cols;
        double aa = 0, ee = 0, ae = 0;
        for (size_t c = 0; c < cols; c++) {
            double off = (double)a[c] - e[c];
            /* Not fmax(): it would forget a NaN. */
            d.largest = fabs(off) <= d.largest ? d.largest : fabs(off);
            error += off * off;
            aa += (double)a[c] * a[c];
            ee += (double)e[c] * e[c];
            ae += (double)a[c] * e[c];
        }
        norm += ee;
        double cosine = ae / (sqrt(aa * ee) + 1e-30);
        d.cosine = cosine >= d.cosine ? d.cosine : cosine;
    }
    d.relative = sqrt(error / norm);
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
