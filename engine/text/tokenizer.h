/* Text to token ids and back: byte-level BPE as Whisper and Qwen use it.
 *
 * A tokenizer is read once from a model directory and never changes: every function that
 * takes it const may be called from any thread. Ids are those of the model's vocabulary.
 * Results are the same as those of the tokenizers library for the same files.
 *
 * Sources: Sennrich et al. 2016 (BPE); Radford et al. 2019 (byte-level BPE, GPT-2);
 * the file formats of the tokenizers library. */
#ifndef ASR_TOKENIZER_H
#define ASR_TOKENIZER_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct asr_tokenizer asr_tokenizer;

/* Reads `tokenizer.json`, or `vocab.json` with `merges.txt`, from the model directory
 * `directory`, and the added tokens that `added_tokens.json`, `tokenizer_config.json` and
 * `special_tokens_map.json` name where they exist. Owned by the caller. Returns NULL and
 * sets `error` when a file is missing, damaged, or asks for something other than
 * byte-level BPE. */
asr_tokenizer *asr_tokenizer_create(const char *directory, asr_error *error);

/* Frees the tokenizer and sets the pointer to NULL; a NULL tokenizer is left alone. */
void asr_tokenizer_destroy(asr_tokenizer **tokenizer);

/* One more than the highest id. The model's logits may be wider (Whisper's timestamps,
 * padding), and ids below may be unused. */
int asr_tokenizer_size(const asr_tokenizer *tokenizer);

/* The id of the token whose text is `content`, such as "<|startoftranscript|>" or
 * " the"; -1 where there is none. Some Whisper checkpoints do not list the 1501
 * timestamps, which follow "<|notimestamps|>". */
int asr_tokenizer_id(const asr_tokenizer *tokenizer, const char *content);

/* The bytes that token `id` stands for, which need not be whole characters. Borrowed
 * from the tokenizer, not NUL-terminated. NULL and a length of 0 for an id in no use. */
const char *asr_tokenizer_bytes(const asr_tokenizer *tokenizer, int id, size_t *length);

/* Whether `id` is a special token, such as "<|endoftext|>": not text, left out of what a
 * person reads. */
bool asr_tokenizer_is_special(const asr_tokenizer *tokenizer, int id);

/* Encodes `length` bytes of UTF-8. With `parse_special`, added tokens written out in the
 * text become their ids; without, they are text like any other, as words that come from
 * a user should be. Ill-formed UTF-8 counts as U+FFFD. No start or end token is added.
 * Returns `count` ids, owned by the caller (free; never NULL on success). */
int *asr_tokenizer_encode(const asr_tokenizer *tokenizer, const char *text, size_t length,
                          bool parse_special, size_t *count, asr_error *error);

/* Decodes ids to NUL-terminated UTF-8, owned by the caller (free). Bytes that form no
 * character become U+FFFD; ids in no use give nothing. `length` (may be NULL) receives
 * the number of bytes, which counts when the text itself may contain NUL. */
char *asr_tokenizer_decode(const asr_tokenizer *tokenizer, const int *ids, size_t count,
                           bool skip_special, size_t *length, asr_error *error);

/* Decodes one token after the other, giving whole characters only: the pieces put
 * together are what asr_tokenizer_decode gives for all ids. Belongs to one thread. */
typedef struct asr_token_stream asr_token_stream;

/* `tokenizer` is borrowed and must outlive the stream. Owned by the caller; NULL when
 * memory is short. */
asr_token_stream *asr_token_stream_create(const asr_tokenizer *tokenizer,
                                          bool skip_special, asr_error *error);
void asr_token_stream_destroy(asr_token_stream **stream);

/* The NUL-terminated text that is complete with token `id`, "" when none is. Borrowed,
 * valid until the next call with this stream. NULL when memory is short. */
const char *asr_token_stream_push(asr_token_stream *stream, int id, asr_error *error);

/* What is still withheld, as U+FFFD, and a fresh start. Borrowed as above. */
const char *asr_token_stream_finish(asr_token_stream *stream, asr_error *error);

#endif
