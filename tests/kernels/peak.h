/* What this machine's processor can do at most, measured: the scale of a benchmark. */
#ifndef PEAK_H
#define PEAK_H

/* Multiply-adds of f32 that never leave the registers, on all processors at once:
 * operations (two for a multiply-add) in a second. */
double peak_flops(void);

/* Reading through 256 MiB, split among all processors: bytes in a second. */
double peak_bytes(void);

/* Seconds of a clock that only goes forward. */
double peak_clock(void);

#endif
