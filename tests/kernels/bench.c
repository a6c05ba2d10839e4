/* Timing a case: the median of repeated runs, beside what the machine could do at most.
 */
#include "check.h"
#include "peak.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_RUNS 200
#define MIN_RUNS 7
#define BENCH_SECONDS 0.5

static int compare_times(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* One run and the reading of a result: a device may still be at work when the run
 * returns. Negative when it failed. */
static double time_run(check_case *c)
{
    asr_error error = {""};
    const check_leaf *out = NULL;
    float row[1024];
    for (int i = 0; i < c->n_leaves; i++)
        if (c->leaves[i].is_output)
            out = &c->leaves[i];
    double start = peak_clock();
    if (!asr_plan_run(c->plan[CHECK_TESTED], &error) ||
        !asr_buffer_read(out->buffer[CHECK_TESTED], 0, 1, row, &error)) {
        check_fail(c, "%s", error.message);
        return -1;
    }
    return peak_clock() - start;
}

static double median_time(check_case *c)
{
    double times[MAX_RUNS], total = 0;
    int n = 0;
    if (time_run(c) < 0 || time_run(c) < 0)
        return -1;
    while (n < MAX_RUNS && (n < MIN_RUNS || total < BENCH_SECONDS)) {
        times[n] = time_run(c);
        if (times[n] < 0)
            return -1;
        total += times[n++];
    }
    qsort(times, (size_t)n, sizeof(times[0]), compare_times);
    return times[n / 2];
}

void check_case_bench(check_case *c, check_build build, void *data, int n, double flops,
                      double bytes)
{
    if (!check_case_build(c, build, data) || !check_case_run(c))
        return;
    double seconds = median_time(c) / n;
    if (seconds <= 0)
        return;
    printf("%-14s %-22s %-52s %10.1f", c->run->device, c->run->function, c->label,
           seconds * 1e6);
    if (flops > 0)
        printf(" %9.1f %5.0f%%", flops / seconds * 1e-9,
               100 * flops / seconds / c->run->peak_flops);
    else
        printf(" %9s %6s", "", "");
    printf(" %9.1f %5.0f%%\n", bytes / seconds * 1e-9,
           100 * bytes / seconds / c->run->peak_bytes);
    fflush(stdout);
}
