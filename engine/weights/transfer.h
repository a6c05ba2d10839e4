/* One file from an HTTP server to the disk, however bad the connection: resumed, retried,
 * bounded. It says nothing of whether the file is the right one; the caller checks that.
 *
 * What has arrived is kept in the file itself, and beside it, in PATH.tag, which version
 * of the file it is a part of, so that a later call goes on where this one stopped. */
#ifndef ASR_TRANSFER_H
#define ASR_TRANSFER_H

#include "error.h"
#include "weights/response.h"

#include <stdint.h>

/* Called about once a second and after each block, on the caller's thread, with the bytes
 * there are and the bytes of the whole file (-1 while unknown). Returns false to stop. */
typedef bool (*asr_transfer_progress)(void *user, int64_t done, int64_t total);

typedef struct asr_transfer_params {
    const char *url;  /* http or https; an https address is never redirected to http */
    const char *path; /* where it goes; what is there already is taken as its beginning */
    int64_t size;     /* bytes it must have; -1 when not known beforehand */
    int retry_delay_ms; /* before the first repetition, doubled each time; 0: 1000 */
    int stall_seconds;  /* without a byte, until the connection is given up; 0: 30 */
    asr_transfer_progress progress; /* may be NULL */
    void *user;
} asr_transfer_params;

/* Fetches the whole file. `tag` receives what the server says the file is: a SHA-256 or a
 * Git blob's SHA-1 in hexadecimal, another name of its version, or nothing. On failure
 * the part that arrived, if any, stays. Blocks; thread-safe for different paths. */
bool asr_transfer_file(const asr_transfer_params *params, char tag[ASR_RESPONSE_TAG],
                       asr_error *error);

/* Removes the file at `path` and its tag. */
void asr_transfer_discard(const char *path);

#endif
