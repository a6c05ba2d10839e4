/* Cutting text into the pieces that BPE merges within: words with the space before them,
 * numbers, punctuation, white space.
 *
 * Each way is defined by a regular expression in the tokenizer's files; here it is a
 * scanner written by hand that gives the same pieces in one pass. Stateless, thread-safe.
 */
#ifndef ASR_PRETOKENIZE_H
#define ASR_PRETOKENIZE_H

#include <stddef.h>

typedef enum asr_pretokenize_kind {
    ASR_PRETOKENIZE_GPT2, /* GPT-2 and Whisper */
    ASR_PRETOKENIZE_QWEN, /* Qwen2, Qwen3 */
} asr_pretokenize_kind;

/* The regular expressions, as tokenizer.json spells them. */
#define ASR_PRETOKENIZE_GPT2_PATTERN                                                     \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define ASR_PRETOKENIZE_QWEN_PATTERN                                                     \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}"                  \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/* The length in bytes of the first piece of well-formed `text`, from 1 to `length`;
 * `length` is at least 1. The rest of the text, cut again, gives the next piece. */
size_t asr_pretokenize_next(asr_pretokenize_kind kind, const char *text, size_t length);

#endif
