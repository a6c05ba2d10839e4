/* The folder of installed models, and checksums of files in it. */
#include "weights/digest.h"
#include "weights/store.h"

#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

static char store[] = "/tmp/verbatim-test-XXXXXX";

static const char *in_store(const char *relative)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", store, relative);
    return path;
}

static void write_file(const char *relative, const char *text)
{
    FILE *file = fopen(in_store(relative), "w");
    EXPECT(file && fputs(text, file) >= 0);
    if (file) {
        fclose(file);
    }
}

static void make_model(const char *name)
{
    char relative[128];
    EXPECT(mkdir(in_store(name), 0755) == 0);
    snprintf(relative, sizeof relative, "%s/config.json", name);
    write_file(relative, "{}");
    snprintf(relative, sizeof relative, "%s/model-00001-of-00002.safetensors", name);
    write_file(relative, "weights");
}

TEST(names_stay_inside_the_store)
{
    static const char *const bad[] = {"",     ".",   "..",    "../x", "a/b",
                                      "/etc", "-\n", ".part", "a b",  "mod\xc3\xa8le",
                                      "a\\b", "*"};
    char longest[200];
    memset(longest, 'a', sizeof longest);
    longest[128] = '\0';
    EXPECT(asr_store_valid_name(longest));
    longest[128] = 'a';
    longest[129] = '\0';
    EXPECT(!asr_store_valid_name(longest));
    EXPECT(asr_store_valid_name("whisper-large-v3.5_x"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        asr_error error;
        EXPECT(!asr_store_valid_name(bad[i]));
        EXPECT(asr_store_path(store, bad[i], &error) == NULL);
        EXPECT(!asr_store_has(store, bad[i]));
        EXPECT(!asr_store_remove(store, bad[i], &error));
        EXPECT(strstr(error.message, "is not the name of a model") != NULL);
    }
}

TEST(list_shows_complete_models_in_order)
{
    asr_error error;
    size_t count;
    make_model("zebra");
    make_model("ant");
    EXPECT(mkdir(in_store("incomplete"), 0755) == 0);
    write_file("incomplete/config.json", "{}");
    EXPECT(mkdir(in_store(".hidden.part"), 0755) == 0);
    char **names = asr_store_list(store, &count, &error);
    REQUIRE(names);
    EXPECT_INT(count, 2);
    EXPECT_STR(names[0], "ant");
    EXPECT_STR(names[1], "zebra");
    for (size_t i = 0; i < count; i++) {
        free(names[i]);
    }
    free(names);
    EXPECT_INT(asr_store_size(store, "ant"), 9);
    EXPECT(!asr_store_has(store, "incomplete"));
}

TEST(store_that_does_not_exist_is_empty)
{
    asr_error error;
    size_t count = 5;
    char **names = asr_store_list(in_store("nothing"), &count, &error);
    EXPECT(names != NULL);
    EXPECT_INT(count, 0);
    free(names);
    EXPECT(asr_store_list(in_store("ant/config.json"), &count, &error) == NULL);
    EXPECT(strstr(error.message, "cannot be read") != NULL);
}

TEST(removal_takes_everything_and_follows_no_link)
{
    asr_error error;
    make_model("doomed");
    EXPECT(mkdir(in_store("doomed/sub"), 0755) == 0);
    write_file("doomed/sub/file", "x");
    write_file("precious", "x");
    EXPECT(symlink("../ant", in_store("doomed/link")) == 0);
    EXPECT(symlink("../../precious", in_store("doomed/sub/link")) == 0);
    EXPECT(mkdir(in_store(".doomed.part"), 0755) == 0);
    EXPECT(asr_store_remove(store, "doomed", &error));
    EXPECT(access(in_store("doomed"), F_OK) != 0);
    EXPECT(access(in_store(".doomed.part"), F_OK) != 0);
    EXPECT(access(in_store("precious"), F_OK) == 0);
    EXPECT(asr_store_has(store, "ant"));
    EXPECT(!asr_store_remove(store, "doomed", &error));
    EXPECT(strstr(error.message, "doomed is not installed") != NULL);
}

TEST(linked_model_is_unlinked_only)
{
    asr_error error;
    EXPECT(symlink("ant", in_store("linked")) == 0);
    EXPECT(asr_store_has(store, "linked"));
    EXPECT(asr_store_remove(store, "linked", &error));
    EXPECT(!asr_store_has(store, "linked"));
    EXPECT(asr_store_has(store, "ant"));
}

/* Values by sha256sum and git hash-object. */
TEST(checksums)
{
    asr_error error;
    char text[ASR_DIGEST_TEXT];
    write_file("abc", "abc");
    EXPECT(asr_digest_file(in_store("abc"), ASR_DIGEST_SHA256, text, &error));
    EXPECT_STR(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT(asr_digest_file(in_store("abc"), ASR_DIGEST_GIT_BLOB, text, &error));
    EXPECT_STR(text, "f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f");
    write_file("abc", "");
    EXPECT(asr_digest_file(in_store("abc"), ASR_DIGEST_SHA256, text, &error));
    EXPECT_STR(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT(!asr_digest_file(in_store("none"), ASR_DIGEST_SHA256, text, &error));
    EXPECT(strstr(error.message, "none cannot be read") != NULL);
    EXPECT(!asr_digest_file(store, ASR_DIGEST_SHA256, text, &error));
}

int main(void)
{
    asr_error error;
    if (!mkdtemp(store)) {
        return EXIT_FAILURE;
    }
    RUN(names_stay_inside_the_store);
    RUN(list_shows_complete_models_in_order);
    RUN(store_that_does_not_exist_is_empty);
    RUN(removal_takes_everything_and_follows_no_link);
    RUN(linked_model_is_unlinked_only);
    RUN(checksums);
    asr_store_remove("/tmp", store + strlen("/tmp/"), &error);
    return test_end();
}
