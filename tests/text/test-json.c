/* JSON: the typed getters, their messages, and files that are not what they should be. */
#include "test.h"
#include "text/json.h"
#include "text/textfile.h"

#include <sys/stat.h>
#include <unistd.h>

static const char sample[] =
    "{\"d_model\": 512, \"rate\": 0.5, \"whole\": 3, \"tied\": true, \"name\": "
    "\"caf\\u00e9\","
    " \"nothing\": null, \"heads\": [1, 2, 3], \"empty\": [], \"mixed\": [1, \"2\"],"
    " \"inner\": {\"depth\": 4}, \"huge\": 9223372036854775807}";

/* The sample, parsed; the caller gives it back with json_decref(json.value). */
static asr_json parse_sample(void)
{
    asr_error error = {""};
    return (asr_json){asr_json_parse(sample, strlen(sample), "config.json", &error),
                      "config.json"};
}

TEST(reads_whole_numbers)
{
    asr_json json = parse_sample();
    asr_error error = {""};
    int out = -1;
    EXPECT(asr_json_int(&json, "d_model", 1, 512, &out, &error));
    EXPECT_INT(out, 512);
    EXPECT(!asr_json_int(&json, "d_model", 1, 511, &out, &error));
    EXPECT_STR(
        error.message,
        "\"d_model\" in config.json is 512, but must be from 1 to 511; the file may "
        "be damaged: download the model again.");
    EXPECT(!asr_json_int(&json, "huge", 0, 100, &out, &error));
    EXPECT(!asr_json_int(&json, "rate", 0, 100, &out, &error));
    EXPECT_STR(error.message,
               "\"rate\" in config.json is not a whole number; the file may "
               "be damaged: download the model again.");
    EXPECT(!asr_json_int(&json, "absent", 0, 100, &out, &error));
    EXPECT_STR(error.message, "config.json lacks \"absent\"; the file may be damaged: "
                              "download the model again.");
    EXPECT_INT(out, 512);
    json_decref(json.value);
}

TEST(falls_back_only_where_nothing_is_said)
{
    asr_json json = parse_sample();
    int whole = 0;
    double number = 0;
    bool flag = true;
    const char *string = NULL;
    EXPECT(asr_json_int_or(&json, "absent", 0, 9, 7, &whole, NULL) && whole == 7);
    EXPECT(asr_json_int_or(&json, "nothing", 0, 9, 8, &whole, NULL) && whole == 8);
    EXPECT(!asr_json_int_or(&json, "name", 0, 9, 7, &whole, NULL));
    EXPECT(asr_json_number_or(&json, "absent", 0, 1, 0.25, &number, NULL));
    EXPECT_NEAR(number, 0.25, 0);
    EXPECT(!asr_json_number_or(&json, "tied", 0, 1, 0.25, &number, NULL));
    EXPECT(asr_json_bool_or(&json, "absent", false, &flag, NULL) && !flag);
    EXPECT(!asr_json_bool_or(&json, "whole", false, &flag, NULL));
    EXPECT(asr_json_string_or(&json, "nothing", "gelu", &string, NULL));
    EXPECT_STR(string, "gelu");
    EXPECT(!asr_json_string_or(&json, "whole", "gelu", &string, NULL));
    EXPECT(!asr_json_has(&json, "nothing") && asr_json_has(&json, "tied"));
    json_decref(json.value);
}

TEST(reads_other_types)
{
    asr_json json = parse_sample(), inner, list;
    double number = 0;
    bool flag = false;
    const char *string = NULL;
    int depth = 0;
    EXPECT(asr_json_number(&json, "rate", 0, 1, &number, NULL));
    EXPECT_NEAR(number, 0.5, 0);
    EXPECT(asr_json_number(&json, "whole", 0, 3, &number, NULL));
    EXPECT_NEAR(number, 3, 0);
    EXPECT(!asr_json_number(&json, "whole", 0, 2, &number, NULL));
    EXPECT(asr_json_bool(&json, "tied", &flag, NULL) && flag);
    EXPECT(asr_json_string(&json, "name", &string, NULL));
    EXPECT_STR(string, "café");
    EXPECT(asr_json_object(&json, "inner", &inner, NULL) &&
           asr_json_int(&inner, "depth", 0, 9, &depth, NULL) && depth == 4);
    EXPECT(!asr_json_object(&json, "heads", &inner, NULL));
    EXPECT(asr_json_array(&json, "heads", &list, NULL) &&
           json_array_size(list.value) == 3);
    EXPECT(!asr_json_array(&json, "inner", &list, NULL));
    json_decref(json.value);
}

TEST(reads_lists_of_whole_numbers)
{
    asr_json json = parse_sample();
    asr_error error = {""};
    int *numbers = NULL;
    size_t count = 9;
    REQUIRE(asr_json_ints(&json, "heads", 1, 3, 3, &numbers, &count, &error));
    EXPECT(count == 3 && numbers[0] == 1 && numbers[2] == 3);
    free(numbers);
    numbers = NULL;
    REQUIRE(asr_json_ints(&json, "empty", 1, 3, 3, &numbers, &count, &error));
    EXPECT(count == 0 && numbers);
    free(numbers);
    EXPECT(!asr_json_ints(&json, "heads", 1, 3, 2, &numbers, &count, &error));
    EXPECT(!asr_json_ints(&json, "heads", 1, 2, 3, &numbers, &count, &error));
    EXPECT_STR(error.message, "Entry 3 of \"heads\" in config.json is not a whole number "
                              "from 1 to 2; the file may be damaged: download the model "
                              "again.");
    EXPECT(!asr_json_ints(&json, "mixed", 1, 3, 3, &numbers, &count, &error));
    EXPECT(!asr_json_ints(&json, "rate", 1, 3, 3, &numbers, &count, &error));
    json_decref(json.value);
}

/* Whether parsing `unit`, repeated and put between `before` and `after`, is refused. */
static bool refuses(const char *before, const char *unit, size_t times, const char *after)
{
    asr_error error = {""};
    size_t n = strlen(unit), length = 0;
    char *text = malloc(strlen(before) + n * times + strlen(after) + 1);
    if (!text)
        return false;
    length += (size_t)sprintf(text, "%s", before);
    for (size_t i = 0; i < times; i++, length += n)
        memcpy(text + length, unit, n);
    length += (size_t)sprintf(text + length, "%s", after);
    json_t *root = asr_json_parse(text, length, "f.json", &error);
    json_decref(root);
    free(text);
    return !root && strstr(error.message, "f.json");
}

TEST(refuses_what_would_take_too_much)
{
    EXPECT(!refuses("[", "[", 63,
                    "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
                    "]]]]]]]]"));
    EXPECT(refuses("", "[", 65, ""));
    EXPECT(refuses("", "{\"a\":", 100000, ""));
    EXPECT(refuses("[", "[],", 1100000, "[]]"));
    EXPECT(refuses("[", "0,", 4300000, "0]"));
    EXPECT(!refuses("[\"", "[[[{,,,\\\"", 100000, "\"]"));
}

TEST(refuses_what_is_not_json)
{
    static const char *const texts[] = {"",
                                        " ",
                                        "{",
                                        "[1,]",
                                        "{\"a\" 1}",
                                        "]]]]",
                                        "nul",
                                        "\"text\"",
                                        "[1] 2",
                                        "[1e999]",
                                        "[\"\\u0000\"]",
                                        "[\"\xFF\"]",
                                        "[99999999999999999999]",
                                        "{\"a\":\x1B[31m}"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        asr_error error = {""};
        json_t *root = asr_json_parse(texts[i], strlen(texts[i]), "f.json", &error);
        EXPECT(!root);
        EXPECT(strstr(error.message, "f.json is not valid JSON (line "));
        EXPECT(!strchr(error.message, '\x1B'));
        json_decref(root);
    }
}

/* A path in a fresh folder, which remove_path deletes. */
static char folder[] = "/tmp/verbatim-json-XXXXXX";
static char path[sizeof(folder) + 8];

TEST(reads_files)
{
    asr_error error = {""};
    REQUIRE(mkdtemp(folder));
    sprintf(path, "%s/f.json", folder);
    EXPECT(!asr_json_read(path, 100, &error));
    EXPECT(strstr(error.message, path) && strstr(error.message, "No such file"));
    EXPECT(!asr_json_read(folder, 100, &error));
    EXPECT(strstr(error.message, "is not a regular file"));
    REQUIRE(mkfifo(path, 0600) == 0);
    EXPECT(!asr_json_read(path, 100, &error));
    EXPECT(strstr(error.message, "is not a regular file"));
    unlink(path);

    FILE *file = fopen(path, "w");
    REQUIRE(file);
    fputs("{\"a\": 1}", file);
    fclose(file);
    EXPECT(!asr_json_read(path, 7, &error));
    EXPECT(strstr(error.message, "is 8 bytes long, but at most 7 are expected"));
    json_t *root = asr_json_read(path, 8, &error);
    EXPECT(json_integer_value(json_object_get(root, "a")) == 1);
    json_decref(root);
    size_t length = 0;
    char *text = asr_textfile_read(path, 8, &length, &error);
    EXPECT_STR(text, "{\"a\": 1}");
    EXPECT_INT(length, 8);
    free(text);
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    RUN(reads_whole_numbers);
    RUN(falls_back_only_where_nothing_is_said);
    RUN(reads_other_types);
    RUN(reads_lists_of_whole_numbers);
    RUN(refuses_what_would_take_too_much);
    RUN(refuses_what_is_not_json);
    RUN(reads_files);
    return test_end();
}
