/* The catalogue that is published, and catalogues that no download should act on. */
#include "weights/catalogue.h"

#include "test.h"

static const char *published; /* data/models.json */

static const char valid[] =
    "{\"languages\": {\"one\": [\"en\"]}, \"models\": [{\"name\": \"m\", \"title\": "
    "\"M\","
    "\"family\": \"f\", \"licence\": \"MIT\", \"languages\": \"one\", \"parameters\": 1,"
    "\"repository\": \"o/r\", \"revision\": \"main\","
    "\"files\": [{\"name\": \"config.json\", \"size\": 10}]}]}";

/* The valid catalogue with `from` replaced by `to`. */
static asr_catalogue *parse_changed(const char *from, const char *to, asr_error *error)
{
    char text[2 * sizeof valid];
    const char *at = strstr(valid, from);
    if (!at) {
        return NULL;
    }
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - valid), valid, to,
             at + strlen(from));
    error->message[0] = '\0';
    return asr_catalogue_parse(text, strlen(text), "models.json", error);
}

TEST(published_catalogue_is_sound)
{
    asr_error error;
    asr_catalogue *catalogue = asr_catalogue_create(published, &error);
    REQUIRE(catalogue);
    for (size_t i = 0; i < catalogue->count; i++) {
        const asr_catalogue_model *model = &catalogue->models[i];
        EXPECT(asr_catalogue_find(catalogue, model->name) == model);
        EXPECT(model->parameters > 1000000);
        EXPECT(strcmp(model->family, "whisper") == 0);
        EXPECT(model->file_count >= 5);
        /* A checksum only makes sense for a revision that cannot move. */
        const asr_catalogue_file *weights = &model->files[model->file_count - 1];
        EXPECT(!weights->sha256[0] || strlen(model->revision) == 40);
    }
    asr_catalogue_destroy(&catalogue);
    EXPECT(catalogue == NULL);
}

TEST(every_whisper_size_is_there)
{
    static const char *const names[] = {
        "whisper-tiny",     "whisper-tiny.en",   "whisper-base",
        "whisper-base.en",  "whisper-small",     "whisper-small.en",
        "whisper-medium",   "whisper-medium.en", "whisper-large-v1",
        "whisper-large-v2", "whisper-large-v3",  "whisper-large-v3-turbo"};
    asr_error error;
    asr_catalogue *catalogue = asr_catalogue_create(published, &error);
    REQUIRE(catalogue);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const asr_catalogue_model *model = asr_catalogue_find(catalogue, names[i]);
        EXPECT(model && asr_catalogue_size(model) > model->parameters);
    }
    asr_catalogue_destroy(&catalogue);
}

TEST(default_model)
{
    asr_error error;
    asr_catalogue *catalogue = asr_catalogue_create(published, &error);
    REQUIRE(catalogue);
    const asr_catalogue_model *model = asr_catalogue_find(catalogue, "whisper-base");
    REQUIRE(model);
    EXPECT_STR(model->repository, "openai/whisper-base");
    EXPECT_INT(model->language_count, 99);
    EXPECT_STR(model->languages[1], "zh");
    EXPECT_INT(asr_catalogue_size(model), 290403936);
    EXPECT(asr_catalogue_find(catalogue, "whisper-bas") == NULL);
    asr_catalogue_destroy(&catalogue);
}

TEST(unknown_size)
{
    asr_error error;
    asr_catalogue *catalogue = parse_changed("\"size\": 10", "\"sha256\": \"\"", &error);
    REQUIRE(catalogue);
    EXPECT_INT(catalogue->models[0].files[0].size, -1);
    EXPECT_INT(asr_catalogue_size(&catalogue->models[0]), -1);
    asr_catalogue_destroy(&catalogue);
}

TEST(unsafe_and_malformed_catalogues_are_refused)
{
    static const struct {
        const char *from, *to, *message;
    } cases[] = {
        {"config.json", "../config.json", "\"../config.json\" is not a usable name"},
        {"config.json", ".hidden", "is not a usable name"},
        {"config.json", "a/b", "is not a usable name"},
        {"config.json", "", "is not a usable name"},
        {"config.json", "a b", "is not a usable name"},
        {"\"name\": \"m\"", "\"name\": \"..\"", "\"..\" is not a usable name"},
        {"o/r", "r", "\"r\" is not a repository"},
        {"o/r", "o/../r", "is not a repository"},
        {"o/r", "/r", "is not a repository"},
        {"\"main\"", "\"a/../b\"", "is not a usable revision"},
        {"\"size\": 10", "\"size\": -5", "size"},
        {"\"size\": 10", "\"size\": 1e300", "size"},
        {"\"size\": 10", "\"sha256\": \"12\"", "\"12\" is not a SHA-256 checksum"},
        {"\"languages\": \"one\"", "\"languages\": \"two\"", "two"},
        {"[\"en\"]", "[]", "an array of 0 members"},
        {"[\"en\"]", "[7]", "not all strings"},
        {"\"models\": [", "\"models\": [[], ", "models.json"},
        {"\"models\"", "\"model\"", "models"},
        {"}]}]}", "}]}", "models.json"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        asr_error error;
        asr_catalogue *catalogue = parse_changed(cases[i].from, cases[i].to, &error);
        EXPECT(catalogue == NULL);
        if (!strstr(error.message, cases[i].message)) {
            EXPECT_STR(error.message, cases[i].message);
        }
        asr_catalogue_destroy(&catalogue);
    }
}

TEST(missing_file)
{
    asr_error error;
    EXPECT(asr_catalogue_create("/nonexistent/models.json", &error) == NULL);
    EXPECT(strstr(error.message, "/nonexistent/models.json") != NULL);
}

int main(int argc, char **argv)
{
    published = argc > 1 ? argv[1] : "";
    RUN(published_catalogue_is_sound);
    RUN(every_whisper_size_is_there);
    RUN(default_model);
    RUN(unknown_size);
    RUN(unsafe_and_malformed_catalogues_are_refused);
    RUN(missing_file);
    return test_end();
}
