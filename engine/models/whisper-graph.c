/* Whisper's two graphs, in the order of the computation. */
#include "models/whisper-graph.h"

#include <math.h>

#define NORM_EPS 1e-5f

static asr_tensor *linear(asr_graph *g, asr_tensor *x, asr_buffer *weight,
                          asr_buffer *bias, asr_activation act, asr_tensor *residual)
{
    return asr_graph_linear(g, x, asr_graph_leaf(g, weight), asr_graph_leaf(g, bias), act,
                            residual);
}

static asr_tensor *norm(asr_graph *g, asr_tensor *x, asr_buffer *gain, asr_buffer *bias)
{
    return asr_graph_layer_norm(g, x, asr_graph_leaf(g, gain), asr_graph_leaf(g, bias),
                                NORM_EPS);
}

static asr_tensor *feed_forward(asr_graph *g, const asr_whisper_layer *layer,
                                asr_tensor *x)
{
    asr_tensor *h = norm(g, x, layer->ffn_norm_gain, layer->ffn_norm_bias);
    h = linear(g, h, layer->fc1, layer->fc1_bias, ASR_ACT_GELU, NULL);
    return linear(g, h, layer->fc2, layer->fc2_bias, ASR_ACT_NONE, x);
}

static float attention_scale(int d_model, int n_heads)
{
    return 1.0f / sqrtf((float)(d_model / n_heads));
}

static asr_tensor *encoder_block(asr_graph *g, const asr_whisper_config *c,
                                 const asr_whisper_layer *layer, asr_tensor *x)
{
    int d = c->d_model, heads = c->encoder_heads;
    asr_tensor *h = norm(g, x, layer->norm_gain, layer->norm_bias);
    asr_tensor *qkv = linear(g, h, layer->qkv, layer->qkv_bias, ASR_ACT_NONE, NULL);
    h = asr_graph_attention(
        g, asr_graph_columns(g, qkv, 0, d), asr_graph_columns(g, qkv, d, d),
        asr_graph_columns(g, qkv, 2 * d, d), heads, heads, attention_scale(d, heads));
    x = linear(g, h, layer->out, layer->out_bias, ASR_ACT_NONE, x);
    return feed_forward(g, layer, x);
}

asr_graph *asr_whisper_encoder_graph(const asr_whisper_config *config,
                                     const asr_whisper_weights *weights,
                                     asr_buffer *features, const asr_whisper_cross *cross,
                                     asr_buffer *output)
{
    asr_graph *g = asr_graph_create();
    if (!g)
        return NULL;
    int d = config->d_model;
    asr_tensor *x = asr_graph_leaf(g, features);
    x = asr_graph_conv1d(g, x, asr_graph_leaf(g, weights->conv1),
                         asr_graph_leaf(g, weights->conv1_bias), 3, 1, 1, ASR_ACT_GELU);
    x = asr_graph_conv1d(g, x, asr_graph_leaf(g, weights->conv2),
                         asr_graph_leaf(g, weights->conv2_bias), 3, 2, 1, ASR_ACT_GELU);
    x = asr_graph_add(g, x, asr_graph_leaf(g, weights->audio_positions));
    for (int i = 0; i < config->encoder_layers; i++)
        x = encoder_block(g, config, &weights->encoder[i], x);
    x = norm(g, x, weights->encoder_norm_gain, weights->encoder_norm_bias);
    for (int i = 0; i < config->decoder_layers; i++) {
        const asr_whisper_layer *layer = &weights->decoder[i];
        asr_tensor *kv =
            linear(g, x, layer->cross_kv, layer->cross_kv_bias, ASR_ACT_NONE, NULL);
        asr_graph_store(g, asr_graph_columns(g, kv, 0, d), asr_graph_leaf(g, cross->k[i]),
                        NULL);
        asr_graph_store(g, asr_graph_columns(g, kv, d, d), asr_graph_leaf(g, cross->v[i]),
                        NULL);
    }
    if (output)
        asr_graph_store(g, x, asr_graph_leaf(g, output), NULL);
    return g;
}

static asr_tensor *self_attention(asr_graph *g, const asr_whisper_config *c,
                                  const asr_whisper_layer *layer, asr_tensor *x,
                                  const asr_whisper_decoder_io *io, int index)
{
    int d = c->d_model, heads = c->decoder_heads;
    asr_tensor *k = asr_graph_leaf(g, io->k[index]);
    asr_tensor *v = asr_graph_leaf(g, io->v[index]);
    asr_tensor *slot = asr_graph_leaf(g, io->slot);
    asr_tensor *h = norm(g, x, layer->norm_gain, layer->norm_bias);
    asr_tensor *qkv = linear(g, h, layer->qkv, layer->qkv_bias, ASR_ACT_NONE, NULL);
    asr_graph_store(g, asr_graph_columns(g, qkv, d, d), k, slot);
    asr_graph_store(g, asr_graph_columns(g, qkv, 2 * d, d), v, slot);
    h = asr_graph_attention_cached(
        g, asr_graph_columns(g, qkv, 0, d), k, v, asr_graph_leaf(g, io->table),
        asr_graph_leaf(g, io->length), heads, heads, attention_scale(d, heads));
    return linear(g, h, layer->out, layer->out_bias, ASR_ACT_NONE, x);
}

static asr_tensor *cross_attention(asr_graph *g, const asr_whisper_config *c,
                                   const asr_whisper_layer *layer, asr_tensor *x,
                                   const asr_whisper_cross *cross,
                                   const asr_whisper_decoder_io *io, int index)
{
    int heads = c->decoder_heads;
    float scale = attention_scale(c->d_model, heads);
    asr_tensor *k = asr_graph_leaf(g, cross->k[index]);
    asr_tensor *h = norm(g, x, layer->cross_norm_gain, layer->cross_norm_bias);
    asr_tensor *q = linear(g, h, layer->cross_q, layer->cross_q_bias, ASR_ACT_NONE, NULL);
    if (io->heads[index]) {
        asr_tensor *weights = asr_graph_attention_weights(
            g, q, k, asr_graph_leaf(g, io->heads[index]), heads, heads, scale);
        asr_graph_store(g, weights, asr_graph_leaf(g, io->attention[index]), NULL);
    }
    h = asr_graph_attention(g, q, k, asr_graph_leaf(g, cross->v[index]), heads, heads,
                            scale);
    return linear(g, h, layer->cross_out, layer->cross_out_bias, ASR_ACT_NONE, x);
}

/* Logits of the rows wanted, and what is asked of them. */
static void add_output(asr_graph *g, const asr_whisper_weights *weights, asr_tensor *x,
                       const asr_whisper_decoder_io *io)
{
    if (io->select) {
        asr_tensor *hidden = asr_graph_leaf(g, io->hidden);
        asr_graph_store(g, x, hidden, NULL);
        x = asr_graph_rows(g, hidden, asr_graph_leaf(g, io->select));
    }
    asr_tensor *logits = asr_graph_linear(g, x, asr_graph_leaf(g, weights->tokens), NULL,
                                          ASR_ACT_NONE, NULL);
    if (io->logits)
        asr_graph_store(g, logits, asr_graph_leaf(g, io->logits), NULL);
    if (io->ids)
        asr_graph_pick(g, logits, asr_graph_leaf(g, io->mask),
                       asr_graph_leaf(g, io->rules), asr_graph_leaf(g, io->ids),
                       asr_graph_leaf(g, io->scores));
}

asr_graph *asr_whisper_decoder_graph(const asr_whisper_config *config,
                                     const asr_whisper_weights *weights,
                                     const asr_whisper_cross *cross,
                                     const asr_whisper_decoder_io *io)
{
    asr_graph *g = asr_graph_create();
    if (!g)
        return NULL;
    asr_tensor *x = asr_graph_rows(g, asr_graph_leaf(g, weights->tokens),
                                   asr_graph_leaf(g, io->token));
    x = asr_graph_add(g, x,
                      asr_graph_rows(g, asr_graph_leaf(g, weights->text_positions),
                                     asr_graph_leaf(g, io->position)));
    for (int i = 0; i < config->decoder_layers; i++) {
        const asr_whisper_layer *layer = &weights->decoder[i];
        x = self_attention(g, config, layer, x, io, i);
        x = cross_attention(g, config, layer, x, cross, io, i);
        x = feed_forward(g, layer, x);
    }
    if (io->ids || io->logits) {
        x = norm(g, x, weights->decoder_norm_gain, weights->decoder_norm_bias);
        add_output(g, weights, x, io);
    }
    return g;
}
