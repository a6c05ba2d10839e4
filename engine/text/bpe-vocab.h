/* The tokens of a vocabulary: from id to bytes and from bytes to id.
 *
 * Grows while a tokenizer is read and is constant, and so thread-safe, afterwards. */
#ifndef ASR_BPE_VOCAB_H
#define ASR_BPE_VOCAB_H

#include "error.h"

#include <stddef.h>
#include <stdint.h>

/* Ids run from 0 to below this: four times the largest vocabulary in use, and small
 * enough that a table by id is no burden when a file names only the last. */
#define ASR_BPE_VOCAB_MAX (1 << 20)

typedef struct asr_bpe_vocab asr_bpe_vocab;

/* An empty vocabulary, owned by the caller. NULL when memory is short. */
asr_bpe_vocab *asr_bpe_vocab_create(asr_error *error);
void asr_bpe_vocab_destroy(asr_bpe_vocab **vocab);

/* Says what token `id`, below ASR_BPE_VOCAB_MAX, stands for; `bytes` are copied. With
 * `findable`, asr_bpe_vocab_find will know them; of equal tokens it knows the first.
 * Fails when the id is taken by other bytes (`file` is for the message) or memory is
 * short. */
bool asr_bpe_vocab_add(asr_bpe_vocab *vocab, int id, const char *bytes, size_t length,
                       bool findable, const char *file, asr_error *error);

/* The id of the findable token that is exactly `bytes`, or -1. */
int asr_bpe_vocab_find(const asr_bpe_vocab *vocab, const char *bytes, size_t length);

/* The bytes of token `id`, any int; NULL and a length of 0 for an id in no use. */
const char *asr_bpe_vocab_bytes(const asr_bpe_vocab *vocab, int id, size_t *length);

/* One more than the highest id in use. */
int asr_bpe_vocab_size(const asr_bpe_vocab *vocab);

/* A hash of two words, keyed with `seed`; the tables of this folder use its low bits. */
uint64_t asr_bpe_hash(uint64_t seed, uint64_t a, uint64_t b);

/* A seed that nobody who writes a file can know, so that nobody can write one whose
 * entries all fall into one place of a table. */
uint64_t asr_bpe_hash_seed(void);

#endif
