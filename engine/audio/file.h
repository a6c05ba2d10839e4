/* Any audio or video file as one stream of mono samples at a wanted rate.
 *
 * libsndfile decodes what it knows, FFmpeg's libraries the rest; which of them is found
 * by content, never by the file's name. Channels are averaged, the sample rate is
 * converted, and the file is read as it is asked for: memory does not grow with its
 * length. */
#ifndef ASR_AUDIO_FILE_H
#define ASR_AUDIO_FILE_H

#include <stddef.h>

#include "error.h"

/* A file being read. One thread at a time may use it; files are independent. */
typedef struct asr_audio_file asr_audio_file;

/* Opens `path` (a file, or a pipe) and decodes its first samples, so that a file without
 * sound fails here: missing, a directory, empty, not audio, damaged from the start, a
 * video without sound, a rate or a number of channels that no recording has.
 * `sample_rate` is the rate wanted, in Hz. The caller owns the result; NULL on failure.
 */
asr_audio_file *asr_audio_file_open(const char *path, int sample_rate, asr_error *error);

/* Writes up to `count` mono samples, full scale ±1. Returns how many: fewer than `count`
 * only at the end, then 0; -1 when the disk fails. A file cut short or damaged on the way
 * ends where its last readable sample is. */
ptrdiff_t asr_audio_file_read(asr_audio_file *file, float *samples, size_t count,
                              asr_error *error);

/* Seconds of sound as the file states them, or negative when it does not say. */
double asr_audio_file_duration(const asr_audio_file *file);

/* How much of the file was read, from 0 to 1: by time where the duration is known,
 * otherwise by bytes; negative for a pipe, which has no known end. */
double asr_audio_file_progress(const asr_audio_file *file);

/* Closes the file and sets the pointer to NULL. NULL-safe. */
void asr_audio_file_destroy(asr_audio_file **file);

#endif
