/* Fuzzes the reading of a Whisper checkpoint's configuration. Input: config.json, the
 * byte 1E, generation_config.json. What is read must be safe to build a model of. */
#include "models/whisper-config.h"
#include "models/whisper-graph.h"

#include "memory-folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CONFIG, GENERATION_CONFIG, TOKENIZER, N_FILES };

static const char *const names[N_FILES] = {
    [CONFIG] = "config.json",
    [GENERATION_CONFIG] = "generation_config.json",
    [TOKENIZER] = "tokenizer.json",
};

#define ADDED(id, name) "{\"id\":" #id ",\"content\":\"<|" name "|>\",\"special\":true}"

static const char tokenizer_json[] =
    "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},"
    "\"decoder\":{\"type\":\"ByteLevel\"},"
    "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]},\"added_tokens\":["
    // clang-format off
    ADDED(1, "endoftext") "," ADDED(2, "startoftranscript") "," ADDED(3, "en") ","
    ADDED(4, "zh") "," ADDED(5, "de") "," ADDED(6, "translate") "," ADDED(7, "transcribe")
    "," ADDED(8, "startofprev") "," ADDED(9, "nospeech") "," ADDED(10, "notimestamps")
    // clang-format on
    "]}";

static asr_tokenizer *tokenizer;

static void destroy_tokenizer(void)
{
    asr_tokenizer_destroy(&tokenizer);
}

static void create_tokenizer(void)
{
    memory_create_folder(names, N_FILES);
    memory_write(TOKENIZER, tokenizer_json, strlen(tokenizer_json));
    tokenizer = asr_tokenizer_create(memory_folder, NULL);
    if (!tokenizer)
        abort();
    atexit(destroy_tokenizer);
}

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_tokens(const asr_whisper_config *c)
{
    const asr_whisper_tokens *t = &c->tokens;
    check(t->first_timestamp > t->end && t->first_timestamp > t->start);
    check(t->n_timestamps > 0 && t->first_timestamp + t->n_timestamps <= c->vocab_size);
    check(t->n_languages == 0 ? t->first_language < 0
                              : t->first_language + t->n_languages <= t->first_timestamp);
    for (size_t i = 0; i < c->n_suppress; i++)
        check(c->suppress[i] >= -1 && c->suppress[i] < c->vocab_size);
    for (size_t i = 0; i < c->n_begin_suppress; i++)
        check(c->begin_suppress[i] >= -1 && c->begin_suppress[i] < c->vocab_size);
    check(c->max_initial_timestamp >= 0);
}

static void check_dimensions(const asr_whisper_config *c)
{
    check(c->d_model > 0 && c->n_mels > 0 && c->n_audio_ctx > 0 && c->n_text_ctx > 0);
    check(c->d_model % c->encoder_heads == 0 && c->d_model % c->decoder_heads == 0);
    check(c->encoder_layers > 0 && c->encoder_layers <= ASR_WHISPER_MAX_LAYERS);
    check(c->decoder_layers > 0 && c->decoder_layers <= ASR_WHISPER_MAX_LAYERS);
    check(c->n_alignment_heads > 0 &&
          c->n_alignment_heads <= (size_t)c->decoder_layers * (size_t)c->decoder_heads);
    for (size_t i = 0; i < c->n_alignment_heads; i++)
        check(c->alignment_heads[i].layer >= 0 && c->alignment_heads[i].head >= 0 &&
              c->alignment_heads[i].layer < c->decoder_layers &&
              c->alignment_heads[i].head < c->decoder_heads);
    size_t n;
    asr_weight_recipe *recipes = asr_whisper_recipes(c, &n);
    for (size_t i = 0; recipes && i < n; i++)
        check(recipes[i].rows > 0 && recipes[i].cols > 0);
    free(recipes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    asr_error error = {""};
    asr_whisper_config config;
    size_t length;
    if (!tokenizer)
        create_tokenizer();
    for (int i = CONFIG; i <= GENERATION_CONFIG; i++) {
        const uint8_t *section = memory_section(&data, &size, &length);
        memory_write(i, section, length);
    }
    if (asr_whisper_config_read(&config, memory_folder, tokenizer, &error)) {
        check_tokens(&config);
        check_dimensions(&config);
    } else {
        check(error.message[0] != '\0');
    }
    asr_whisper_config_clear(&config);
    return 0;
}
