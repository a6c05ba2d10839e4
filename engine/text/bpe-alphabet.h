/* The alphabet in which byte-level vocabularies are written: every byte has a printable
 * character, so that a token of arbitrary bytes can stand in JSON. Printable Latin-1
 * stands for itself; the 68 other bytes, in order, are U+0100 to U+0143.
 *
 * Source: bytes_to_unicode of GPT-2's encoder.py. Stateless, thread-safe. */
#ifndef ASR_BPE_ALPHABET_H
#define ASR_BPE_ALPHABET_H

#include <stdbool.h>
#include <stddef.h>

/* Writes the bytes that the well-formed UTF-8 `text` spells to `out`, which has room for
 * `length` bytes, and their number to `out_length`. False when a character is not of the
 * alphabet. */
bool asr_bpe_alphabet_read(const char *text, size_t length, char *out,
                           size_t *out_length);

#endif
