/* The progress bar: how much, how fast, how long still. */
#include "progress.h"

#include <stdio.h>
#include <unistd.h>

#define BAR_WIDTH 24

void cli_progress_begin(cli_progress *progress, const char *name)
{
    *progress = (cli_progress){.name = name, .on_terminal = isatty(STDERR_FILENO)};
    clock_gettime(CLOCK_MONOTONIC, &progress->start);
}

static double seconds_since(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) +
           (double)(now.tv_nsec - start->tv_nsec) * 1e-9;
}

void cli_progress_show(cli_progress *progress, double done, double total)
{
    if (!progress->on_terminal)
        return;
    double elapsed = seconds_since(&progress->start);
    double speed = elapsed > 0 ? done / elapsed : 0;
    progress->visible = true;
    if (total <= 0) {
        fprintf(stderr, "\r\033[K%s  %.0f s, %.1f × real time", progress->name, done,
                speed);
        return;
    }
    double part = done < total ? done / total : 1;
    int left = speed > 0 ? (int)((total - done) / speed + 0.5) : 0;
    char bar[BAR_WIDTH + 1];
    for (int i = 0; i < BAR_WIDTH; i++)
        bar[i] = i < (int)(part * BAR_WIDTH) ? '#' : '-';
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, "\r\033[K%s  [%s] %3.0f %%, %d:%02d left, %.1f × real time",
            progress->name, bar, part * 100, left / 60, left % 60, speed);
}

void cli_progress_hide(cli_progress *progress)
{
    if (progress->visible)
        fputs("\r\033[K", stderr);
    progress->visible = false;
}
