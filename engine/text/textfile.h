/* Small text files read whole, with a bound: configuration, vocabularies, word lists. */
#ifndef ASR_TEXTFILE_H
#define ASR_TEXTFILE_H

#include "error.h"

#include <stddef.h>

/* Reads the regular file `path` of at most `max_bytes`. The result is owned by the caller
 * (free), has a NUL after its last byte, and may contain further NULs; `length` (may be
 * NULL) receives the number of bytes. Returns NULL and sets `error` when the file is
 * missing, unreadable, not a regular file, or larger. Thread-safe. */
char *asr_textfile_read(const char *path, size_t max_bytes, size_t *length,
                        asr_error *error);

#endif
