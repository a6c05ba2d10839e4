/* Reading a Whisper checkpoint's configuration: that of the fixtures, and changed until
 * it makes no sense. */
#include "models/whisper-config.h"

#include "scratch.h"
#include "test.h"

#include <jansson.h>

static asr_tokenizer *tokenizer; /* of the multilingual fixture */
static json_t *config_json, *generation_json;

static const char *fixture(const char *name)
{
    static char path[1024];
    snprintf(path, sizeof(path), "%s/%s", getenv("VERBATIM_TEST_DATA"), name);
    return path;
}

static json_t *load(const char *name)
{
    json_t *root = json_load_file(fixture(name), 0, NULL);
    scratch_check(root != NULL, name);
    return root;
}

static void write_json(const char *name, const json_t *root)
{
    char *text = json_dumps(root, 0);
    scratch_check(text != NULL, name);
    scratch_text(name, text);
    free(text);
}

/* Puts the fixture's files back. */
static void restore(void)
{
    write_json("model/config.json", config_json);
    write_json("model/generation_config.json", generation_json);
}

/* Writes a file with `key` set to the JSON `value`, or removed where that is NULL. */
static void change(const char *name, const json_t *original, const char *key,
                   const char *value)
{
    json_t *root = json_deep_copy(original);
    if (value) {
        json_t *parsed = json_loads(value, JSON_DECODE_ANY, NULL);
        scratch_check(parsed && json_object_set_new(root, key, parsed) == 0, value);
    } else {
        json_object_del(root, key);
    }
    write_json(name, root);
    json_decref(root);
}

static void change_config(const char *key, const char *value)
{
    change("model/config.json", config_json, key, value);
}

static void change_generation(const char *key, const char *value)
{
    change("model/generation_config.json", generation_json, key, value);
}

static bool read_model(asr_whisper_config *c)
{
    asr_error error = {""};
    bool ok = asr_whisper_config_read(c, scratch_path("model"), tokenizer, &error);
    if (!ok)
        printf("# %s\n", error.message);
    return ok;
}

/* Whether the model is refused with a sentence that names the file and says `what`. */
static bool refused_by(const asr_tokenizer *by, const char *file, const char *what)
{
    asr_error error = {""};
    asr_whisper_config c;
    bool read = asr_whisper_config_read(&c, scratch_path("model"), by, &error);
    bool ok = !read && strstr(error.message, file) && strstr(error.message, what) &&
              strstr(error.message, scratch_path("model"));
    if (!ok)
        printf("# %s: %s\n", read ? "read" : "refused", error.message);
    asr_whisper_config_clear(&c);
    return ok;
}

static bool refused(const char *file, const char *what)
{
    return refused_by(tokenizer, file, what);
}

TEST(a_multilingual_checkpoint)
{
    asr_whisper_config c;
    restore();
    bool ok = read_model(&c);
    EXPECT(ok);
    EXPECT_INT(c.n_mels, 80);
    EXPECT_INT(c.d_model, 64);
    EXPECT_INT(c.vocab_size, 1907);
    EXPECT_INT(c.n_audio_ctx, 250);
    EXPECT_INT(c.n_text_ctx, 64);
    EXPECT_INT(c.encoder_layers, 2);
    EXPECT_INT(c.decoder_layers, 2);
    EXPECT_INT(c.encoder_heads, 4);
    EXPECT_INT(c.decoder_heads, 4);
    EXPECT_INT(c.encoder_ffn, 128);
    EXPECT_INT(c.decoder_ffn, 128);
    EXPECT_INT(c.tokens.end, 299);
    EXPECT_INT(c.tokens.start, 300);
    EXPECT_INT(c.tokens.first_language, 301);
    EXPECT_INT(c.tokens.n_languages, 99);
    EXPECT_INT(c.tokens.translate, 400);
    EXPECT_INT(c.tokens.transcribe, 401);
    EXPECT_INT(c.tokens.previous, 403);
    EXPECT_INT(c.tokens.no_speech, 404);
    EXPECT_INT(c.tokens.no_timestamps, 405);
    EXPECT_INT(c.tokens.first_timestamp, 406);
    EXPECT_INT(c.tokens.n_timestamps, 1501);
    EXPECT_INT(c.max_initial_timestamp, 50);
    EXPECT_INT(c.n_begin_suppress, 2);
    EXPECT_INT(c.n_alignment_heads, 3);
    EXPECT(c.alignment_heads && c.alignment_heads[2].layer == 1 &&
           c.alignment_heads[2].head == 3);
    asr_whisper_config_clear(&c);
    EXPECT(c.alignment_heads == NULL && c.suppress == NULL);
}

/* Reads another fixture with its own tokenizer. */
static bool read_fixture(const char *name, asr_whisper_config *c)
{
    asr_error error = {""};
    const char *path = fixture(name);
    asr_tokenizer *own = asr_tokenizer_create(path, &error);
    bool ok = own && asr_whisper_config_read(c, path, own, &error);
    if (!ok)
        printf("# %s\n", error.message);
    asr_tokenizer_destroy(&own);
    return ok;
}

TEST(languages_differ_from_checkpoint_to_checkpoint)
{
    asr_whisper_config c;
    REQUIRE(read_fixture("whisper/distil", &c));
    EXPECT_INT(c.tokens.n_languages, 100);
    EXPECT(asr_whisper_language_token(&c, "yue") == c.tokens.first_language + 99);
    EXPECT_INT(c.n_mels, 128);
    asr_whisper_config_clear(&c);
    REQUIRE(read_fixture("whisper/english", &c));
    EXPECT_INT(c.tokens.n_languages, 0);
    EXPECT_INT(c.tokens.first_language, -1);
    EXPECT_INT(asr_whisper_language_token(&c, "en"), -1);
    asr_whisper_config_clear(&c);
}

/* What generation_config.json says of languages, or without it the size. */
TEST(english_only_checkpoints_are_told_apart)
{
    asr_whisper_config c;
    restore();
    change_generation("is_multilingual", "false");
    EXPECT(read_model(&c));
    EXPECT_INT(c.tokens.n_languages, 0);
    asr_whisper_config_clear(&c);
    change_generation("is_multilingual", NULL);
    EXPECT(read_model(&c));
    EXPECT_INT(c.tokens.n_languages, 99);
    asr_whisper_config_clear(&c);
    change_config("vocab_size", "51864");
    EXPECT(read_model(&c));
    EXPECT_INT(c.tokens.n_languages, 0);
    EXPECT_INT(c.tokens.n_timestamps, 1501);
    asr_whisper_config_clear(&c);
    change_config("vocab_size", "51865");
    EXPECT(read_model(&c));
    EXPECT_INT(c.tokens.n_languages, 99);
    asr_whisper_config_clear(&c);
    change_generation("is_multilingual", "\"yes\"");
    EXPECT(refused("generation_config.json", "is_multilingual"));
}

TEST(dimensions_are_checked)
{
    static const char *const keys[] = {
        "d_model",
        "vocab_size",
        "num_mel_bins",
        "max_source_positions",
        "max_target_positions",
        "encoder_layers",
        "decoder_layers",
        "encoder_attention_heads",
        "decoder_attention_heads",
        "encoder_ffn_dim",
        "decoder_ffn_dim",
    };
    static const char *const values[] = {
        "-1",   "0",      "2000000", "1099511627776", "-9223372036854775808",
        "64.0", "\"64\"", "null",    "[64]",          "true",
        NULL,
    };
    restore();
    for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
        for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
            change_config(keys[k], values[v]);
            EXPECT(refused("config.json", keys[k]));
        }
}

TEST(variants_that_are_not_supported_are_refused)
{
    restore();
    change_config("encoder_attention_heads", "5");
    EXPECT(refused("config.json", "not supported"));
    change_config("decoder_attention_heads", "128");
    EXPECT(refused("config.json", "not supported"));
    change_config("scale_embedding", "true");
    EXPECT(refused("config.json", "not supported"));
    change_config("scale_embedding", "\"no\"");
    EXPECT(refused("config.json", "scale_embedding"));
}

/* The tokenizer's special tokens must lie in the vocabulary, timestamps above them. */
TEST(tokenizers_that_do_not_fit_are_refused)
{
    asr_error error;
    restore();
    change_config("vocab_size", "406");
    EXPECT(refused("", "tokenizer"));
    change_config("vocab_size", "299");
    EXPECT(refused("", "tokenizer"));
    restore();
    asr_tokenizer *other = asr_tokenizer_create(fixture("tokenizer/qwen"), &error);
    REQUIRE(other);
    EXPECT(refused_by(other, "", "is not Whisper's"));
    asr_tokenizer_destroy(&other);
}

/* A tokenizer whose languages come after <|notimestamps|>, where timestamps belong. */
TEST(languages_among_the_timestamps_are_refused)
{
    asr_error error;
    restore();
    scratch_text("odd/tokenizer.json",
                 "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]},"
                 "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},"
                 "\"decoder\":{\"type\":\"ByteLevel\"},\"added_tokens\":["
                 "{\"id\":1,\"content\":\"<|endoftext|>\",\"special\":true},"
                 "{\"id\":2,\"content\":\"<|startoftranscript|>\",\"special\":true},"
                 "{\"id\":3,\"content\":\"<|notimestamps|>\",\"special\":true},"
                 "{\"id\":90,\"content\":\"<|en|>\",\"special\":true}]}");
    asr_tokenizer *odd = asr_tokenizer_create(scratch_path("odd"), &error);
    if (!odd)
        printf("# %s\n", error.message);
    REQUIRE(odd);
    EXPECT(refused_by(odd, "", "is not Whisper's"));
    asr_tokenizer_destroy(&odd);
}

TEST(alignment_heads_are_checked)
{
    static const char *const bad[] = {
        "[[2,0]]",      "[[0,4]]",     "[[-1,0]]",         "[[0,-1]]",  "[[0]]",
        "[[]]",         "[0,1]",       "[[\"0\",1]]",      "[[0.0,1]]", "[[0,1],[0,1]]",
        "[[0,1],null]", "[{\"0\":1}]", "[[4294967296,0]]",
    };
    restore();
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        change_generation("alignment_heads", bad[i]);
        EXPECT(refused("generation_config.json", "alignment head"));
    }
    change_generation("alignment_heads", "{}");
    EXPECT(refused("generation_config.json", "not a list"));
    change_generation("alignment_heads", "5");
    EXPECT(refused("generation_config.json", "not a list"));
}

/* Without a list, the heads of the upper half of the decoder. */
TEST(alignment_heads_have_a_default)
{
    static const char *const none[] = {NULL, "null", "[]"};
    asr_whisper_config c;
    restore();
    for (size_t i = 0; i < 3; i++) {
        change_generation("alignment_heads", none[i]);
        EXPECT(read_model(&c));
        EXPECT_INT(c.n_alignment_heads, 4);
        for (size_t h = 0; h < c.n_alignment_heads; h++)
            EXPECT(c.alignment_heads[h].layer == 1 &&
                   c.alignment_heads[h].head == (int)h);
        asr_whisper_config_clear(&c);
    }
}

TEST(lists_of_tokens_are_checked)
{
    static const char *const keys[] = {"suppress_tokens", "begin_suppress_tokens"};
    static const char *const bad[] = {"[-2]",  "[1907]", "[1.5]", "[\"1\"]", "[null]",
                                      "[[1]]", "7",      "{}",    "\"1,2\""};
    restore();
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
            change_generation(keys[k], bad[i]);
            EXPECT(refused("generation_config.json", keys[k]));
        }
        change_generation(keys[k], "[-1, 0, 1906]");
        asr_whisper_config c;
        EXPECT(read_model(&c));
        asr_whisper_config_clear(&c);
        restore();
        change_config(keys[k], "[1907]");
        change_generation(keys[k], NULL);
        EXPECT(refused("config.json", keys[k]));
        restore();
    }
}

TEST(generation_config_is_preferred)
{
    asr_whisper_config c;
    restore();
    change_config("suppress_tokens", "[5]");
    EXPECT(read_model(&c));
    EXPECT(c.n_suppress > 1);
    asr_whisper_config_clear(&c);
    change_config("max_initial_timestamp_index", "7");
    EXPECT(read_model(&c));
    EXPECT_INT(c.max_initial_timestamp, 50);
    asr_whisper_config_clear(&c);
    change_generation("max_initial_timestamp_index", NULL);
    EXPECT(read_model(&c));
    EXPECT_INT(c.max_initial_timestamp, 7);
    asr_whisper_config_clear(&c);
    change_generation("max_initial_timestamp_index", "-1");
    EXPECT(refused("generation_config.json", "max_initial_timestamp_index"));
    change_generation("max_initial_timestamp_index", "5000");
    EXPECT(refused("generation_config.json", "max_initial_timestamp_index"));
}

TEST(generation_config_may_be_missing)
{
    asr_whisper_config c;
    restore();
    EXPECT(remove(scratch_path("model/generation_config.json")) == 0);
    EXPECT(read_model(&c));
    EXPECT_INT(c.n_suppress, 0);
    EXPECT_INT(c.max_initial_timestamp, 50);
    EXPECT_INT(c.tokens.n_languages, 99);
    asr_whisper_config_clear(&c);
}

TEST(files_that_are_no_json_objects_are_refused)
{
    static const char *const names[] = {"config.json", "generation_config.json"};
    static const char *const texts[] = {"", "{", "\"x\"", "\xff\xfe{}", "{}{}"};
    char path[64];
    for (size_t n = 0; n < 2; n++)
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
            restore();
            snprintf(path, sizeof(path), "model/%s", names[n]);
            scratch_text(path, texts[i]);
            EXPECT(refused(names[n], "not valid JSON"));
        }
    restore();
    scratch_text("model/config.json", "[]");
    EXPECT(refused("config.json", "lacks"));
    EXPECT(remove(scratch_path("model/config.json")) == 0);
    EXPECT(refused("config.json", "cannot be opened"));
    EXPECT(mkdir(scratch_path("model/config.json"), 0700) == 0);
    EXPECT(refused("config.json", "not a regular file"));
    EXPECT(rmdir(scratch_path("model/config.json")) == 0);
}

TEST(large_and_deep_files_are_refused)
{
    enum { SIZE = 5 << 20 };
    char *text = malloc(SIZE + 1);
    REQUIRE(text);
    memset(text, '[', SIZE);
    text[SIZE] = '\0';
    restore();
    scratch_text("model/config.json", text);
    EXPECT(refused("config.json", "bytes long"));
    text[SIZE / 5] = '\0';
    scratch_text("model/config.json", text);
    EXPECT(refused("config.json", "deeper nesting"));
    free(text);
}

int main(void)
{
    asr_error error = {""};
    tokenizer = asr_tokenizer_create(fixture("whisper/multilingual"), &error);
    scratch_check(tokenizer != NULL, error.message);
    config_json = load("whisper/multilingual/config.json");
    generation_json = load("whisper/multilingual/generation_config.json");
    RUN(a_multilingual_checkpoint);
    RUN(languages_differ_from_checkpoint_to_checkpoint);
    RUN(english_only_checkpoints_are_told_apart);
    RUN(dimensions_are_checked);
    RUN(variants_that_are_not_supported_are_refused);
    RUN(tokenizers_that_do_not_fit_are_refused);
    RUN(languages_among_the_timestamps_are_refused);
    RUN(alignment_heads_are_checked);
    RUN(alignment_heads_have_a_default);
    RUN(lists_of_tokens_are_checked);
    RUN(generation_config_is_preferred);
    RUN(generation_config_may_be_missing);
    RUN(files_that_are_no_json_objects_are_refused);
    RUN(large_and_deep_files_are_refused);
    json_decref(config_json);
    json_decref(generation_json);
    asr_tokenizer_destroy(&tokenizer);
    scratch_remove();
    return test_end();
}
