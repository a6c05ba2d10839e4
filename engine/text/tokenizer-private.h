/* What a tokenizer is made of, for the files that read it and use it. */
#ifndef ASR_TOKENIZER_PRIVATE_H
#define ASR_TOKENIZER_PRIVATE_H

#include "bpe.h"
#include "json.h"
#include "pretokenize.h"
#include "tokenizer-added.h"
#include "tokenizer.h"

#include <stdint.h>

struct asr_tokenizer {
    asr_bpe_vocab *vocab; /* the model's own tokens */
    asr_bpe_vocab *names; /* the added tokens; where both have an id, this counts */
    asr_bpe *bpe;
    uint8_t *flags; /* of the added tokens: by id, asr_bpe_vocab_size(names) of them */
    asr_added_set raw, normalized; /* looked for before and after normalisation */
    asr_pretokenize_kind pretokenize;
    bool nfc;          /* normalise to NFC */
    bool prefix_space; /* put a space before text that has none */
};

/* The longest token, as a file spells it. Real ones reach a few hundred bytes. */
#define ASR_TOKENIZER_TOKEN_BYTES 4096

/* Fills the zeroed `tokenizer` from the files in `directory`. */
bool asr_tokenizer_load(asr_tokenizer *tokenizer, const char *directory,
                        asr_error *error);

/* Takes over how `root`, a tokenizer.json, normalises and cuts text. */
bool asr_tokenizer_read_pipeline(asr_tokenizer *tokenizer, const asr_json *root,
                                 asr_error *error);

/* For a model without tokenizer.json: takes it from the class that `config`, its
 * tokenizer_config.json (value NULL where there is none), names, else from the
 * vocabulary. */
bool asr_tokenizer_infer_pipeline(asr_tokenizer *tokenizer, const asr_json *config,
                                  asr_error *error);

/* The readers of added tokens share this. Like the tokenizers library they give a token
 * that the vocabulary has the id it has there. */
typedef struct asr_specials {
    asr_tokenizer *tokenizer;
    const json_t *vocab; /* from token, as the file spells it, to id */
    size_t n_flags;      /* how many the tokenizer's flags have room for */
} asr_specials;

/* The list "added_tokens" of tokenizer.json. */
bool asr_specials_read_list(asr_specials *specials, const asr_json *root,
                            asr_error *error);

/* added_tokens.json: an object from token to id. */
bool asr_specials_read_ids(asr_specials *specials, const asr_json *root,
                           asr_error *error);

/* special_tokens_map.json and tokenizer_config.json: "added_tokens_decoder", an object
 * from id to token, and members such as "eos_token" that name special tokens. */
bool asr_specials_read_config(asr_specials *specials, const asr_json *root,
                              asr_error *error);

/* Makes the tokenizer ready to find what the readers above have added. */
bool asr_specials_finish(asr_specials *specials, asr_error *error);

#endif
