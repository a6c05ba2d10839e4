/* Tokenizer files that are damaged, hostile or of another kind: each is refused with one
 * sentence that names the file, or does no harm. */
#include "test.h"
#include "text/tokenizer.h"

#include <unistd.h>

static char folder[] = "/tmp/verbatim-tokenizer-XXXXXX";

static const char *const names[] = {"tokenizer.json",
                                    "vocab.json",
                                    "merges.txt",
                                    "added_tokens.json",
                                    "tokenizer_config.json",
                                    "special_tokens_map.json"};

static void write_file(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (file) {
        fputs(text, file);
        fclose(file);
    }
}

static void clear_folder(void)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[256];
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
}

/* Loads what is in the folder, then empties it. */
static asr_tokenizer *load(asr_error *error)
{
    asr_tokenizer *tokenizer = asr_tokenizer_create(folder, error);
    clear_folder();
    return tokenizer;
}

/* Whether the folder's files are refused with `reason` and one sentence. */
static bool refused(const char *reason)
{
    asr_error error = {""};
    asr_tokenizer *tokenizer = load(&error);
    bool good = !tokenizer && strstr(error.message, reason) &&
                strstr(error.message, folder) && !strchr(error.message, '\n') &&
                error.message[strlen(error.message) - 1] == '.';
    if (!good)
        printf("# expected \"%s\", got \"%s\"\n", reason, error.message);
    asr_tokenizer_destroy(&tokenizer);
    return good;
}

#define VOCAB "{\"a\":0,\"b\":1,\"ab\":2,\"\":3}"
#define CUT "{\"type\":\"ByteLevel\",\"use_regex\":true}"

/* Whether a tokenizer.json of these parts is refused with `reason`. */
static bool refused_parts(const char *pipeline, const char *model, const char *added,
                          const char *reason)
{
    char text[2048];
    snprintf(text, sizeof(text), "{%s,\"model\":{%s},\"added_tokens\":[%s]}", pipeline,
             model, added);
    write_file("tokenizer.json", text);
    return refused(reason);
}

static bool refused_model(const char *model, const char *reason)
{
    return refused_parts("\"pre_tokenizer\":" CUT, model, "", reason);
}

TEST(missing_files)
{
    EXPECT(refused("holds neither tokenizer.json nor vocab.json"));
    write_file("vocab.json", VOCAB);
    EXPECT(refused("merges.txt cannot be opened: No such file"));
    write_file("merges.txt", "a b\n");
    EXPECT(refused("holds neither tokenizer.json nor vocab.json"));
}

TEST(damaged_files)
{
    write_file("tokenizer.json", "");
    EXPECT(refused("tokenizer.json is not valid JSON"));
    write_file("tokenizer.json", "[]");
    EXPECT(refused("tokenizer.json does not hold an object"));
    write_file("tokenizer.json", "{}");
    EXPECT(refused("tokenizer.json asks for a pre-tokenizer"));
    EXPECT(refused_model("\"vocab\":[],\"merges\":[]", "\"vocab\" in "));
    EXPECT(refused_model("\"vocab\":" VOCAB, "lacks \"merges\""));
    EXPECT(refused_model("\"vocab\":{},\"merges\":[]", "has no tokens"));
    write_file("vocab.json", VOCAB);
    write_file("merges.txt", "a b\n");
    write_file("added_tokens.json", "{\"x\":");
    EXPECT(refused("added_tokens.json is not valid JSON"));
}

TEST(ids_out_of_range)
{
    static const char *const ids[] = {
        "-1",  "1048576", "1000000000", "9223372036854775807",
        "1.5", "\"1\"",   "null",       "[]"};
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        char model[256], added[256];
        snprintf(model, sizeof(model), "\"vocab\":{\"a\":%s},\"merges\":[]", ids[i]);
        EXPECT(refused_model(model, "has a token whose id is not a whole number from 0"));
        snprintf(added, sizeof(added), "{\"content\":\"x\",\"id\":%s}", ids[i]);
        EXPECT(refused_parts("\"pre_tokenizer\":" CUT,
                             "\"vocab\":" VOCAB ",\"merges\":[]", added, "\"id\""));
        write_file("vocab.json", VOCAB);
        write_file("merges.txt", "");
        snprintf(added, sizeof(added), "{\"x\":%s}", ids[i]);
        write_file("added_tokens.json", added);
        EXPECT(refused("added_tokens.json has a token whose id"));
    }
    EXPECT(refused_model("\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]",
                         "gives the id 0 to two tokens"));
    EXPECT(refused_parts("\"pre_tokenizer\":" CUT, "\"vocab\":" VOCAB ",\"merges\":[]",
                         "{\"content\":\"x\",\"id\":1}", "gives the id 1 to two tokens"));
    EXPECT(refused_parts("\"pre_tokenizer\":" CUT, "\"vocab\":" VOCAB ",\"merges\":[]",
                         "{\"content\":\"x\",\"id\":9},{\"content\":\"y\",\"id\":9}",
                         "gives the id 9 to two tokens"));
}

TEST(merges_that_make_no_sense)
{
    static const char *const merges[] = {"1",
                                         "\"\"",
                                         "\"ab\"",
                                         "\"a  b\"",
                                         "\"a b b\"",
                                         "\" a\"",
                                         "\"a \"",
                                         "[]",
                                         "[\"a\"]",
                                         "[\"a\",1]",
                                         "[\"a\",\"b\",\"b\"]",
                                         "[\"\",\"a\"]",
                                         "[\"a\",\"\\u4E00\"]",
                                         "{}"};
    for (size_t i = 0; i < sizeof(merges) / sizeof(merges[0]); i++) {
        char model[256];
        snprintf(model, sizeof(model), "\"vocab\":" VOCAB ",\"merges\":[\"a b\",%s]",
                 merges[i]);
        EXPECT(refused_model(model, "Merge 2 of "));
    }
    EXPECT(refused_model("\"vocab\":" VOCAB ",\"merges\":[\"b a\"]",
                         "needs a token that the vocabulary lacks"));
    EXPECT(refused_model("\"vocab\":" VOCAB ",\"merges\":[\"a c\"]", "Merge 1 of "));
    write_file("vocab.json", VOCAB);
    write_file("merges.txt", "#version: 0.2\r\na b\r\n\r\nb\r\n");
    EXPECT(refused("Merge 2 of "));
}

/* A token longer than any model's: in the vocabulary, in a merge, added. */
TEST(endless_tokens)
{
    enum { LENGTH = 9000 };
    static char token[LENGTH + 1], text[3 * LENGTH];
    memset(token, 'a', LENGTH);
    snprintf(text, sizeof(text), "{\"%s\":0}", token);
    write_file("vocab.json", text);
    write_file("merges.txt", "");
    EXPECT(refused("vocab.json has a token of 9000 bytes"));
    write_file("vocab.json", VOCAB);
    snprintf(text, sizeof(text), "%s %s\n", token, token);
    write_file("merges.txt", text);
    EXPECT(refused("Merge 1 of "));
    write_file("vocab.json", VOCAB);
    write_file("merges.txt", "");
    snprintf(text, sizeof(text), "{\"%s\":9}", token);
    write_file("added_tokens.json", text);
    EXPECT(refused("added_tokens.json has a token of 9000 bytes"));
}

TEST(other_kinds_of_tokenizer)
{
    static const char *const models[] = {
        "\"type\":\"Unigram\"", "\"type\":\"WordPiece\"", "\"type\":7",
        "\"continuing_subword_prefix\":\"##\"", "\"end_of_word_suffix\":\"</w>\""};
    for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
        char model[256];
        snprintf(model, sizeof(model), "%s,\"vocab\":" VOCAB ",\"merges\":[]", models[i]);
        EXPECT(refused_model(model, "tokenizer.json"));
    }
    static const char *const pipelines[] = {
        "\"pre_tokenizer\":null",
        "\"pre_tokenizer\":{\"type\":\"Metaspace\"}",
        "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"use_regex\":false}",
        "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[" CUT "," CUT "]}",
        "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[]}",
        "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[7]}",
        "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\" \"},"
        "\"behavior\":\"Isolated\"}",
        "\"normalizer\":{\"type\":\"Lowercase\"},\"pre_tokenizer\":" CUT,
        "\"normalizer\":7,\"pre_tokenizer\":" CUT,
    };
    for (size_t i = 0; i < sizeof(pipelines) / sizeof(pipelines[0]); i++)
        EXPECT(refused_parts(pipelines[i], "\"vocab\":" VOCAB ",\"merges\":[]", "",
                             "tokenizer.json"));
}

static bool encodes(const asr_tokenizer *tokenizer, const char *text, const int *expected,
                    size_t n)
{
    size_t count = 0;
    int *ids = asr_tokenizer_encode(tokenizer, text, strlen(text), true, &count, NULL);
    bool same = ids && count == n && memcmp(ids, expected, n * sizeof(*ids)) == 0;
    for (size_t i = 0; !same && ids && i < count; i++)
        printf("# id %d\n", ids[i]);
    free(ids);
    return same;
}

/* What the tokenizers library accepts as well: bytes without a token are left out, a
 * token in no alphabet is never met, a merge given twice counts last. */
TEST(odd_but_harmless)
{
    asr_error error = {""};
    size_t length = 0;
    write_file("tokenizer.json",
               "{\"pre_tokenizer\":" CUT ",\"normalizer\":{\"type\":\"Sequence\","
               "\"normalizers\":[{\"type\":\"NFC\"}]},\"model\":{\"vocab\":{\"a\":0,"
               "\"b\":1,\"ab\":2,\"\":3,\"\\u4F60\":4,\"ba\":1048575},"
               "\"merges\":[\"a b\",\"b a\",\"a b\"]},\"added_tokens\":["
               "{\"content\":\"\",\"id\":7},{\"content\":\"ab\",\"id\":9},"
               "{\"content\":\"<x>\",\"id\":8,\"special\":true},"
               "{\"content\":\"<x>\",\"id\":10}]}");
    asr_tokenizer *tokenizer = load(&error);
    REQUIRE(tokenizer);
    EXPECT_INT(asr_tokenizer_size(tokenizer), 1048576);
    EXPECT(encodes(tokenizer, "bba", (int[]){1, 1048575}, 2));
    EXPECT(encodes(tokenizer, "zab\u4F60a", (int[]){2, 0}, 2));
    EXPECT(encodes(tokenizer, "<x>b", (int[]){8, 1}, 2));
    EXPECT(encodes(tokenizer, "xyz", (int[]){0}, 0));
    EXPECT_INT(asr_tokenizer_id(tokenizer, "ab"), 2);
    const char *bytes = asr_tokenizer_bytes(tokenizer, 4, &length);
    EXPECT(length == 3 && memcmp(bytes, "\u4F60", 3) == 0);
    EXPECT(asr_tokenizer_bytes(tokenizer, 3, &length) && length == 0);
    EXPECT(!asr_tokenizer_bytes(tokenizer, 9, &length));
    asr_tokenizer_destroy(&tokenizer);
}

/* Without tokenizer.json: a vocabulary in which two digits stand together was cut as
 * GPT-2 does, another as Qwen does; a class in the configuration decides first. */
TEST(infers_how_text_is_cut)
{
    static const char digits[] = "{\"1\":0,\"2\":1,\"12\":2}";
    asr_error error = {""};
    write_file("vocab.json", digits);
    write_file("merges.txt", "1 2");
    asr_tokenizer *tokenizer = load(&error);
    REQUIRE(tokenizer);
    EXPECT(encodes(tokenizer, "12", (int[]){2}, 1));
    asr_tokenizer_destroy(&tokenizer);

    write_file("vocab.json", digits);
    write_file("merges.txt", "1 2");
    write_file("tokenizer_config.json", "{\"tokenizer_class\":\"Qwen2TokenizerFast\"}");
    tokenizer = load(&error);
    REQUIRE(tokenizer);
    EXPECT(encodes(tokenizer, "12", (int[]){0, 1}, 2));
    asr_tokenizer_destroy(&tokenizer);
}

/* Special tokens by every road; those that the vocabulary lacks are passed over. */
TEST(special_tokens_of_all_files)
{
    asr_error error = {""};
    write_file("vocab.json", "{\"a\":0,\"<e>\":1,\"<\":2}");
    write_file("merges.txt", "");
    write_file("added_tokens.json", "{\"<x>\":5,\"<y>\":6}");
    write_file("tokenizer_config.json",
               "{\"add_prefix_space\":false,\"eos_token\":{\"content\":\"<e>\"},"
               "\"added_tokens_decoder\":{\"7\":{\"content\":\"<z>\",\"rstrip\":true}}}");
    write_file("special_tokens_map.json",
               "{\"additional_special_tokens\":[\"<x>\",7,{\"content\":\"<z>\"}],"
               "\"pad_token\":\"<none>\",\"bos_token\":null}");
    asr_tokenizer *tokenizer = load(&error);
    REQUIRE(tokenizer);
    EXPECT(encodes(tokenizer, "<e>a<x><y><z>  a", (int[]){1, 0, 5, 6, 7, 0}, 6));
    EXPECT(asr_tokenizer_is_special(tokenizer, 1));
    EXPECT(asr_tokenizer_is_special(tokenizer, 5));
    EXPECT(!asr_tokenizer_is_special(tokenizer, 6));
    EXPECT(asr_tokenizer_is_special(tokenizer, 7));
    EXPECT(!asr_tokenizer_is_special(tokenizer, 2));
    EXPECT_INT(asr_tokenizer_id(tokenizer, "<none>"), -1);
    asr_tokenizer_destroy(&tokenizer);

    write_file("vocab.json", VOCAB);
    write_file("merges.txt", "");
    write_file("tokenizer_config.json",
               "{\"added_tokens_decoder\":{\"7x\":{\"content\":\"<z>\"}}}");
    EXPECT(refused("tokenizer_config.json has a token whose id"));
}

int main(void)
{
    if (!mkdtemp(folder)) {
        printf("Bail out! No folder for files: %s\n", folder);
        return 1;
    }
    RUN(missing_files);
    RUN(damaged_files);
    RUN(ids_out_of_range);
    RUN(merges_that_make_no_sense);
    RUN(endless_tokens);
    RUN(other_kinds_of_tokenizer);
    RUN(odd_but_harmless);
    RUN(infers_how_text_is_cut);
    RUN(special_tokens_of_all_files);
    rmdir(folder);
    return test_end();
}
