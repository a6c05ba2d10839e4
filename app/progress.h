/* A progress bar on standard error, where that is a terminal. */
#ifndef APP_PROGRESS_H
#define APP_PROGRESS_H

#include <stdbool.h>
#include <time.h>

typedef struct cli_progress {
    const char *name; /* of the file; borrowed */
    struct timespec start;
    bool on_terminal;
    bool visible;
} cli_progress;

void cli_progress_begin(cli_progress *progress, const char *name);

/* Redraws the bar: `done` of `total` seconds of sound; a negative total is unknown. */
void cli_progress_show(cli_progress *progress, double done, double total);

/* Takes the bar off the screen, for other output or at the end. */
void cli_progress_hide(cli_progress *progress);

#endif
