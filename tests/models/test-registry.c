/* Model directories that are not what they should be: one clear sentence that names the
 * path, whatever is wrong with them. */
#include "models/family.h"
#include "reference/reference.h"

#include "scratch.h"
#include "test.h"

static asr_backend *backend;

static const char *fixture(const char *name)
{
    static char path[1024];
    snprintf(path, sizeof(path), "%s/whisper/%s", getenv("VERBATIM_TEST_DATA"), name);
    return path;
}

static asr_recognizer *open_model(const char *directory, asr_error *error)
{
    asr_recognizer_params params = {
        .directory = directory,
        .backend = backend,
        .precision = ASR_PRECISION_F32,
        .max_beam_size = 5,
    };
    error->message[0] = '\0';
    return asr_recognizer_open(&params, error);
}

static bool is_sentence(const char *text)
{
    size_t n = strlen(text);
    return n > 10 && text[n - 1] == '.' && !strpbrk(text, "\n\r\t\033");
}

/* Whether FOLDER/name is refused with one sentence that names it and says `what`. */
static bool refused(const char *name, const char *what)
{
    asr_error error;
    const char *path = scratch_path("%s", name);
    asr_recognizer *recognizer = open_model(path, &error);
    bool ok = !recognizer && strstr(error.message, path) && strstr(error.message, what) &&
              is_sentence(error.message);
    if (!ok)
        printf("# %s: %s\n", recognizer ? "opened" : "refused", error.message);
    asr_recognizer_destroy(&recognizer);
    return ok;
}

/* A fresh copy of a fixture, in FOLDER/model. */
static void copy_model(const char *name)
{
    if (scratch_folder[0])
        scratch_remove();
    scratch_copy(fixture(name), "model");
}

/* Replaces `from` in a file of the model, which must have it. */
static void edit(const char *name, const char *from, const char *to)
{
    char path[128];
    size_t n;
    snprintf(path, sizeof(path), "model/%s", name);
    char *text = scratch_read(scratch_path("%s", path), &n);
    char *at = strstr(text, from);
    scratch_check(at != NULL, from);
    char *changed = malloc(n + strlen(to) + 1);
    scratch_check(changed != NULL, "malloc");
    sprintf(changed, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    scratch_text(path, changed);
    free(changed);
    free(text);
}

TEST(fixtures_open)
{
    static const char *const names[] = {"multilingual", "distil", "english"};
    asr_error error;
    for (size_t i = 0; i < 3; i++) {
        asr_recognizer *recognizer = open_model(fixture(names[i]), &error);
        EXPECT(recognizer != NULL);
        EXPECT(!recognizer || strcmp(recognizer->family->model_type, "whisper") == 0);
        asr_recognizer_destroy(&recognizer);
        EXPECT(recognizer == NULL);
        asr_recognizer_destroy(&recognizer);
    }
}

TEST(directories_without_a_model)
{
    EXPECT(refused("nothing", "cannot be opened"));
    EXPECT(mkdir(scratch_path("empty"), 0700) == 0);
    EXPECT(refused("empty", "config.json cannot be opened"));
    scratch_text("file", "x");
    EXPECT(refused("file", "cannot be opened"));
}

TEST(types_that_are_not_known)
{
    copy_model("multilingual");
    edit("config.json", "\"model_type\": \"whisper\"", "\"model_type\": \"bert\"");
    EXPECT(refused("model", "\"bert\", which is not supported"));
    edit("config.json", "\"model_type\": \"bert\"", "\"model_type\": 5");
    EXPECT(refused("model", "model_type"));
    edit("config.json", "\"model_type\": 5", "\"model\": 5");
    EXPECT(refused("model", "lacks \"model_type\""));
    edit("config.json", "\"model\": 5", "\"model_type\": \"a\\nb\\u001b[2J\"");
    EXPECT(refused("model", "not supported"));
    scratch_text("model/config.json", "{\"model_type\":\"whisper\"}");
    EXPECT(refused("model", "lacks"));
}

TEST(files_that_are_missing)
{
    copy_model("multilingual");
    EXPECT(remove(scratch_path("model/model.safetensors")) == 0);
    EXPECT(refused("model", "model.safetensors cannot be opened"));
    EXPECT(remove(scratch_path("model/tokenizer.json")) == 0);
    EXPECT(refused("model", "vocab.json"));
    copy_model("english");
    EXPECT(remove(scratch_path("model/model-00002-of-00003.safetensors")) == 0);
    EXPECT(refused("model", "model-00002-of-00003.safetensors cannot be opened"));
}

TEST(weights_that_are_cut_short)
{
    size_t n;
    copy_model("multilingual");
    char *bytes = scratch_read(scratch_path("model/model.safetensors"), &n);
    for (size_t part = 0; part < 8; part++) {
        scratch_write("model/model.safetensors", bytes, n * part / 8);
        EXPECT(refused("model", "model.safetensors is damaged"));
    }
    free(bytes);
}

/* Dimensions that are sound by themselves and not those of the weights. */
TEST(configurations_of_other_weights)
{
    static const char *const changes[][3] = {
        {"\"d_model\": 64", "\"d_model\": 128", "does not fit"},
        {"\"d_model\": 64", "\"d_model\": 8192", "does not fit"},
        {"\"encoder_layers\": 2", "\"encoder_layers\": 3", "lacks the tensor"},
        {"\"decoder_layers\": 2", "\"decoder_layers\": 64", "lacks the tensor"},
        {"\"encoder_ffn_dim\": 128", "\"encoder_ffn_dim\": 65536", "does not fit"},
        {"\"num_mel_bins\": 80", "\"num_mel_bins\": 128", "does not fit"},
        {"\"max_source_positions\": 250", "\"max_source_positions\": 1500",
         "does not fit"},
        {"\"max_source_positions\": 250", "\"max_source_positions\": 65536",
         "does not fit"},
        {"\"max_target_positions\": 64", "\"max_target_positions\": 448", "does not fit"},
        {"\"vocab_size\": 1907", "\"vocab_size\": 1906", "does not fit"},
        {"\"vocab_size\": 1907", "\"vocab_size\": 1048576", "does not fit"},
        {"\"vocab_size\": 1907", "\"vocab_size\": 400", "tokenizer"},
    };
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        copy_model("multilingual");
        edit("config.json", changes[i][0], changes[i][1]);
        EXPECT(refused("model", changes[i][2]));
    }
}

TEST(tokenizers_of_nonsense)
{
    copy_model("multilingual");
    scratch_text("model/tokenizer.json", "{}");
    EXPECT(refused("model", "tokenizer.json"));
    scratch_text("model/tokenizer.json", "[");
    EXPECT(refused("model", "tokenizer.json"));
    scratch_text("model/tokenizer.json",
                 "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},"
                 "\"merges\":[\"a b\",\"ab ab\",\"b a\"]}}");
    EXPECT(refused("model", "model"));
}

int main(void)
{
    asr_error error;
    backend = asr_reference_create(&error);
    if (!backend)
        return EXIT_FAILURE;
    RUN(fixtures_open);
    RUN(directories_without_a_model);
    RUN(types_that_are_not_known);
    RUN(files_that_are_missing);
    RUN(weights_that_are_cut_short);
    RUN(configurations_of_other_weights);
    RUN(tokenizers_of_nonsense);
    asr_backend_destroy(&backend);
    scratch_remove();
    return test_end();
}
