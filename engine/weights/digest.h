/* Checksums of files. */
#ifndef ASR_DIGEST_H
#define ASR_DIGEST_H

#include "error.h"

typedef enum asr_digest_kind {
    ASR_DIGEST_SHA256,
    ASR_DIGEST_GIT_BLOB, /* SHA-1 as Git names a file: over "blob SIZE\0" and its bytes */
} asr_digest_kind;

enum { ASR_DIGEST_TEXT = 65 };

/* Writes the checksum of the file `path` to `text` in lower-case hexadecimal: 64 digits,
 * or 40 for ASR_DIGEST_GIT_BLOB. Reads the whole file. Thread-safe. */
bool asr_digest_file(const char *path, asr_digest_kind kind, char text[ASR_DIGEST_TEXT],
                     asr_error *error);

#endif
