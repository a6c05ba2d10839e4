/* Tokenizers against the tokenizers library: the fixtures that
 * tests/reference/make_tokenizer.py wrote, in every layout of files, and Qwen3's
 * vocabulary where the checkout has a shared folder beside it. */
#include "test.h"
#include "text/json.h"
#include "text/tokenizer.h"

/* Loads fixtures/tokenizer/NAME. */
static asr_tokenizer *load(const char *name)
{
    asr_error error = {""};
    char path[4096];
    snprintf(path, sizeof(path), "%s/tokenizer/%s", getenv("VERBATIM_TEST_DATA"), name);
    asr_tokenizer *tokenizer = asr_tokenizer_create(path, &error);
    if (!tokenizer)
        printf("# %s\n", error.message);
    return tokenizer;
}

/* The rows of fixtures/tokenizer/NAME. */
static json_t *load_rows(const char *name)
{
    asr_error error = {""};
    char path[4096];
    snprintf(path, sizeof(path), "%s/tokenizer/%s", getenv("VERBATIM_TEST_DATA"), name);
    return asr_json_read(path, ASR_JSON_TOKENIZER_BYTES, &error);
}

static bool encodes_to(const asr_tokenizer *tokenizer, const json_t *text, bool parse,
                       const json_t *expected)
{
    size_t count = 0;
    int *ids = asr_tokenizer_encode(tokenizer, json_string_value(text),
                                    json_string_length(text), parse, &count, NULL);
    bool same = ids && count == json_array_size(expected);
    for (size_t i = 0; same && i < count; i++)
        same = ids[i] == json_integer_value(json_array_get(expected, i));
    free(ids);
    return same;
}

/* Checks the rows of encode.json, whose ids for this tokenizer begin at `column`. */
static void check_encoding(const char *name, size_t column)
{
    size_t i;
    json_t *row, *rows = load_rows("encode.json");
    asr_tokenizer *tokenizer = load(name);
    REQUIRE(rows && tokenizer);
    EXPECT(json_array_size(rows) > 200);
    json_array_foreach(rows, i, row)
    {
        const json_t *text = json_array_get(row, 0);
        const json_t *parsed = json_array_get(row, column);
        const json_t *plain = json_array_get(row, column + 1);
        bool same =
            encodes_to(tokenizer, text, true, parsed) &&
            encodes_to(tokenizer, text, false, json_is_null(plain) ? parsed : plain);
        if (!same)
            printf("# %s, row %zu: %s\n", name, i, json_string_value(text));
        EXPECT(same);
    }
    asr_tokenizer_destroy(&tokenizer);
    json_decref(rows);
}

TEST(encodes_gpt2)
{
    check_encoding("gpt2", 1);
}

TEST(encodes_gpt2_files)
{
    check_encoding("gpt2-files", 1);
}

TEST(encodes_qwen)
{
    check_encoding("qwen", 3);
}

TEST(encodes_qwen_files)
{
    check_encoding("qwen-files", 3);
}

/* The ids of `row`, owned by the caller. */
static int *read_ids(const json_t *row, size_t *count)
{
    *count = json_array_size(row);
    int *ids = malloc((*count + 1) * sizeof(*ids));
    for (size_t i = 0; ids && i < *count; i++)
        ids[i] = (int)json_integer_value(json_array_get(row, i));
    return ids;
}

static bool decodes_to(const asr_tokenizer *tokenizer, const int *ids, size_t count,
                       bool skip_special, const char *expected)
{
    size_t length = 0;
    char *text = asr_tokenizer_decode(tokenizer, ids, count, skip_special, &length, NULL);
    bool same = text && strcmp(text, expected) == 0 && length == strlen(expected);
    free(text);
    return same;
}

/* The same through a stream, which must never give out part of a character. */
static bool streams_to(const asr_tokenizer *tokenizer, const int *ids, size_t count,
                       bool skip_special, const char *expected)
{
    bool same = true;
    asr_token_stream *stream = asr_token_stream_create(tokenizer, skip_special, NULL);
    for (size_t i = 0; stream && same && i <= count; i++) {
        const char *text = i < count ? asr_token_stream_push(stream, ids[i], NULL)
                                     : asr_token_stream_finish(stream, NULL);
        same = text && strncmp(expected, text, strlen(text)) == 0;
        expected += same ? strlen(text) : 0;
    }
    same = stream && same && *expected == '\0';
    asr_token_stream_destroy(&stream);
    return same;
}

static void check_decoding(const char *name, size_t column)
{
    size_t i, count;
    json_t *row, *rows = load_rows("decode.json");
    asr_tokenizer *tokenizer = load(name);
    REQUIRE(rows && tokenizer);
    EXPECT(json_array_size(rows) > 40);
    json_array_foreach(rows, i, row)
    {
        int *ids = read_ids(json_array_get(row, 0), &count);
        REQUIRE(ids);
        for (int skip = 0; skip < 2; skip++) {
            const char *expected =
                json_string_value(json_array_get(row, column + (size_t)skip));
            EXPECT(decodes_to(tokenizer, ids, count, skip, expected));
            EXPECT(streams_to(tokenizer, ids, count, skip, expected));
        }
        free(ids);
    }
    asr_tokenizer_destroy(&tokenizer);
    json_decref(rows);
}

TEST(decodes_gpt2)
{
    check_decoding("gpt2", 1);
    check_decoding("gpt2-files", 1);
}

TEST(decodes_qwen)
{
    check_decoding("qwen", 3);
    check_decoding("qwen-files", 3);
}

TEST(withholds_partial_characters)
{
    asr_tokenizer *tokenizer = load("gpt2");
    REQUIRE(tokenizer);
    int bytes[4];
    for (int i = 0; i < 4; i++) {
        const char content[2] = {"\xF0\x9F\x98\x80"[i], '\0'};
        bytes[i] = asr_tokenizer_id(tokenizer, content);
        EXPECT(bytes[i] >= 0);
    }
    asr_token_stream *stream = asr_token_stream_create(tokenizer, true, NULL);
    REQUIRE(stream);
    int end = asr_tokenizer_id(tokenizer, "<|endoftext|>");
    EXPECT_STR(asr_token_stream_finish(stream, NULL), "");
    EXPECT_STR(asr_token_stream_push(stream, bytes[0], NULL), "");
    EXPECT_STR(asr_token_stream_push(stream, bytes[1], NULL), "");
    EXPECT_STR(asr_token_stream_push(stream, end, NULL), "");
    EXPECT_STR(asr_token_stream_push(stream, bytes[2], NULL), "");
    EXPECT_STR(asr_token_stream_push(stream, bytes[3], NULL), "😀");
    EXPECT_STR(asr_token_stream_push(stream, bytes[0], NULL), "");
    EXPECT_STR(asr_token_stream_push(stream, bytes[0], NULL), "\uFFFD");
    EXPECT_STR(asr_token_stream_finish(stream, NULL), "\uFFFD");
    EXPECT_STR(asr_token_stream_finish(stream, NULL), "");
    asr_token_stream_destroy(&stream);
    EXPECT(!stream);
    asr_tokenizer_destroy(&tokenizer);
}

TEST(looks_tokens_up)
{
    asr_tokenizer *tokenizer = load("gpt2");
    REQUIRE(tokenizer);
    size_t length = 0;
    int start = asr_tokenizer_id(tokenizer, "<|startoftranscript|>");
    EXPECT_INT(start, 600);
    EXPECT_INT(asr_tokenizer_size(tokenizer), 604);
    EXPECT_INT(asr_tokenizer_id(tokenizer, "<|endoftext|>"), 0);
    EXPECT_INT(asr_tokenizer_id(tokenizer, "<|0.00|>"), -1);
    EXPECT_INT(asr_tokenizer_id(tokenizer, ""), -1);
    int word = asr_tokenizer_id(tokenizer, " a");
    const char *bytes = asr_tokenizer_bytes(tokenizer, word, &length);
    EXPECT(word > 256 && length == 2 && memcmp(bytes, " a", 2) == 0);
    bytes = asr_tokenizer_bytes(tokenizer, start, &length);
    EXPECT(length == 21 && memcmp(bytes, "<|startoftranscript|>", 21) == 0);
    EXPECT(!asr_tokenizer_bytes(tokenizer, 604, &length) && length == 0);
    EXPECT(!asr_tokenizer_bytes(tokenizer, -1, &length));
    EXPECT(asr_tokenizer_is_special(tokenizer, start));
    EXPECT(asr_tokenizer_is_special(tokenizer, 0));
    EXPECT(!asr_tokenizer_is_special(tokenizer, word));
    EXPECT(!asr_tokenizer_is_special(tokenizer, asr_tokenizer_id(tokenizer, "<|e")));
    EXPECT(!asr_tokenizer_is_special(tokenizer, -1));
    EXPECT(!asr_tokenizer_is_special(tokenizer, 1 << 30));
    asr_tokenizer_destroy(&tokenizer);
    EXPECT(!tokenizer);
    asr_tokenizer_destroy(&tokenizer);
}

TEST(reads_ill_formed_text_as_replacement_characters)
{
    asr_tokenizer *tokenizer = load("qwen");
    REQUIRE(tokenizer);
    static const char text[] = "a\0b\xE2\x82 <|im_end|>\xFF";
    size_t count = 0, length = 0;
    int *ids =
        asr_tokenizer_encode(tokenizer, text, sizeof(text) - 1, true, &count, NULL);
    REQUIRE(ids);
    char *decoded = asr_tokenizer_decode(tokenizer, ids, count, true, &length, NULL);
    REQUIRE(decoded);
    EXPECT_INT(length, 10);
    EXPECT(memcmp(decoded, "a\0b\uFFFD \uFFFD", 11) == 0);
    free(decoded);
    free(ids);
    asr_tokenizer_destroy(&tokenizer);
}

TEST(refuses_text_beyond_any_prompt)
{
    asr_error error = {""};
    asr_tokenizer *tokenizer = load("gpt2");
    size_t count = 9, length = ((size_t)4 << 20) + 1;
    char *text = calloc(length, 1);
    REQUIRE(tokenizer && text);
    EXPECT(!asr_tokenizer_encode(tokenizer, text, length, true, &count, &error));
    EXPECT_INT(count, 0);
    EXPECT(strstr(error.message, "The text is longer than 4194304 bytes"));
    free(text);
    asr_tokenizer_destroy(&tokenizer);
}

/* Expected ids: the tokenizers library with transformers' Qwen2Tokenizer. */
TEST(encodes_qwen3)
{
    static const struct {
        const char *text;
        int ids[4], count;
    } cases[] = {
        {"Hello world", {9707, 1879}, 2},
        {"你好，世界！", {108386, 3837, 99489, 6313}, 4},
    };
    char path[4096];
    snprintf(path, sizeof(path), "%s/../../../shared/tokenizers/qwen3",
             getenv("VERBATIM_TEST_DATA"));
    asr_tokenizer *tokenizer = asr_tokenizer_create(path, NULL);
    if (!tokenizer)
        SKIP("no shared/tokenizers/qwen3 beside the checkout");
    EXPECT_INT(asr_tokenizer_size(tokenizer), 151643);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t count = 0;
        int *ids = asr_tokenizer_encode(tokenizer, cases[i].text, strlen(cases[i].text),
                                        true, &count, NULL);
        REQUIRE(ids);
        EXPECT_INT(count, cases[i].count);
        EXPECT(memcmp(ids, cases[i].ids, count * sizeof(*ids)) == 0);
        free(ids);
    }
    asr_tokenizer_destroy(&tokenizer);
}

/* Every text of the fixtures comes back as it was, but for NFC, through Qwen3's ids. */
TEST(round_trips_through_qwen3)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/../../../shared/tokenizers/qwen3",
             getenv("VERBATIM_TEST_DATA"));
    asr_tokenizer *tokenizer = asr_tokenizer_create(path, NULL);
    if (!tokenizer)
        SKIP("no shared/tokenizers/qwen3 beside the checkout");
    size_t i, count, again;
    json_t *row, *rows = load_rows("encode.json");
    json_array_foreach(rows, i, row)
    {
        const json_t *text = json_array_get(row, 0);
        int *ids = asr_tokenizer_encode(tokenizer, json_string_value(text),
                                        json_string_length(text), true, &count, NULL);
        REQUIRE(ids);
        char *decoded = asr_tokenizer_decode(tokenizer, ids, count, false, NULL, NULL);
        REQUIRE(decoded);
        int *second =
            asr_tokenizer_encode(tokenizer, decoded, strlen(decoded), true, &again, NULL);
        EXPECT(second && again == count && !memcmp(ids, second, count * sizeof(*ids)));
        EXPECT(!strstr(decoded, "\uFFFD"));
        EXPECT(streams_to(tokenizer, ids, count, false, decoded));
        free(second);
        free(decoded);
        free(ids);
    }
    json_decref(rows);
    asr_tokenizer_destroy(&tokenizer);
}

int main(void)
{
    RUN(encodes_gpt2);
    RUN(encodes_gpt2_files);
    RUN(encodes_qwen);
    RUN(encodes_qwen_files);
    RUN(decodes_gpt2);
    RUN(decodes_qwen);
    RUN(withholds_partial_characters);
    RUN(looks_tokens_up);
    RUN(reads_ill_formed_text_as_replacement_characters);
    RUN(refuses_text_beyond_any_prompt);
    RUN(encodes_qwen3);
    RUN(round_trips_through_qwen3);
    return test_end();
}
