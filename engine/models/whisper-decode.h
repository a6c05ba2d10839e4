/* The tokens of one window of audio: prompt, rules, search, and falling back to sampling
 * when the result looks wrong. */
#ifndef ASR_WHISPER_DECODE_H
#define ASR_WHISPER_DECODE_H

#include "models/whisper.h"

/* Hypotheses drawn side by side when sampling: the least max_hypotheses of a model that
 * is to decode. */
#define ASR_WHISPER_SAMPLES 5

typedef struct asr_whisper_decode_params {
    int language;   /* token, or -1 in an English-only model */
    bool translate; /* to English */
    bool timestamps;
    double seconds; /* of sound in the window: no timestamp is later; 0: unknown */
    int beam_size;
    const int *previous; /* tokens that came before, as context; may be NULL */
    int n_previous;
    uint32_t seed;
} asr_whisper_decode_params;

/* What was decoded. `tokens` has text and timestamps, no other special token. */
typedef struct asr_whisper_result {
    int *tokens;   /* [n]; owned */
    float *scores; /* [n] log-probabilities; owned */
    int n;
    float temperature;  /* that it was decoded at */
    double mean_score;  /* log-probability per token */
    double compression; /* bytes of text per byte after deflate */
    double no_speech;   /* probability that the window has none */
    bool is_silence;    /* no speech, and the text is not believed either */
} asr_whisper_result;

/* The most probable language token for the audio encoded last. */
bool asr_whisper_detect_language(asr_whisper *whisper, int *language, asr_error *error);

/* Decodes the audio encoded last. Clear the result with asr_whisper_result_clear(). */
bool asr_whisper_decode(asr_whisper *whisper, const asr_whisper_decode_params *params,
                        asr_whisper_result *result, asr_error *error);
void asr_whisper_result_clear(asr_whisper_result *result);

/* The text that tokens spell, without timestamps and special tokens: NUL-terminated
 * UTF-8 of `length` bytes, owned by the caller (free). NULL when memory is short. */
char *asr_whisper_text(const asr_whisper *whisper, const int *tokens, int n,
                       size_t *length, asr_error *error);

/* The rule for what may follow `tokens`, the n tokens of a window so far, as published
 * with Whisper: timestamps come in pairs, never decrease, the first is early, and one is
 * taken when all together are more probable than any text. */
void asr_whisper_rule(const asr_whisper_config *config, bool timestamps,
                      const int *tokens, int n, int32_t *rule);

/* Writes <|startoftranscript|> and what follows it; returns how many tokens, at most 4.
 */
int asr_whisper_start_tokens(const asr_whisper_config *config, int language,
                             bool translate, bool timestamps, int *tokens);

#endif
