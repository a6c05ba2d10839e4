/* A Whisper model's buffers and plans.
 *
 * The encoder has one plan. Decoder plans are made as they are needed, one for each
 * number of rows and outputs, and kept: the step of a search always has the same, a
 * prompt is padded to a few sizes. */
#include "models/whisper.h"

#include "models/whisper-graph.h"
#include "weights/weights.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PLANS 24

/* What a plan computes besides running the rows. */
typedef enum plan_kind {
    PLAN_PICK,
    PLAN_LOGITS,
    PLAN_ATTENTION,
} plan_kind;

/* A decoder plan with the buffers that belong to it alone. */
typedef struct decoder_plan {
    plan_kind kind;
    int n_rows, n_picked, k;
    asr_whisper_decoder_io io;
    asr_plan *plan;
    int32_t *staging; /* room for the largest of the i32 inputs: [n_rows, n_text_ctx] */
    unsigned last_used;
} decoder_plan;

struct asr_whisper {
    asr_whisper_config config;
    asr_tokenizer *tokenizer;
    asr_mel *mel;
    asr_weights *source;
    asr_backend *backend; /* borrowed */
    asr_whisper_weights weights;
    asr_whisper_cross cross;
    asr_buffer *features, *output; /* of the encoder */
    asr_buffer *k[ASR_WHISPER_MAX_LAYERS], *v[ASR_WHISPER_MAX_LAYERS];
    asr_buffer *mask;
    int n_slots;
    asr_plan *encoder;
    bool encoder_has_output;
    decoder_plan plans[MAX_PLANS];
    int n_plans;
    unsigned clock;
};

static asr_buffer *new_buffer(asr_whisper *w, asr_dtype dtype, int rows, int cols,
                              asr_usage usage, asr_error *error)
{
    return asr_buffer_create(w->backend, dtype, rows, cols, usage, error);
}

/* Adds −inf for a list of tokens to row `row` of the mask. */
static void mask_tokens(float *mask, const asr_whisper_config *c, const int *tokens,
                        size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (tokens[i] >= 0 && tokens[i] < c->vocab_size && tokens[i] != c->tokens.end)
            mask[tokens[i]] = -INFINITY;
}

/* Forbids the checkpoint's list of tokens that are no speech: brackets, notes, symbols.
 * Its quotes, dashes and colons stay: dialogue has them, and a model kept from them picks
 * other words (Whisper base on 830 s of film in three versions: 10.7 % of words wrong,
 * not 11.2). */
static void mask_non_speech(float *mask, const asr_whisper *w)
{
    const asr_whisper_config *c = &w->config;
    for (size_t i = 0; i < c->n_suppress; i++) {
        size_t n, at = 0;
        const char *text = asr_tokenizer_bytes(w->tokenizer, c->suppress[i], &n);
        while (at < n && strchr(" \"'-:;", text[at]))
            at++;
        if (n == 0 || at < n)
            mask_tokens(mask, c, &c->suppress[i], 1);
    }
}

static bool create_mask(asr_whisper *w, asr_error *error)
{
    const asr_whisper_config *c = &w->config;
    const asr_whisper_tokens *t = &c->tokens;
    const int special[] = {t->start,    t->translate, t->transcribe,
                           t->previous, t->no_speech, t->no_timestamps};
    w->mask =
        new_buffer(w, ASR_F32, ASR_WHISPER_MASKS, c->vocab_size, ASR_USAGE_HOST, error);
    float *mask = calloc((size_t)c->vocab_size, sizeof(*mask));
    if (!mask)
        asr_fail_memory(error);
    bool ok = w->mask && mask;
    if (ok) {
        mask_tokens(mask, c, special, sizeof(special) / sizeof(special[0]));
        mask_non_speech(mask, w);
        ok = asr_buffer_write(w->mask, ASR_WHISPER_MASK_ALWAYS, 1, mask, error);
        mask_tokens(mask, c, c->begin_suppress, c->n_begin_suppress);
        mask[t->end] = -INFINITY;
        ok = ok && asr_buffer_write(w->mask, ASR_WHISPER_MASK_BEGIN, 1, mask, error);
    }
    free(mask);
    return ok;
}

/* Caches and the audio's keys and values; halves when the weights are not f32. */
static bool create_state(asr_whisper *w, asr_dtype dtype, asr_error *error)
{
    const asr_whisper_config *c = &w->config;
    for (int i = 0; i < c->decoder_layers; i++) {
        w->cross.k[i] =
            new_buffer(w, dtype, c->n_audio_ctx, c->d_model, ASR_USAGE_STATE, error);
        w->cross.v[i] =
            new_buffer(w, dtype, c->n_audio_ctx, c->d_model, ASR_USAGE_STATE, error);
        w->k[i] = new_buffer(w, dtype, w->n_slots, c->d_model, ASR_USAGE_STATE, error);
        w->v[i] = new_buffer(w, dtype, w->n_slots, c->d_model, ASR_USAGE_STATE, error);
        if (!w->cross.k[i] || !w->cross.v[i] || !w->k[i] || !w->v[i])
            return false;
    }
    w->features =
        new_buffer(w, ASR_F32, 2 * c->n_audio_ctx, c->n_mels, ASR_USAGE_HOST, error);
    w->output = new_buffer(w, ASR_F32, c->n_audio_ctx, c->d_model, ASR_USAGE_HOST, error);
    return w->features && w->output && create_mask(w, error);
}

static bool load_weights(asr_whisper *w, const asr_whisper_params *params,
                         asr_error *error)
{
    asr_weights_params weights = {
        .directory = params->directory,
        .cache_directory = params->cache_directory,
        .matrix_dtype = asr_backend_weight_dtype(w->backend, params->precision),
        .sensitive_dtype = asr_backend_weight_dtype(w->backend, ASR_PRECISION_F16),
    };
    asr_weight_recipe *recipes = asr_whisper_recipes(&w->config, &weights.n_recipes);
    if (!recipes)
        return asr_fail_memory(error);
    weights.recipes = recipes;
    w->source = asr_weights_open(&weights, error);
    free(recipes);
    return w->source &&
           asr_whisper_weights_create(&w->weights, &w->config, w->backend, w->source,
                                      error) &&
           create_state(w, weights.matrix_dtype == ASR_F32 ? ASR_F32 : ASR_F16, error);
}

asr_whisper *asr_whisper_open(const asr_whisper_params *params, asr_error *error)
{
    asr_whisper *w = calloc(1, sizeof(*w));
    if (!w) {
        asr_fail_memory(error);
        return NULL;
    }
    w->backend = params->backend;
    w->tokenizer = asr_tokenizer_create(params->directory, error);
    if (!w->tokenizer ||
        !asr_whisper_config_read(&w->config, params->directory, w->tokenizer, error))
        goto fail;
    asr_mel_params mel = {ASR_WHISPER_SAMPLE_RATE, ASR_WHISPER_N_FFT, ASR_WHISPER_HOP,
                          w->config.n_mels};
    w->mel = asr_mel_create(&mel, error);
    /* A prompt is shared by all hypotheses; what they say takes a slot each. */
    w->n_slots = w->config.n_text_ctx * (1 + params->max_hypotheses);
    if (!w->mel || !load_weights(w, params, error))
        goto fail;
    return w;
fail:
    asr_whisper_destroy(&w);
    return NULL;
}

static void destroy_decoder_plan(decoder_plan *p)
{
    asr_plan_destroy(&p->plan);
    asr_whisper_decoder_io *io = &p->io;
    asr_buffer **own[] = {&io->token, &io->position, &io->slot,   &io->length,
                          &io->table, &io->hidden,   &io->select, &io->rules,
                          &io->ids,   &io->scores,   &io->logits};
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        asr_buffer_destroy(own[i]);
    for (int i = 0; i < ASR_WHISPER_MAX_LAYERS; i++) {
        asr_buffer_destroy(&io->heads[i]);
        asr_buffer_destroy(&io->attention[i]);
    }
    free(p->staging);
    *p = (decoder_plan){0};
}

void asr_whisper_destroy(asr_whisper **whisper)
{
    asr_whisper *w = *whisper;
    if (w) {
        for (int i = 0; i < w->n_plans; i++)
            destroy_decoder_plan(&w->plans[i]);
        asr_plan_destroy(&w->encoder);
        asr_whisper_weights_destroy(&w->weights);
        for (int i = 0; i < ASR_WHISPER_MAX_LAYERS; i++) {
            asr_buffer_destroy(&w->cross.k[i]);
            asr_buffer_destroy(&w->cross.v[i]);
            asr_buffer_destroy(&w->k[i]);
            asr_buffer_destroy(&w->v[i]);
        }
        asr_buffer_destroy(&w->features);
        asr_buffer_destroy(&w->output);
        asr_buffer_destroy(&w->mask);
        asr_weights_destroy(&w->source);
        asr_mel_destroy(&w->mel);
        asr_whisper_config_clear(&w->config);
        asr_tokenizer_destroy(&w->tokenizer);
        free(w);
    }
    *whisper = NULL;
}

const asr_whisper_config *asr_whisper_get_config(const asr_whisper *whisper)
{
    return &whisper->config;
}

const asr_tokenizer *asr_whisper_get_tokenizer(const asr_whisper *whisper)
{
    return whisper->tokenizer;
}

const asr_mel *asr_whisper_get_mel(const asr_whisper *whisper)
{
    return whisper->mel;
}

static asr_plan *make_plan(asr_whisper *w, asr_graph *graph, asr_error *error)
{
    asr_plan *plan = asr_plan_create(w->backend, &graph, error);
    /* What the backend has packed need not stay in memory twice. */
    asr_weights_release_pages(w->source);
    return plan;
}

/* The encoder's plan, with its output stored or not. */
static bool prepare_encoder(asr_whisper *w, bool output, asr_error *error)
{
    if (w->encoder && (w->encoder_has_output || !output))
        return true;
    asr_plan_destroy(&w->encoder);
    w->encoder_has_output = output;
    w->encoder =
        make_plan(w,
                  asr_whisper_encoder_graph(&w->config, &w->weights, w->features,
                                            &w->cross, output ? w->output : NULL),
                  error);
    return w->encoder != NULL;
}

bool asr_whisper_encode(asr_whisper *w, const float *features, float *output,
                        asr_error *error)
{
    return prepare_encoder(w, output != NULL, error) &&
           asr_buffer_write(w->features, 0, w->features->rows, features, error) &&
           asr_plan_run(w->encoder, error) &&
           (!output || asr_buffer_read(w->output, 0, w->output->rows, output, error));
}

/* The leaves that name the alignment heads of each layer, and take their weights. */
static bool create_attention_io(asr_whisper *w, decoder_plan *p, asr_error *error)
{
    const asr_whisper_config *c = &w->config;
    for (int layer = 0; layer < c->decoder_layers; layer++) {
        int32_t heads[256];
        int n = 0;
        for (size_t i = 0; i < c->n_alignment_heads; i++)
            if (c->alignment_heads[i].layer == layer && n < 256)
                heads[n++] = c->alignment_heads[i].head;
        if (n == 0)
            continue;
        p->io.heads[layer] = new_buffer(w, ASR_I32, n, 1, ASR_USAGE_HOST, error);
        p->io.attention[layer] =
            new_buffer(w, ASR_F32, n * p->n_rows, c->n_audio_ctx, ASR_USAGE_HOST, error);
        if (!p->io.heads[layer] || !p->io.attention[layer] ||
            !asr_buffer_write(p->io.heads[layer], 0, n, heads, error))
            return false;
    }
    return true;
}

static bool create_outputs(asr_whisper *w, decoder_plan *p, asr_error *error)
{
    asr_whisper_decoder_io *io = &p->io;
    int vocab = w->config.vocab_size;
    switch (p->kind) {
    case PLAN_PICK:
        io->mask = w->mask;
        io->rules =
            new_buffer(w, ASR_I32, p->n_picked, ASR_RULE_COUNT, ASR_USAGE_HOST, error);
        io->ids = new_buffer(w, ASR_I32, p->n_picked, p->k, ASR_USAGE_HOST, error);
        io->scores = new_buffer(w, ASR_F32, p->n_picked, p->k, ASR_USAGE_HOST, error);
        if (p->n_picked < p->n_rows) {
            io->hidden = new_buffer(w, ASR_F32, p->n_rows, w->config.d_model,
                                    ASR_USAGE_STATE, error);
            io->select = new_buffer(w, ASR_I32, p->n_picked, 1, ASR_USAGE_HOST, error);
            if (!io->hidden || !io->select)
                return false;
        }
        return io->rules && io->ids && io->scores;
    case PLAN_LOGITS:
        io->logits = new_buffer(w, ASR_F32, p->n_rows, vocab, ASR_USAGE_HOST, error);
        return io->logits != NULL;
    case PLAN_ATTENTION:
        return create_attention_io(w, p, error);
    }
    return false;
}

static bool create_decoder_plan(asr_whisper *w, decoder_plan *p, asr_error *error)
{
    asr_whisper_decoder_io *io = &p->io;
    int n = p->n_rows;
    io->token = new_buffer(w, ASR_I32, n, 1, ASR_USAGE_HOST, error);
    io->position = new_buffer(w, ASR_I32, n, 1, ASR_USAGE_HOST, error);
    io->slot = new_buffer(w, ASR_I32, n, 1, ASR_USAGE_HOST, error);
    io->length = new_buffer(w, ASR_I32, n, 1, ASR_USAGE_HOST, error);
    io->table = new_buffer(w, ASR_I32, n, w->config.n_text_ctx, ASR_USAGE_HOST, error);
    if (!io->token || !io->position || !io->slot || !io->length || !io->table ||
        !create_outputs(w, p, error))
        return false;
    for (int i = 0; i < w->config.decoder_layers; i++) {
        io->k[i] = w->k[i];
        io->v[i] = w->v[i];
    }
    p->staging = calloc((size_t)n * (size_t)w->config.n_text_ctx, sizeof(*p->staging));
    if (!p->staging)
        return asr_fail_memory(error);
    p->plan = make_plan(
        w, asr_whisper_decoder_graph(&w->config, &w->weights, &w->cross, io), error);
    return p->plan != NULL;
}

/* The plan for so many rows and outputs, made when there is none yet. */
static decoder_plan *find_plan(asr_whisper *w, plan_kind kind, int n_rows, int n_picked,
                               int k, asr_error *error)
{
    decoder_plan *oldest = &w->plans[0];
    for (int i = 0; i < w->n_plans; i++) {
        decoder_plan *p = &w->plans[i];
        if (p->kind == kind && p->n_rows == n_rows && p->n_picked == n_picked &&
            p->k == k) {
            p->last_used = ++w->clock;
            return p;
        }
        if (p->last_used < oldest->last_used)
            oldest = p;
    }
    decoder_plan *p = w->n_plans < MAX_PLANS ? &w->plans[w->n_plans++] : oldest;
    destroy_decoder_plan(p);
    p->kind = kind;
    p->n_rows = n_rows;
    p->n_picked = n_picked;
    p->k = k;
    p->last_used = ++w->clock;
    if (create_decoder_plan(w, p, error))
        return p;
    /* The last plan takes the place of the one that could not be made. */
    destroy_decoder_plan(p);
    decoder_plan *last = &w->plans[--w->n_plans];
    if (last != p) {
        *p = *last;
        *last = (decoder_plan){0};
    }
    return NULL;
}

/* How many rows the plan for n rows has: as many up to 8, then multiples of 16. */
static int padded_rows(int n)
{
    return n <= 8 ? n : (n + 15) / 16 * 16;
}

/* Writes one column of all rows; padding rows do nothing. */
static bool write_rows(decoder_plan *p, const asr_decoder_row *rows, int n,
                       int n_text_ctx, asr_error *error)
{
    int32_t *token = p->staging, *position = token + p->n_rows;
    int32_t *slot = position + p->n_rows, *length = slot + p->n_rows;
    assert(n_text_ctx >= 4);
    for (int r = 0; r < p->n_rows; r++) {
        bool real = r < n;
        token[r] = real ? rows[r].token : 0;
        position[r] = real ? rows[r].position : 0;
        slot[r] = real ? rows[r].slot : -1;
        length[r] = real ? rows[r].n_history : 0;
    }
    if (!asr_buffer_write(p->io.token, 0, p->n_rows, token, error) ||
        !asr_buffer_write(p->io.position, 0, p->n_rows, position, error) ||
        !asr_buffer_write(p->io.slot, 0, p->n_rows, slot, error) ||
        !asr_buffer_write(p->io.length, 0, p->n_rows, length, error))
        return false;
    for (int r = 0; r < n; r++)
        memcpy(p->staging + (size_t)r * (size_t)n_text_ctx, rows[r].history,
               (size_t)rows[r].n_history * sizeof(int32_t));
    return asr_buffer_write(p->io.table, 0, p->n_rows, p->staging, error);
}

static bool write_rules(decoder_plan *p, const asr_decoder_row *rows, int n,
                        asr_error *error)
{
    int32_t select = 0, picked = 0;
    for (int r = 0; r < n; r++) {
        if (!rows[r].rule)
            continue;
        select = r;
        if ((p->io.select &&
             !asr_buffer_write(p->io.select, picked, 1, &select, error)) ||
            !asr_buffer_write(p->io.rules, picked, 1, rows[r].rule, error))
            return false;
        picked++;
    }
    return true;
}

static bool run_rows(void *model, const asr_decoder_row *rows, int n_rows, int k,
                     int32_t *ids, float *scores, asr_error *error)
{
    asr_whisper *w = model;
    int picked = 0;
    for (int r = 0; r < n_rows; r++)
        picked += rows[r].rule != NULL;
    assert(picked > 0 && k <= ASR_PICK_MAX);
    decoder_plan *p = find_plan(w, PLAN_PICK, padded_rows(n_rows), picked, k, error);
    return p && write_rows(p, rows, n_rows, w->config.n_text_ctx, error) &&
           write_rules(p, rows, n_rows, error) && asr_plan_run(p->plan, error) &&
           asr_buffer_read(p->io.ids, 0, picked, ids, error) &&
           asr_buffer_read(p->io.scores, 0, picked, scores, error);
}

asr_decoder asr_whisper_decoder(asr_whisper *w)
{
    return (asr_decoder){w, w->n_slots, w->config.n_text_ctx, run_rows};
}

/* Runs `tokens` as one sequence from the first position. */
static bool run_sequence(asr_whisper *w, decoder_plan *p, const int *tokens, int n,
                         asr_error *error)
{
    asr_decoder_row *rows = calloc((size_t)n, sizeof(*rows));
    int32_t *history = calloc((size_t)n, sizeof(*history));
    bool ok = rows && history;
    if (!ok)
        asr_fail_memory(error);
    for (int i = 0; i < n && ok; i++) {
        history[i] = i;
        rows[i] = (asr_decoder_row){tokens[i], i, i, history, i + 1, NULL};
    }
    ok = ok && write_rows(p, rows, n, w->config.n_text_ctx, error) &&
         asr_plan_run(p->plan, error);
    free(rows);
    free(history);
    return ok;
}

bool asr_whisper_logits(asr_whisper *w, const int *tokens, int n, float *logits,
                        asr_error *error)
{
    assert(n > 0 && n <= w->config.n_text_ctx);
    int rows = padded_rows(n);
    decoder_plan *p = find_plan(w, PLAN_LOGITS, rows, rows, 0, error);
    return p && run_sequence(w, p, tokens, n, error) &&
           asr_buffer_read(p->io.logits, 0, n, logits, error);
}

bool asr_whisper_attention(asr_whisper *w, const int *tokens, int n, float *weights,
                           asr_error *error)
{
    assert(n > 0 && n <= w->config.n_text_ctx);
    decoder_plan *p = find_plan(w, PLAN_ATTENTION, padded_rows(n), 0, 0, error);
    if (!p || !run_sequence(w, p, tokens, n, error))
        return false;
    size_t head_size = (size_t)n * (size_t)w->config.n_audio_ctx;
    for (int layer = 0; layer < w->config.decoder_layers; layer++) {
        asr_buffer *attention = p->io.attention[layer];
        for (int i = 0; attention && i < attention->rows / p->n_rows; i++) {
            if (!asr_buffer_read(attention, i * p->n_rows, n, weights, error))
                return false;
            weights += head_size;
        }
    }
    return true;
}
