/* Whisper as graphs: an encoder, and a decoder whose rows are tokens.
 *
 *   features [2·n_ctx, n_mels] → conv, GELU → conv stride 2, GELU → + positions
 *     → blocks (norm, self-attention, norm, FFN) → norm → encoder output [n_ctx, d_model]
 *     → keys and values of every decoder layer's cross-attention
 *
 *   token, position → embedding → blocks (norm, cached self-attention, norm,
 *     cross-attention, norm, FFN) → norm → logits → pick
 *
 * A decoder row is a token of any hypothesis: it names the cache row (slot) its key and
 * value go to, and the slots it attends to. Prompt and step are the same graph.
 *
 * Source: Radford et al. 2022, and the published implementation's layer order. */
#ifndef ASR_WHISPER_GRAPH_H
#define ASR_WHISPER_GRAPH_H

#include "graph/backend.h"
#include "models/whisper-config.h"
#include "weights/weights.h"

typedef struct asr_whisper_layer {
    asr_buffer *norm_gain, *norm_bias;             /* before self-attention */
    asr_buffer *qkv, *qkv_bias, *out, *out_bias;   /* [3d, d], [d, d] */
    asr_buffer *cross_norm_gain, *cross_norm_bias; /* decoder only, to cross_out_bias */
    asr_buffer *cross_q, *cross_q_bias;
    asr_buffer *cross_kv, *cross_kv_bias; /* [2d, d]: run by the encoder */
    asr_buffer *cross_out, *cross_out_bias;
    asr_buffer *ffn_norm_gain, *ffn_norm_bias;
    asr_buffer *fc1, *fc1_bias, *fc2, *fc2_bias;
} asr_whisper_layer;

typedef struct asr_whisper_weights {
    asr_buffer *conv1, *conv1_bias, *conv2, *conv2_bias;
    asr_buffer *audio_positions; /* [n_audio_ctx, d] */
    asr_buffer *encoder_norm_gain, *encoder_norm_bias;
    asr_buffer *tokens;         /* [vocab, d]; also the output */
    asr_buffer *text_positions; /* [n_text_ctx, d] */
    asr_buffer *decoder_norm_gain, *decoder_norm_bias;
    asr_whisper_layer encoder[ASR_WHISPER_MAX_LAYERS];
    asr_whisper_layer decoder[ASR_WHISPER_MAX_LAYERS];
} asr_whisper_weights;

/* The recipes for a checkpoint's weights; owned by the caller (free). NULL without
 * memory. */
asr_weight_recipe *asr_whisper_recipes(const asr_whisper_config *config, size_t *n);

/* Makes a buffer on the backend for every weight. False with a message when one cannot be
 * made; destroy what there is either way. */
bool asr_whisper_weights_create(asr_whisper_weights *weights,
                                const asr_whisper_config *config, asr_backend *backend,
                                const asr_weights *source, asr_error *error);
void asr_whisper_weights_destroy(asr_whisper_weights *weights);

/* Keys and values of the audio, one pair a decoder layer: [n_ctx, d] each. */
typedef struct asr_whisper_cross {
    asr_buffer *k[ASR_WHISPER_MAX_LAYERS], *v[ASR_WHISPER_MAX_LAYERS];
} asr_whisper_cross;

/* features [2·n_ctx, n_mels] and output [n_ctx, d] are leaves; output may be NULL. */
asr_graph *asr_whisper_encoder_graph(const asr_whisper_config *config,
                                     const asr_whisper_weights *weights,
                                     asr_buffer *features, const asr_whisper_cross *cross,
                                     asr_buffer *output);

/* What a decoder graph reads and writes, all leaves; R rows, of which L are picked. */
typedef struct asr_whisper_decoder_io {
    asr_buffer *token, *position, *slot, *length; /* [R, 1] i32 */
    asr_buffer *table;                            /* [R, n_text_ctx] i32 */
    asr_buffer *k[ASR_WHISPER_MAX_LAYERS];        /* caches [slots, d] */
    asr_buffer *v[ASR_WHISPER_MAX_LAYERS];
    asr_buffer *hidden, *select; /* [R, d], [L, 1] i32; NULL when L = R: all rows */
    asr_buffer *mask, *rules, *ids, *scores;       /* see asr_graph_pick(); or NULL */
    asr_buffer *logits;                            /* [L, vocab]: stored if not NULL */
    asr_buffer *heads[ASR_WHISPER_MAX_LAYERS];     /* [n, 1] i32 heads wanted, or NULL */
    asr_buffer *attention[ASR_WHISPER_MAX_LAYERS]; /* [n·R, n_ctx]: their weights */
} asr_whisper_decoder_io;

asr_graph *asr_whisper_decoder_graph(const asr_whisper_config *config,
                                     const asr_whisper_weights *weights,
                                     const asr_whisper_cross *cross,
                                     const asr_whisper_decoder_io *io);

#endif
