/* What a Whisper checkpoint says of itself: dimensions, special tokens, decoding hints.
 */
#ifndef ASR_WHISPER_CONFIG_H
#define ASR_WHISPER_CONFIG_H

#include "error.h"
#include "text/tokenizer.h"

#define ASR_WHISPER_SAMPLE_RATE 16000
#define ASR_WHISPER_N_FFT 400
#define ASR_WHISPER_HOP 160
/* Seconds from one timestamp token to the next: two frames of the encoder's output. */
#define ASR_WHISPER_TIMESTAMP_STEP 0.02
#define ASR_WHISPER_MAX_LAYERS 64

/* A cross-attention head whose weights follow the audio. */
typedef struct asr_alignment_head {
    int layer, head;
} asr_alignment_head;

typedef struct asr_whisper_tokens {
    int end;            /* <|endoftext|> */
    int start;          /* <|startoftranscript|> */
    int first_language; /* <|en|>; -1 in an English-only model */
    int n_languages;
    int translate, transcribe; /* -1 where there is none */
    int previous;              /* <|startofprev|> */
    int no_speech;             /* <|nospeech|>, <|nocaptions|>; -1 where there is none */
    int no_timestamps;
    int first_timestamp; /* <|0.00|> */
    int n_timestamps;
} asr_whisper_tokens;

typedef struct asr_whisper_config {
    int n_mels;
    int d_model;
    int vocab_size;
    int n_audio_ctx; /* positions of the encoder's output: 1500 */
    int n_text_ctx;  /* positions of the decoder: 448 */
    int encoder_layers, encoder_heads, encoder_ffn;
    int decoder_layers, decoder_heads, decoder_ffn;
    asr_whisper_tokens tokens;
    int max_initial_timestamp; /* steps; the first timestamp is not later */
    int *suppress;             /* tokens that are never picked */
    size_t n_suppress;
    int *begin_suppress; /* tokens that are not picked first */
    size_t n_begin_suppress;
    asr_alignment_head *alignment_heads;
    size_t n_alignment_heads;
} asr_whisper_config;

/* Reads config.json and, where it exists, generation_config.json of a model directory;
 * special tokens come from its tokenizer. Every number is checked. The caller clears the
 * result with asr_whisper_config_clear(), also after a failure. */
bool asr_whisper_config_read(asr_whisper_config *config, const char *directory,
                             const asr_tokenizer *tokenizer, asr_error *error);
void asr_whisper_config_clear(asr_whisper_config *config);

/* The token of a language code such as "de", or -1 when the model has none. */
int asr_whisper_language_token(const asr_whisper_config *config, const char *code);

#endif
