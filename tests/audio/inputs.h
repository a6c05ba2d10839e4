/* Audio files for tests, made in a temporary folder that inputs_remove() deletes. */
#ifndef INPUTS_H
#define INPUTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audio/file.h"

/* FOLDER/name. Valid until the eighth call after this one. */
const char *input_path(const char *name);

/* Writes a file of the given bytes. */
const char *input_bytes(const char *name, const void *bytes, size_t count);

/* Writes a copy of another input, cut to `count` bytes. */
const char *input_cut(const char *name, const char *whole, size_t count);

/* Writes a file by libsndfile, `format` being SF_FORMAT_…, from interleaved samples. */
const char *input_sound(const char *name, int format, int sample_rate, int channels,
                        const float *samples, size_t n_frames);

/* Writes a file by the ffmpeg program, which is given `arguments` before the name of the
 * file. NULL when the program is missing or cannot do it. */
const char *input_ffmpeg(const char *name, const char *arguments);

size_t input_size(const char *path);

/* 0.5 cos(2 pi hz i / rate), one channel; the caller frees it. */
float *input_tone(double hz, int sample_rate, size_t n_samples);

/* Reads a whole file at `sample_rate`, in pieces of odd sizes. Returns the samples, which
 * the caller frees, or NULL with the reason. */
float *input_read(const char *path, int sample_rate, size_t *n_samples, asr_error *error);

/* The message with which a file is refused, "" when it is not. */
const char *input_refusal(const char *path);

void inputs_remove(void);

#endif
