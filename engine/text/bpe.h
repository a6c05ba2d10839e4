/* Byte-pair encoding: a word's bytes become tokens, and of all neighbouring pairs that
 * have a merge the one learnt first is joined, again and again.
 *
 * Source: Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword
 * Units", algorithm 1. A word of n bytes takes O(n log n) time. */
#ifndef ASR_BPE_H
#define ASR_BPE_H

#include "bpe-vocab.h"
#include "error.h"

#include <stdbool.h>
#include <stddef.h>

/* The merges of a vocabulary. Constant, and so thread-safe, once all are added. */
typedef struct asr_bpe asr_bpe;

/* No merges yet. `vocab` is complete, is borrowed and must outlive the result. With
 * `whole_words`, a word that is itself a token is never built by merging. Owned by the
 * caller; NULL when memory is short. */
asr_bpe *asr_bpe_create(const asr_bpe_vocab *vocab, bool whole_words, asr_error *error);
void asr_bpe_destroy(asr_bpe **bpe);

/* Adds the next merge: of the tokens `left` and `right` to `merged`, whose bytes are
 * theirs put together. Given again, a pair takes the later place, as in the tokenizers
 * library. */
bool asr_bpe_add_merge(asr_bpe *bpe, int left, int right, int merged, asr_error *error);

/* A growing list of ids, and what encoding needs meanwhile. Starts as {0}; belongs to one
 * thread; freed with asr_bpe_ids_clear. */
typedef struct asr_bpe_ids {
    int *items; /* n_items, owned */
    size_t n_items, capacity;
    struct asr_bpe_symbol *symbols; /* symbols_capacity */
    uint64_t *heap;                 /* three times that */
    size_t symbols_capacity;
} asr_bpe_ids;

bool asr_bpe_ids_append(asr_bpe_ids *ids, int id, asr_error *error);
void asr_bpe_ids_clear(asr_bpe_ids *ids);

/* Appends the tokens of the word `bytes`. Bytes that no token stands for are left out.
 * `length` is at most ASR_BPE_WORD_BYTES. Fails only when memory is short. */
#define ASR_BPE_WORD_BYTES ((size_t)64 << 20)
bool asr_bpe_encode(const asr_bpe *bpe, const char *bytes, size_t length,
                    asr_bpe_ids *ids, asr_error *error);

#endif
