/* Reading Whisper's configuration files.
 *
 * config.json has the dimensions; generation_config.json, newer, has what decoding needs
 * and is preferred for that. */
#include "models/whisper-config.h"

#include "text/json.h"
#include "text/language.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_TIMESTAMPS 1501
#define MAX_SUPPRESSED 4096
/* A second, as published with Whisper. */
#define DEFAULT_MAX_INITIAL_TIMESTAMP 50
/* OpenAI's English-only models, where nothing says that they are, by their size. */
#define ENGLISH_VOCABULARY 51864

static char *path_of(const char *directory, const char *name, asr_error *error)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", directory, name) < 0) {
        asr_fail_memory(error);
        return NULL;
    }
    return path;
}

static bool read_dimensions(asr_whisper_config *c, const asr_json *json, asr_error *error)
{
    bool scaled;
    if (!asr_json_int(json, "d_model", 8, 8192, &c->d_model, error) ||
        !asr_json_int(json, "vocab_size", 2, 1 << 20, &c->vocab_size, error) ||
        !asr_json_int(json, "num_mel_bins", 1, 512, &c->n_mels, error) ||
        !asr_json_int(json, "max_source_positions", 1, 1 << 16, &c->n_audio_ctx, error) ||
        !asr_json_int(json, "max_target_positions", 16, 1 << 14, &c->n_text_ctx, error) ||
        !asr_json_int(json, "encoder_layers", 1, ASR_WHISPER_MAX_LAYERS,
                      &c->encoder_layers, error) ||
        !asr_json_int(json, "decoder_layers", 1, ASR_WHISPER_MAX_LAYERS,
                      &c->decoder_layers, error) ||
        !asr_json_int(json, "encoder_attention_heads", 1, 256, &c->encoder_heads,
                      error) ||
        !asr_json_int(json, "decoder_attention_heads", 1, 256, &c->decoder_heads,
                      error) ||
        !asr_json_int(json, "encoder_ffn_dim", 1, 1 << 16, &c->encoder_ffn, error) ||
        !asr_json_int(json, "decoder_ffn_dim", 1, 1 << 16, &c->decoder_ffn, error) ||
        !asr_json_bool_or(json, "scale_embedding", false, &scaled, error))
        return false;
    if (c->d_model % c->encoder_heads != 0 || c->d_model % c->decoder_heads != 0 ||
        scaled)
        return asr_fail(error,
                        "%s describes a variant of Whisper that is not supported; choose "
                        "another model.",
                        json->file);
    return true;
}

#define TOKENIZER_MISFIT                                                                 \
    "The tokenizer in %s is not Whisper's, or does not fit its config.json; download "   \
    "the model again."

static int first_of(const asr_tokenizer *tokenizer, const char *a, const char *b)
{
    int id = asr_tokenizer_id(tokenizer, a);
    return id >= 0 ? id : asr_tokenizer_id(tokenizer, b);
}

/* How many of the languages in the list's order follow the first one's token. */
static int count_languages(const asr_tokenizer *tokenizer, int first)
{
    size_t n;
    const asr_language *languages = asr_language_list(&n);
    size_t i = 0;
    for (; first >= 0 && i < n; i++) {
        char token[32];
        snprintf(token, sizeof(token), "<|%s|>", languages[i].code);
        if (asr_tokenizer_id(tokenizer, token) != first + (int)i)
            break;
    }
    return (int)i;
}

static bool read_tokens(asr_whisper_config *c, const asr_tokenizer *tokenizer,
                        const char *directory, asr_error *error)
{
    asr_whisper_tokens *t = &c->tokens;
    t->end = asr_tokenizer_id(tokenizer, "<|endoftext|>");
    t->start = asr_tokenizer_id(tokenizer, "<|startoftranscript|>");
    t->translate = asr_tokenizer_id(tokenizer, "<|translate|>");
    t->transcribe = asr_tokenizer_id(tokenizer, "<|transcribe|>");
    t->previous = asr_tokenizer_id(tokenizer, "<|startofprev|>");
    t->no_speech = first_of(tokenizer, "<|nospeech|>", "<|nocaptions|>");
    t->no_timestamps = asr_tokenizer_id(tokenizer, "<|notimestamps|>");
    t->first_timestamp = t->no_timestamps + 1;
    if (t->end < 0 || t->start < 0 || t->no_timestamps < 0 ||
        t->first_timestamp >= c->vocab_size || t->end >= t->first_timestamp ||
        t->start >= t->first_timestamp || t->no_speech >= t->first_timestamp ||
        t->previous >= t->first_timestamp || t->translate >= t->first_timestamp ||
        t->transcribe >= t->first_timestamp)
        return asr_fail(error, TOKENIZER_MISFIT, directory);
    t->n_timestamps = c->vocab_size - t->first_timestamp;
    if (t->n_timestamps > MAX_TIMESTAMPS)
        t->n_timestamps = MAX_TIMESTAMPS;
    return true;
}

/* English-only vocabularies list languages too, but their models have never seen them. */
static bool find_languages(asr_whisper_config *c, const asr_tokenizer *tokenizer,
                           bool is_multilingual, const char *directory, asr_error *error)
{
    asr_whisper_tokens *t = &c->tokens;
    int first = is_multilingual ? asr_tokenizer_id(tokenizer, "<|en|>") : -1;
    t->n_languages = count_languages(tokenizer, first);
    t->first_language = t->n_languages > 0 ? first : -1;
    return first + t->n_languages <= t->first_timestamp ||
           asr_fail(error, TOKENIZER_MISFIT, directory);
}

/* A [layer, head] of the decoder that is not in the list yet. */
static bool add_head(asr_whisper_config *c, const json_t *pair)
{
    const json_t *layer = json_array_get(pair, 0), *head = json_array_get(pair, 1);
    json_int_t l = json_integer_value(layer), h = json_integer_value(head);
    if (!json_is_integer(layer) || l < 0 || l >= c->decoder_layers ||
        !json_is_integer(head) || h < 0 || h >= c->decoder_heads)
        return false;
    for (size_t i = 0; i < c->n_alignment_heads; i++)
        if (c->alignment_heads[i].layer == l && c->alignment_heads[i].head == h)
            return false;
    c->alignment_heads[c->n_alignment_heads++] = (asr_alignment_head){(int)l, (int)h};
    return true;
}

static bool read_heads(asr_whisper_config *c, const asr_json *json, asr_error *error)
{
    asr_json list;
    if (!asr_json_array(json, "alignment_heads", &list, error))
        return false;
    size_t n = json_array_size(list.value);
    if (n == 0)
        return true;
    c->alignment_heads = calloc(n, sizeof(*c->alignment_heads));
    if (!c->alignment_heads)
        return asr_fail_memory(error);
    for (size_t i = 0; i < n; i++)
        if (!add_head(c, json_array_get(list.value, i)))
            return asr_fail(error,
                            "%s names an alignment head twice, or one that the model "
                            "does not have; download the model again.",
                            json->file);
    return true;
}

#define MAX_DEFAULT_HEADS 32

/* Without a list from the checkpoint: heads of the upper half of the decoder, as in
 * OpenAI's implementation, but no more than give a good mean. */
static bool default_heads(asr_whisper_config *c, asr_error *error)
{
    size_t n = (size_t)c->decoder_layers * (size_t)c->decoder_heads;
    c->alignment_heads = calloc(n, sizeof(*c->alignment_heads));
    if (!c->alignment_heads)
        return asr_fail_memory(error);
    for (int layer = c->decoder_layers / 2; layer < c->decoder_layers; layer++)
        for (int head = 0;
             head < c->decoder_heads && c->n_alignment_heads < MAX_DEFAULT_HEADS; head++)
            c->alignment_heads[c->n_alignment_heads++] =
                (asr_alignment_head){layer, head};
    return true;
}

/* Reads what decoding needs from either file; what is already read stays, numbers that
 * are not read yet being negative. */
static bool read_hints(asr_whisper_config *c, const asr_json *json, int *is_multilingual,
                       asr_error *error)
{
    bool flag;
    if (!c->suppress && asr_json_has(json, "suppress_tokens") &&
        !asr_json_ints(json, "suppress_tokens", -1, c->vocab_size - 1, MAX_SUPPRESSED,
                       &c->suppress, &c->n_suppress, error))
        return false;
    if (!c->begin_suppress && asr_json_has(json, "begin_suppress_tokens") &&
        !asr_json_ints(json, "begin_suppress_tokens", -1, c->vocab_size - 1,
                       MAX_SUPPRESSED, &c->begin_suppress, &c->n_begin_suppress, error))
        return false;
    if (!c->alignment_heads && asr_json_has(json, "alignment_heads") &&
        !read_heads(c, json, error))
        return false;
    if (*is_multilingual < 0 && asr_json_has(json, "is_multilingual")) {
        if (!asr_json_bool(json, "is_multilingual", &flag, error))
            return false;
        *is_multilingual = flag;
    }
    return c->max_initial_timestamp >= 0 ||
           asr_json_int_or(json, "max_initial_timestamp_index", 0, MAX_TIMESTAMPS, -1,
                           &c->max_initial_timestamp, error);
}

static bool read_generation_config(asr_whisper_config *c, const char *directory,
                                   int *is_multilingual, asr_error *error)
{
    char *path = path_of(directory, "generation_config.json", error);
    if (!path)
        return false;
    bool ok = true;
    if (access(path, F_OK) == 0) {
        json_t *root = asr_json_read(path, ASR_JSON_CONFIG_BYTES, error);
        asr_json json = {root, path};
        ok = root && read_hints(c, &json, is_multilingual, error);
        json_decref(root);
    }
    free(path);
    return ok;
}

bool asr_whisper_config_read(asr_whisper_config *config, const char *directory,
                             const asr_tokenizer *tokenizer, asr_error *error)
{
    *config = (asr_whisper_config){.max_initial_timestamp = -1};
    int is_multilingual = -1;
    char *path = path_of(directory, "config.json", error);
    json_t *root = path ? asr_json_read(path, ASR_JSON_CONFIG_BYTES, error) : NULL;
    asr_json json = {root, path};
    bool ok = root && read_dimensions(config, &json, error) &&
              read_tokens(config, tokenizer, directory, error) &&
              read_generation_config(config, directory, &is_multilingual, error) &&
              read_hints(config, &json, &is_multilingual, error) &&
              (config->n_alignment_heads > 0 || default_heads(config, error));
    if (is_multilingual < 0)
        is_multilingual = config->vocab_size != ENGLISH_VOCABULARY;
    ok = ok && find_languages(config, tokenizer, is_multilingual, directory, error);
    if (config->max_initial_timestamp < 0)
        config->max_initial_timestamp = DEFAULT_MAX_INITIAL_TIMESTAMP;
    json_decref(root);
    free(path);
    return ok;
}

void asr_whisper_config_clear(asr_whisper_config *config)
{
    free(config->suppress);
    free(config->begin_suppress);
    free(config->alignment_heads);
    *config = (asr_whisper_config){0};
}

int asr_whisper_language_token(const asr_whisper_config *config, const char *code)
{
    int index = asr_language_index(code);
    return index < 0 || index >= config->tokens.n_languages
               ? -1
               : config->tokens.first_language + index;
}
