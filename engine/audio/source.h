/* The bytes of a file or a pipe, as the decoders read them.
 *
 * One descriptor serves every decoder that has a try at the file, and no decoder opens
 * anything itself: a hostile playlist cannot reach other files or the network. */
#ifndef ASR_SOURCE_H
#define ASR_SOURCE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h> /* SEEK_SET */

#include "error.h"

typedef struct asr_source {
    char *path; /* for messages */
    int fd;
    int64_t size;     /* bytes, or -1: a pipe, which cannot be rewound */
    int64_t position; /* bytes from the start */
    int failure;      /* errno of the read that failed, or 0 */
} asr_source;

/* Refuses what cannot hold sound: a missing or unreadable file, a folder, an empty file.
 */
asr_source *asr_source_open(const char *path, asr_error *error);

/* Reads up to `count` bytes at the position and moves it. Returns how many: 0 at the end,
 * -1 on failure, with `failure` set. */
ptrdiff_t asr_source_read(asr_source *source, void *bytes, size_t count);

/* Moves to `offset` from `whence` (SEEK_SET, SEEK_CUR, SEEK_END), where reading past the
 * end gives nothing. Returns the new position, or -1: a pipe, or before the start. */
int64_t asr_source_seek(asr_source *source, int64_t offset, int whence);

void asr_source_destroy(asr_source **source);

#endif
