/* The stages of one window: features, encoder, logits along given or greedy tokens. */
#include "models/whisper-trace.h"

#include "decode/search.h"
#include "models/whisper-decode.h"

#include <stdlib.h>
#include <string.h>

/* Tokens of the greedy path at most, those of the start included. */
#define TRACE_TOKENS 64

/* Any token may follow. */
static void no_rule(void *user, const int *tokens, int n, int32_t *rule)
{
    const asr_whisper_config *c = user;
    (void)tokens, (void)n;
    memset(rule, 0, ASR_RULE_COUNT * sizeof(*rule));
    rule[ASR_RULE_MASK] = -1;
    rule[ASR_RULE_HIGH_0] = c->vocab_size;
}

/* The most probable token after each step from <|startoftranscript|> on in the language
 * heard, up to and with <|endoftext|>. */
static bool greedy_path(asr_whisper *whisper, int *tokens, int *n, asr_error *error)
{
    const asr_whisper_config *c = asr_whisper_get_config(whisper);
    int language;
    if (!asr_whisper_detect_language(whisper, &language, error))
        return false;
    int n_start = asr_whisper_start_tokens(c, language, false, false, tokens);
    int most = c->n_text_ctx < TRACE_TOKENS ? c->n_text_ctx : TRACE_TOKENS;
    asr_search_params params = {.beam_size = 1,
                                .max_tokens = most - n_start,
                                .end_token = c->tokens.end,
                                .rule = no_rule,
                                .user = (void *)(uintptr_t)c};
    asr_search_prompt prompt = {.tokens = tokens, .n = n_start};
    asr_decoder decoder = asr_whisper_decoder(whisper);
    asr_search_result result;
    if (!asr_search_run(&decoder, &params, &prompt, &result, error))
        return false;
    memcpy(tokens + n_start, result.tokens, (size_t)result.n * sizeof(*tokens));
    *n = n_start + result.n;
    if (*n < most)
        tokens[(*n)++] = c->tokens.end;
    asr_search_clear(&result);
    return true;
}

static bool check_tokens(const asr_whisper_config *c, const int *tokens, int n,
                         asr_error *error)
{
    for (int i = 0; i < n; i++)
        if (tokens[i] < 0 || tokens[i] >= c->vocab_size)
            return asr_fail(error, "The token %d is not in the model's vocabulary of %d.",
                            tokens[i], c->vocab_size);
    return n <= c->n_text_ctx ||
           asr_fail(error, "The model takes %d tokens at most.", c->n_text_ctx);
}

static bool trace_logits(asr_whisper *whisper, const int *tokens, int n, asr_trace *trace,
                         asr_error *error)
{
    int path[TRACE_TOKENS];
    if (n == 0) {
        tokens = path;
        float *out = greedy_path(whisper, path, &n, error)
                         ? asr_trace_add(trace, "tokens", 1, n, error)
                         : NULL;
        if (!out)
            return false;
        for (int i = 0; i < n; i++)
            out[i] = (float)path[i];
    }
    int vocab_size = asr_whisper_get_config(whisper)->vocab_size;
    float *out = asr_trace_add(trace, "logits", n, vocab_size, error);
    return out && asr_whisper_logits(whisper, tokens, n, out, error);
}

/* The features of a window [n_frames, n_mels], and their transpose in the trace. */
static float *trace_features(asr_whisper *whisper, const float *samples, size_t n_samples,
                             asr_trace *trace, asr_error *error)
{
    const asr_whisper_config *c = asr_whisper_get_config(whisper);
    size_t n_frames = 2 * (size_t)c->n_audio_ctx, n_mels = (size_t)c->n_mels;
    float *out = asr_trace_add(trace, "features", c->n_mels, 2 * c->n_audio_ctx, error);
    float *features = out ? malloc(n_frames * n_mels * sizeof(*features)) : NULL;
    if (!features) {
        asr_fail_memory(error);
        return NULL;
    }
    if (!asr_mel_compute(asr_whisper_get_mel(whisper), samples, n_samples, (int)n_frames,
                         features, error)) {
        free(features);
        return NULL;
    }
    for (size_t f = 0; f < n_frames; f++)
        for (size_t m = 0; m < n_mels; m++)
            out[m * n_frames + f] = features[f * n_mels + m];
    return features;
}

bool asr_whisper_trace(asr_whisper *whisper, const float *samples, size_t n_samples,
                       const int *tokens, int n, asr_trace *trace, asr_error *error)
{
    const asr_whisper_config *c = asr_whisper_get_config(whisper);
    if (!check_tokens(c, tokens, n, error))
        return false;
    float *features = trace_features(whisper, samples, n_samples, trace, error);
    float *encoder =
        features ? asr_trace_add(trace, "encoder", c->n_audio_ctx, c->d_model, error)
                 : NULL;
    bool ok = encoder && asr_whisper_encode(whisper, features, encoder, error) &&
              trace_logits(whisper, tokens, n, trace, error);
    free(features);
    return ok;
}
