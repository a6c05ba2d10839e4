/* A Whisper checkpoint on a device: audio in, tokens out, one window of 30 s at a time.
 *
 * Belongs to one thread at a time. */
#ifndef ASR_WHISPER_H
#define ASR_WHISPER_H

#include "decode/decoder.h"
#include "features/mel.h"
#include "graph/backend.h"
#include "models/whisper-config.h"

typedef struct asr_whisper asr_whisper;

typedef struct asr_whisper_params {
    const char *directory;       /* of the model */
    const char *cache_directory; /* of converted weights; NULL: none */
    asr_backend *backend;        /* borrowed; outlives the model */
    asr_precision precision;
    int max_hypotheses; /* decoded side by side at most */
} asr_whisper_params;

asr_whisper *asr_whisper_open(const asr_whisper_params *params, asr_error *error);
void asr_whisper_destroy(asr_whisper **whisper);

const asr_whisper_config *asr_whisper_get_config(const asr_whisper *whisper);
const asr_tokenizer *asr_whisper_get_tokenizer(const asr_whisper *whisper);
const asr_mel *asr_whisper_get_mel(const asr_whisper *whisper);

/* Runs the encoder on features [2·n_audio_ctx, n_mels] and keeps what the decoder needs.
 * `output` [n_audio_ctx, d_model] receives the encoder's output unless NULL. */
bool asr_whisper_encode(asr_whisper *whisper, const float *features, float *output,
                        asr_error *error);

/* The decoder over the audio encoded last. Borrowed from the model. */
asr_decoder asr_whisper_decoder(asr_whisper *whisper);

/* Rows of the mask that a rule may name. */
enum {
    ASR_WHISPER_MASK_ALWAYS, /* what is never said */
    ASR_WHISPER_MASK_BEGIN,  /* the same, and what may not come first */
    ASR_WHISPER_MASKS,
};

/* Log-odds of the next token after each of `tokens`, the whole input of the decoder:
 * logits [n, vocab_size]. */
bool asr_whisper_logits(asr_whisper *whisper, const int *tokens, int n, float *logits,
                        asr_error *error);

/* How much each of `tokens` attends to each encoder position, for every alignment head:
 * weights [n_alignment_heads, n, n_audio_ctx], each row a distribution. */
bool asr_whisper_attention(asr_whisper *whisper, const int *tokens, int n, float *weights,
                           asr_error *error);

#endif
