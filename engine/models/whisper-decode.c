/* Decoding a window.
 *
 * The thresholds are those published with Whisper (Radford et al. 2022, section 4.5): a
 * text that compresses too well repeats itself, one of low probability is a guess; either
 * way the window is decoded again with more randomness. */
#include "models/whisper-decode.h"

#include "decode/search.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define MAX_COMPRESSION 2.4
#define MIN_MEAN_SCORE (-1.0)
#define NO_SPEECH_THRESHOLD 0.6

static const float temperatures[] = {0.0f, 0.2f, 0.4f, 0.6f, 0.8f, 1.0f};
#define N_TEMPERATURES (sizeof(temperatures) / sizeof(temperatures[0]))

static void set_rule(int32_t *rule, int mask, int low_0, int high_0, int low_1,
                     int high_1, int flags)
{
    memset(rule, 0, ASR_RULE_COUNT * sizeof(*rule));
    rule[ASR_RULE_MASK] = mask;
    rule[ASR_RULE_LOW_0] = low_0;
    rule[ASR_RULE_HIGH_0] = high_0;
    rule[ASR_RULE_LOW_1] = low_1;
    rule[ASR_RULE_HIGH_1] = high_1;
    rule[ASR_RULE_FLAGS] = flags;
}

/* The timestamp said last, or -1. */
static int last_timestamp(const int *tokens, int n, int first_timestamp)
{
    while (n > 0)
        if (tokens[--n] >= first_timestamp)
            return tokens[n];
    return -1;
}

void asr_whisper_rule(const asr_whisper_config *config, bool timestamps,
                      const int *tokens, int n, int32_t *rule)
{
    const asr_whisper_tokens *t = &config->tokens;
    int first = t->first_timestamp, end = first + t->n_timestamps;
    int mask = n == 0 ? ASR_WHISPER_MASK_BEGIN : ASR_WHISPER_MASK_ALWAYS;
    if (!timestamps) {
        set_rule(rule, mask, 0, first, 0, 0, 0);
        return;
    }
    if (n == 0) {
        int latest = first + config->max_initial_timestamp + 1;
        set_rule(rule, mask, 0, 0, first, latest < end ? latest : end, 0);
        return;
    }
    bool after_timestamp = tokens[n - 1] >= first;
    bool after_pair = after_timestamp && (n < 2 || tokens[n - 2] >= first);
    set_rule(rule, mask, 0, first, first, end, ASR_PICK_MASS_RULE);
    if (after_pair)
        rule[ASR_RULE_HIGH_1] = first; /* text must follow */
    else if (after_timestamp)
        rule[ASR_RULE_LOW_0] = t->end; /* the pair's second half, or the end */
    int last = last_timestamp(tokens, n, first);
    if (last >= 0)
        rule[ASR_RULE_LOW_1] = after_timestamp && !after_pair ? last : last + 1;
}

int asr_whisper_start_tokens(const asr_whisper_config *config, int language,
                             bool translate, bool timestamps, int *tokens)
{
    const asr_whisper_tokens *t = &config->tokens;
    int n = 0;
    tokens[n++] = t->start;
    if (language >= 0 && t->transcribe >= 0 && t->translate >= 0) {
        tokens[n++] = language;
        tokens[n++] = translate ? t->translate : t->transcribe;
    }
    if (!timestamps)
        tokens[n++] = t->no_timestamps;
    return n;
}

bool asr_whisper_detect_language(asr_whisper *whisper, int *language, asr_error *error)
{
    const asr_whisper_config *c = asr_whisper_get_config(whisper);
    const asr_whisper_tokens *t = &c->tokens;
    asr_decoder decoder = asr_whisper_decoder(whisper);
    int32_t rule[ASR_RULE_COUNT], history = 0, id;
    float score;
    if (t->n_languages == 0) {
        *language = -1;
        return true;
    }
    set_rule(rule, -1, t->first_language, t->first_language + t->n_languages, 0, 0, 0);
    asr_decoder_row row = {t->start, 0, 0, &history, 1, rule};
    if (!decoder.run(decoder.model, &row, 1, 1, &id, &score, error))
        return false;
    *language = id >= 0 ? id : t->first_language;
    return true;
}

/* What a window is decoded after: context, then the start tokens. */
typedef struct prompt {
    int *tokens;
    int n;
    int start; /* where <|startoftranscript|> is */
} prompt;

static bool prompt_create(prompt *p, const asr_whisper_config *c,
                          const asr_whisper_decode_params *params, asr_error *error)
{
    int most = c->n_text_ctx / 2 - 1;
    int n_previous = params->n_previous < most ? params->n_previous : most;
    p->tokens = malloc((size_t)(n_previous + 5) * sizeof(*p->tokens));
    p->n = 0;
    if (!p->tokens)
        return asr_fail_memory(error);
    if (n_previous > 0 && c->tokens.previous >= 0) {
        p->tokens[p->n++] = c->tokens.previous;
        memcpy(p->tokens + p->n, params->previous + params->n_previous - n_previous,
               (size_t)n_previous * sizeof(*p->tokens));
        p->n += n_previous;
    }
    p->start = p->n;
    p->n += asr_whisper_start_tokens(c, params->language, params->translate,
                                     params->timestamps, p->tokens + p->n);
    return true;
}

typedef struct rule_user {
    asr_whisper_config config; /* with the timestamps that the window has; borrows */
    bool timestamps;
} rule_user;

/* Without the limit a window that is mostly padding gets captions for the padding. */
static rule_user rule_user_for(const asr_whisper_config *config,
                               const asr_whisper_decode_params *params)
{
    rule_user user = {*config, params->timestamps};
    int n = (int)ceil(params->seconds / ASR_WHISPER_TIMESTAMP_STEP) + 1;
    if (params->seconds > 0 && n < user.config.tokens.n_timestamps)
        user.config.tokens.n_timestamps = n;
    return user;
}

static void search_rule(void *user, const int *tokens, int n, int32_t *rule)
{
    const rule_user *u = user;
    asr_whisper_rule(&u->config, u->timestamps, tokens, n, rule);
}

char *asr_whisper_text(const asr_whisper *whisper, const int *tokens, int n,
                       size_t *length, asr_error *error)
{
    int first_timestamp = asr_whisper_get_config(whisper)->tokens.first_timestamp;
    size_t n_kept = 0;
    int *kept = malloc(((size_t)n + 1) * sizeof(*kept));
    if (!kept) {
        asr_fail_memory(error);
        return NULL;
    }
    /* Published tokenizers that list the timestamps do not call them special. */
    for (int i = 0; i < n; i++)
        if (tokens[i] < first_timestamp)
            kept[n_kept++] = tokens[i];
    char *text = asr_tokenizer_decode(asr_whisper_get_tokenizer(whisper), kept, n_kept,
                                      true, length, error);
    free(kept);
    return text;
}

/* Bytes of text per byte after deflate; 0 for no text. */
static bool compression_of(const asr_whisper *whisper, const int *tokens, int n,
                           double *ratio, asr_error *error)
{
    size_t length;
    char *text = asr_whisper_text(whisper, tokens, n, &length, error);
    if (!text)
        return false;
    uLongf packed = compressBound(length);
    Bytef *out = malloc(packed);
    bool ok = out && compress(out, &packed, (const Bytef *)text, length) == Z_OK;
    *ratio = ok && length > 0 ? (double)length / (double)packed : 0;
    free(out);
    free(text);
    return ok || asr_fail_memory(error);
}

/* One search at one temperature. */
static bool attempt(asr_whisper *whisper, const asr_whisper_decode_params *params,
                    const prompt *p, size_t index, asr_whisper_result *result,
                    asr_error *error)
{
    const asr_whisper_config *c = asr_whisper_get_config(whisper);
    rule_user user = rule_user_for(c, params);
    int room = c->n_text_ctx - p->n;
    asr_search_params search = {
        .beam_size = params->beam_size,
        .n_samples = ASR_WHISPER_SAMPLES,
        .temperature = temperatures[index],
        .seed = params->seed + (uint32_t)index * 0x1000193u,
        .max_tokens = room < c->n_text_ctx / 2 ? room : c->n_text_ctx / 2,
        .end_token = c->tokens.end,
        .rule = search_rule,
        .user = &user,
    };
    int32_t no_speech_rule[ASR_RULE_COUNT];
    set_rule(no_speech_rule, -1, c->tokens.no_speech, c->tokens.no_speech + 1, 0, 0,
             ASR_PICK_NORMALISE_ALL);
    asr_search_prompt search_prompt = {p->tokens, p->n, p->start,
                                       c->tokens.no_speech >= 0 ? no_speech_rule : NULL};
    asr_decoder decoder = asr_whisper_decoder(whisper);
    asr_search_result found;
    if (!asr_search_run(&decoder, &search, &search_prompt, &found, error))
        return false;
    *result = (asr_whisper_result){
        .tokens = found.tokens,
        .scores = found.scores,
        .n = found.n,
        .temperature = temperatures[index],
        .mean_score = found.total / (found.n + 1),
        .no_speech = exp(found.probe_score),
    };
    result->is_silence =
        result->no_speech > NO_SPEECH_THRESHOLD && result->mean_score < MIN_MEAN_SCORE;
    return compression_of(whisper, result->tokens, result->n, &result->compression,
                          error);
}

static bool looks_right(const asr_whisper_result *r)
{
    return r->is_silence ||
           (r->compression <= MAX_COMPRESSION && r->mean_score >= MIN_MEAN_SCORE);
}

/* Whether a is to be preferred when neither looks right: repetition is the worse fault.
 */
static bool is_better(const asr_whisper_result *a, const asr_whisper_result *b)
{
    bool repeats_a = a->compression > MAX_COMPRESSION;
    bool repeats_b = b->compression > MAX_COMPRESSION;
    if (repeats_a != repeats_b)
        return repeats_b;
    return a->mean_score > b->mean_score;
}

bool asr_whisper_decode(asr_whisper *whisper, const asr_whisper_decode_params *params,
                        asr_whisper_result *result, asr_error *error)
{
    prompt p = {0};
    *result = (asr_whisper_result){0};
    bool ok = prompt_create(&p, asr_whisper_get_config(whisper), params, error);
    for (size_t i = 0; ok && i < N_TEMPERATURES; i++) {
        asr_whisper_result r = {0};
        ok = attempt(whisper, params, &p, i, &r, error);
        bool right = ok && looks_right(&r);
        if (ok && (!result->tokens || right || is_better(&r, result))) {
            asr_whisper_result swap = *result;
            *result = r;
            r = swap;
        }
        asr_whisper_result_clear(&r);
        if (right)
            break;
    }
    free(p.tokens);
    if (!ok)
        asr_whisper_result_clear(result);
    return ok;
}

void asr_whisper_result_clear(asr_whisper_result *result)
{
    free(result->tokens);
    free(result->scores);
    *result = (asr_whisper_result){0};
}
