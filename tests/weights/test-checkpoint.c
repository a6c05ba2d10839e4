/* Checkpoints of one file and of many, and indexes that lead astray. */
#include "weights/checkpoint.h"

#include "scratch.h"
#include "tensor-file.h"
#include "test.h"

#define INDEX "model.safetensors.index.json"

static const float one[] = {1, 2, 3}, two[] = {4, 5};

static const tensor_of first[] = {{{"a", ASR_F32, 1, {3}}, one}};
static const tensor_of second[] = {{{"b", ASR_F32, 1, {2}}, two}};

/* Whether the checkpoint is refused with a sentence that names `file` and says `what`. */
static bool refused(const char *directory, const char *file, const char *what)
{
    asr_error error = {""};
    asr_checkpoint *checkpoint =
        asr_checkpoint_open(scratch_path("%s", directory), &error);
    bool ok = !checkpoint && strstr(error.message, directory) &&
              strstr(error.message, file) && strstr(error.message, what) &&
              !strpbrk(error.message, "\n\r\033");
    if (!ok)
        printf("# %s: %s\n", checkpoint ? "opened" : "refused", error.message);
    asr_checkpoint_destroy(&checkpoint);
    return ok;
}

static void write_index(const char *directory, const char *text)
{
    char name[128];
    snprintf(name, sizeof(name), "%s/%s", directory, INDEX);
    scratch_text(name, text);
}

static bool index_refused(const char *text, const char *what)
{
    write_index("astray", text);
    bool ok = refused("astray", INDEX, what);
    if (!ok)
        printf("# index: %.200s\n", text);
    return ok;
}

static void expect_value(const asr_checkpoint *checkpoint, const char *name, float value)
{
    const asr_stored_tensor *tensor = asr_checkpoint_find(checkpoint, name);
    REQUIRE(tensor);
    EXPECT_NEAR(((const float *)tensor->data)[0], value, 0);
}

TEST(one_file)
{
    asr_error error;
    write_tensors("single/model.safetensors", first, 1);
    asr_checkpoint *checkpoint = asr_checkpoint_open(scratch_path("single"), &error);
    REQUIRE(checkpoint);
    expect_value(checkpoint, "a", 1);
    EXPECT(asr_checkpoint_find(checkpoint, "b") == NULL);
    asr_checkpoint_release_pages(checkpoint);
    expect_value(checkpoint, "a", 1);
    asr_checkpoint_destroy(&checkpoint);
    EXPECT(checkpoint == NULL);
    asr_checkpoint_destroy(&checkpoint);
}

/* A file beside the index that it does not name is left alone. */
TEST(shards_of_an_index)
{
    asr_error error;
    write_tensors("shards/x-1.safetensors", first, 1);
    write_tensors("shards/x-2.safetensors", second, 1);
    scratch_text("shards/model.safetensors", "not read");
    write_index("shards", "{\"weight_map\":{\"a\":\"x-1.safetensors\",\"more\":"
                          "\"x-1.safetensors\",\"b\":\"x-2.safetensors\"}}");
    asr_checkpoint *checkpoint = asr_checkpoint_open(scratch_path("shards"), &error);
    REQUIRE(checkpoint);
    expect_value(checkpoint, "a", 1);
    expect_value(checkpoint, "b", 4);
    EXPECT(asr_checkpoint_find(checkpoint, "more") == NULL);
    asr_checkpoint_destroy(&checkpoint);
}

TEST(missing_files_are_named)
{
    EXPECT(refused("nothing", "model.safetensors", "cannot be opened"));
    scratch_text("empty/README", "");
    EXPECT(refused("empty", "model.safetensors", "cannot be opened"));
    EXPECT(remove(scratch_path("shards/x-2.safetensors")) == 0);
    EXPECT(refused("shards", "x-2.safetensors", "cannot be opened"));
    scratch_text("shards/x-2.safetensors", "{}");
    EXPECT(refused("shards", "x-2.safetensors", "is damaged"));
}

TEST(indexes_stay_in_their_folder)
{
    static const char *const bad[] = {
        "../../../etc/passwd", "/etc/passwd", "sub/x", "./x", "a\\nb", "a\\u001b[2J",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[128];
        snprintf(text, sizeof(text), "{\"weight_map\":{\"a\":\"%s\"}}", bad[i]);
        EXPECT(index_refused(text, "outside the folder"));
    }
    static const char *const folders[] = {"", ".", ".."};
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        char text[128];
        snprintf(text, sizeof(text), "{\"weight_map\":{\"a\":\"%s\"}}", folders[i]);
        write_index("astray", text);
        EXPECT(refused("astray", "", "is damaged (it is no safetensors file)"));
    }
}

TEST(nonsense_indexes_are_refused)
{
    static const char *const none[] = {
        "{}",
        "[]",
        "{\"weight_map\":{}}",
        "{\"weight_map\":[]}",
        "{\"weight_map\":1}",
        "{\"metadata\":{}}",
    };
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        EXPECT(index_refused(none[i], "names no weights"));
    static const char *const types[] = {"1", "null", "{\"a\":\"b\"}", "[\"x\"]"};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        char text[64];
        snprintf(text, sizeof(text), "{\"weight_map\":{\"a\":%s}}", types[i]);
        EXPECT(index_refused(text, "outside the folder"));
    }
    EXPECT(index_refused("", "not valid JSON"));
    EXPECT(index_refused("{\"weight_map\":{\"a\":\"x\"}", "not valid JSON"));
    EXPECT(index_refused("\xff\xfe", "not valid JSON"));
    /* An index that names itself comes to an end. */
    EXPECT(index_refused("{\"weight_map\":{\"a\":\"" INDEX "\"}}", "is damaged"));
}

TEST(index_bombs_are_refused)
{
    enum { DEPTH = 1000000 };
    char *text = malloc(DEPTH + 32);
    REQUIRE(text);
    int n = sprintf(text, "{\"weight_map\":");
    memset(text + n, '[', DEPTH);
    text[n + DEPTH] = '\0';
    EXPECT(index_refused(text, "deeper nesting"));
    free(text);
}

TEST(an_index_that_is_no_file_is_refused)
{
    scratch_text("folder-index/" INDEX "/x", "");
    EXPECT(refused("folder-index", INDEX, "not a regular file"));
    scratch_text("pipe-index/x", "");
    EXPECT(mkfifo(scratch_path("pipe-index/" INDEX), 0600) == 0);
    EXPECT(refused("pipe-index", INDEX, "not a regular file"));
}

/* An index of n shards: links to one file, or names of none. */
static void write_many(const char *directory, int n, bool exist)
{
    char *text = malloc((size_t)n * 64 + 64), name[128], shard[32];
    scratch_check(text != NULL, "malloc");
    int at = sprintf(text, "{\"weight_map\":{");
    for (int i = 0; i < n; i++) {
        snprintf(shard, sizeof(shard), "s%05d", i);
        at += sprintf(text + at, "%s\"t%d\":\"%s\"", i ? "," : "", i, shard);
        snprintf(name, sizeof(name), "%s/%s", directory, shard);
        if (exist)
            scratch_check(symlink("real", scratch_path("%s", name)) == 0, name);
    }
    strcpy(text + at, "}}");
    write_index(directory, text);
    free(text);
}

TEST(many_shards)
{
    asr_error error;
    write_tensors("most/real", first, 1);
    write_many("most", 256, true);
    asr_checkpoint *checkpoint = asr_checkpoint_open(scratch_path("most"), &error);
    EXPECT(checkpoint != NULL);
    asr_checkpoint_destroy(&checkpoint);
    write_tensors("over/real", first, 1);
    write_many("over", 257, true);
    EXPECT(refused("over", "over", "more than 256"));
    write_tensors("missing/real", first, 1);
    write_many("missing", 10000, false);
    EXPECT(refused("missing", "/s0", "cannot be opened"));
}

/* The fingerprint of a directory's checkpoint. */
static const char *fingerprint(const char *directory)
{
    static char text[4][33];
    static int next;
    char *result = text[next++ % 4];
    asr_error error = {""};
    asr_checkpoint *checkpoint =
        asr_checkpoint_open(scratch_path("%s", directory), &error);
    if (!checkpoint || !asr_checkpoint_fingerprint(checkpoint, result, &error)) {
        printf("# %s\n", error.message);
        strcpy(result, "");
    }
    asr_checkpoint_destroy(&checkpoint);
    return result;
}

TEST(fingerprints_tell_checkpoints_apart)
{
    enum { LARGE = 1 << 20 };
    float *values = calloc(LARGE, sizeof(*values));
    REQUIRE(values);
    tensor_of large[] = {{{"a", ASR_F32, 1, {LARGE}}, values}};
    write_tensors("print/model.safetensors", large, 1);
    char before[33];
    strcpy(before, fingerprint("print"));
    EXPECT_INT(strlen(before), 32);
    EXPECT_INT(strspn(before, "0123456789abcdef"), 32);
    EXPECT_STR(fingerprint("print"), before);
    /* Near the beginning, and in pages that are sampled. */
    static const size_t changed[] = {10, 65600, 65536 + 262144};
    for (size_t i = 0; i < sizeof(changed) / sizeof(changed[0]); i++) {
        values[changed[i]] = 1;
        write_tensors("print/model.safetensors", large, 1);
        EXPECT(strcmp(fingerprint("print"), before) != 0);
        values[changed[i]] = 0;
    }
    large[0].spec.dims[0] = LARGE - 1;
    write_tensors("print/model.safetensors", large, 1);
    EXPECT(strcmp(fingerprint("print"), before) != 0);
    large[0].spec.dims[0] = LARGE;
    large[0].spec.name = "b";
    write_tensors("print/model.safetensors", large, 1);
    EXPECT(strcmp(fingerprint("print"), before) != 0);
    large[0].spec.name = "a";
    write_tensors("print/model.safetensors", large, 1);
    EXPECT_STR(fingerprint("print"), before);
    free(values);
}

int main(void)
{
    RUN(one_file);
    RUN(shards_of_an_index);
    RUN(missing_files_are_named);
    RUN(indexes_stay_in_their_folder);
    RUN(nonsense_indexes_are_refused);
    RUN(index_bombs_are_refused);
    RUN(an_index_that_is_no_file_is_refused);
    RUN(many_shards);
    RUN(fingerprints_tell_checkpoints_apart);
    scratch_remove();
    return test_end();
}
