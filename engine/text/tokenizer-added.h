/* Finding added tokens, such as "<|endoftext|>", written out in a text: leftmost first,
 * and of those that begin at one place the longest, as the tokenizers library does. */
#ifndef ASR_TOKENIZER_ADDED_H
#define ASR_TOKENIZER_ADDED_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>

/* How an added token is treated; bits of asr_added.flags. */
typedef enum asr_added_flag {
    ASR_ADDED = 1,             /* set for every added token */
    ASR_ADDED_SPECIAL = 2,     /* not text */
    ASR_ADDED_NORMALIZED = 4,  /* looked for after normalisation */
    ASR_ADDED_LSTRIP = 8,      /* takes the white space before it along */
    ASR_ADDED_RSTRIP = 16,     /* takes the white space behind it along */
    ASR_ADDED_SINGLE_WORD = 32 /* not inside a word */
} asr_added_flag;

typedef struct asr_added {
    char *pattern; /* what is looked for, owned; never empty */
    size_t length;
    int id;
    unsigned flags;
} asr_added;

/* A set of patterns, sorted. Starts as {0}; constant, and so thread-safe, once sorted. */
typedef struct asr_added_set {
    asr_added *items;
    size_t n_items, capacity;
} asr_added_set;

/* Adds a pattern, which the set owns from then on, even on failure. */
bool asr_added_set_append(asr_added_set *set, asr_added added, asr_error *error);

/* Makes the set ready for asr_added_set_find. */
void asr_added_set_sort(asr_added_set *set);
void asr_added_set_clear(asr_added_set *set);

/* The first pattern in `text` at or behind `*position`, which moves to where it begins.
 * NULL when there is none. */
const asr_added *asr_added_set_find(const asr_added_set *set, const char *text,
                                    size_t length, size_t *position);

#endif
