/* What went wrong, in words a user can act on.
 *
 * Every fallible engine function takes an asr_error as its last argument and returns
 * false or NULL on failure. The message is one sentence: what failed, the file or device
 * it concerns, and the remedy. The function that notices the failure writes it; callers
 * pass it up unchanged. */
#ifndef ASR_ERROR_H
#define ASR_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

typedef struct asr_error {
    char message[512];
} asr_error;

/* Formats `message`, cut to fit at a character boundary of UTF-8, control characters
 * replaced. Always returns false, so that a failing function can end with
 * `return asr_fail(error, …)`.
 * `error` may be NULL: the caller does not want the reason. */
bool asr_fail(asr_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The message for an allocation that failed. Always returns false. */
bool asr_fail_memory(asr_error *error);

#endif
