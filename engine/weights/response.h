/* What the headers of an HTTP answer say about the file that follows, gathered line by
 * line and over redirections.
 *
 * The model hub answers a request for a large file with a redirection to a storage server
 * and says in that first answer what the file is: `X-Linked-ETag` is its SHA-256 and
 * `X-Linked-Size` its size. For a small file the tag is Git's name of the blob, a SHA-1.
 * What the storage server says of itself (`ETag`) counts only where the hub said
 * nothing. */
#ifndef ASR_RESPONSE_H
#define ASR_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ASR_RESPONSE_TAG = 128 };

typedef struct asr_response {
    int status;
    int64_t length;      /* Content-Length; -1 when absent */
    int64_t range_start; /* Content-Range; -1 when absent */
    int64_t range_total; /* -1 when absent or "*" */
    int64_t retry_after; /* seconds; -1 when absent */
    bool is_web_page;
    char tag[ASR_RESPONSE_TAG];        /* ETag without quotes; empty when absent */
    char linked_tag[ASR_RESPONSE_TAG]; /* X-Linked-ETag, kept over redirections */
    int64_t linked_size;               /* X-Linked-Size, likewise; -1 when absent */
} asr_response;

void asr_response_reset(asr_response *response);

/* Adds one line of `size` bytes, with or without its line end. A status line starts the
 * next answer. What cannot be understood is as if it were absent. */
void asr_response_add(asr_response *response, const char *line, size_t size);

/* The bytes of the whole file, from the most trusted header; -1 when none says. */
int64_t asr_response_size(const asr_response *response);

/* What names this version of the file; empty when no header does. */
const char *asr_response_tag(const asr_response *response);

#endif
