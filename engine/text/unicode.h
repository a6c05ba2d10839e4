/* What the tokenizer needs of Unicode: well-formed UTF-8, character classes, NFC. A thin
 * layer over ICU's common library, whose data decides which characters are assigned.
 * Stateless, thread-safe. */
#ifndef ASR_UNICODE_H
#define ASR_UNICODE_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The classes that pre-tokenisers tell apart. */
typedef enum asr_unicode_class {
    ASR_UNICODE_OTHER,
    ASR_UNICODE_LETTER, /* \p{L}: general category L* */
    ASR_UNICODE_NUMBER, /* \p{N}: general category N* */
    ASR_UNICODE_SPACE,  /* \s: the property White_Space */
} asr_unicode_class;

asr_unicode_class asr_unicode_class_of(int32_t character);

/* \w: Alphabetic, Mark, Decimal_Number, Connector_Punctuation or Join_Control (UTS 18).
 */
bool asr_unicode_is_word(int32_t character);

/* The character at `text[*position]`, which must be below `length`; moves `position`
 * behind it. A maximal ill-formed subpart (Unicode, section 3.9) reads as -1. */
int32_t asr_unicode_next(const char *text, size_t length, size_t *position);

/* The character that ends before `text[*position]`, which must be above 0; moves
 * `position` to its start. `text` is well-formed. */
int32_t asr_unicode_previous(const char *text, size_t *position);

/* Whether all of `text` is well-formed UTF-8. */
bool asr_unicode_is_valid(const char *text, size_t length);

/* Writes `text` to `out` with every maximal ill-formed subpart replaced by U+FFFD, as
 * Python's errors="replace" does, and returns the number of bytes written: at most three
 * times `length`. With `out` NULL only counts. */
size_t asr_unicode_repair(const char *text, size_t length, char *out);

/* The same in a new NUL-terminated string, owned by the caller (free), and its length.
 * NULL and `error` when memory is short. */
char *asr_unicode_repaired(const char *text, size_t length, size_t *out_length,
                           asr_error *error);

/* How many bytes at the end of `text` begin a character that the text cuts off: 0 to 3.
 */
size_t asr_unicode_cut_off(const char *text, size_t length);

/* Normalisation form C of well-formed `text`, owned by the caller (free). `text` has at
 * most ASR_UNICODE_NFC_BYTES. NULL and `error` when memory is short. */
#define ASR_UNICODE_NFC_BYTES ((size_t)128 << 20)
char *asr_unicode_nfc(const char *text, size_t length, size_t *out_length,
                      asr_error *error);

#endif
