/* Safetensors: what is written is read back, and no file is believed. */
#include "weights/safetensors.h"

#include "scratch.h"
#include "test.h"

#include <endian.h>

/* Writes a header of `length` claimed bytes, its text, and n_data zero bytes. */
static const char *file_of(uint64_t length, const char *header, size_t n_data)
{
    size_t n_header = strlen(header), n = sizeof(length) + n_header + n_data;
    char *bytes = calloc(1, n);
    uint64_t little = htole64(length);
    scratch_check(bytes != NULL, "calloc");
    memcpy(bytes, &little, sizeof(little));
    memcpy(bytes + sizeof(little), header, n_header);
    scratch_write("file.safetensors", bytes, n);
    free(bytes);
    return scratch_path("file.safetensors");
}

/* Whether a file is refused with a sentence that names it and says `what`. */
static bool refused(const char *path, const char *what)
{
    asr_error error = {""};
    asr_safetensors *file = asr_safetensors_open(path, &error);
    bool ok = !file && strstr(error.message, path) && strstr(error.message, what);
    if (!ok)
        printf("# %s: %s\n", file ? "opened" : "refused", error.message);
    asr_safetensors_destroy(&file);
    return ok;
}

static bool header_refused(const char *header, size_t n_data, const char *what)
{
    bool ok = refused(file_of(strlen(header), header, n_data), what);
    if (!ok)
        printf("# header: %.200s\n", header);
    return ok;
}

static asr_safetensors *open_header(const char *header, size_t n_data)
{
    asr_error error;
    asr_safetensors *file =
        asr_safetensors_open(file_of(strlen(header), header, n_data), &error);
    if (!file)
        printf("# %s\n", error.message);
    return file;
}

static const asr_tensor_spec written[] = {
    {"w.f32", ASR_F32, 2, {3, 5}},
    {"scalar", ASR_F32, 0, {0}},
    {"index", ASR_I32, 1, {4}},
    {"empty", ASR_F32, 2, {0, 7}},
    {"five \"dims\" é", ASR_F16, 5, {1, 2, 1, 3, 1}},
    {"b.bf16", ASR_BF16, 1, {3}},
    {"q.i8", ASR_I8, 3, {3, 1, 3}},
};
#define N_WRITTEN (sizeof(written) / sizeof(written[0]))

static size_t bytes_of(const asr_tensor_spec *spec)
{
    size_t n = asr_dtype_size(spec->dtype);
    for (int i = 0; i < spec->n_dims; i++)
        n *= (size_t)spec->dims[i];
    return n;
}

/* Byte i of tensor t. */
static unsigned char made_up(size_t t, size_t i)
{
    return (unsigned char)(t * 31 + i * 7 + 1);
}

static void write_all(const char *path)
{
    FILE *out = fopen(path, "wb");
    REQUIRE(out);
    EXPECT(asr_safetensors_write_header(out, written, N_WRITTEN, "about", "a \"test\""));
    EXPECT_INT(ftell(out) % 64, 0);
    for (size_t t = 0; t < N_WRITTEN; t++)
        for (size_t i = 0; i < bytes_of(&written[t]); i++)
            EXPECT(fputc(made_up(t, i), out) >= 0);
    EXPECT(fclose(out) == 0);
}

static void check_tensor(const asr_safetensors *file, size_t t)
{
    const asr_tensor_spec *spec = &written[t];
    const asr_stored_tensor *tensor = asr_safetensors_find(file, spec->name);
    REQUIRE(tensor);
    EXPECT_STR(tensor->name, spec->name);
    EXPECT_INT(tensor->dtype, spec->dtype);
    REQUIRE(tensor->n_dims == spec->n_dims);
    for (int i = 0; i < spec->n_dims; i++)
        EXPECT_INT(tensor->dims[i], spec->dims[i]);
    EXPECT_INT(tensor->n_elements * asr_dtype_size(tensor->dtype), bytes_of(spec));
    EXPECT((uintptr_t)tensor->data % asr_dtype_size(tensor->dtype) == 0);
    for (size_t i = 0; i < bytes_of(spec); i++)
        EXPECT(((const unsigned char *)tensor->data)[i] == made_up(t, i));
}

TEST(what_is_written_is_read_back)
{
    asr_error error;
    scratch_text("round.safetensors", "");
    write_all(scratch_path("round.safetensors"));
    asr_safetensors *file =
        asr_safetensors_open(scratch_path("round.safetensors"), &error);
    REQUIRE(file);
    EXPECT_INT(asr_safetensors_count(file), N_WRITTEN);
    for (size_t t = 0; t < N_WRITTEN; t++)
        check_tensor(file, t);
    for (size_t i = 1; i < N_WRITTEN; i++)
        EXPECT(strcmp(asr_safetensors_at(file, i - 1)->name,
                      asr_safetensors_at(file, i)->name) < 0);
    EXPECT_STR(asr_safetensors_metadata(file, "about"), "a \"test\"");
    EXPECT(asr_safetensors_metadata(file, "more") == NULL);
    EXPECT(asr_safetensors_find(file, "none") == NULL);
    EXPECT(asr_safetensors_find(file, "__metadata__") == NULL);
    asr_safetensors_release_pages(file);
    check_tensor(file, 0);
    asr_safetensors_destroy(&file);
    EXPECT(file == NULL);
    asr_safetensors_destroy(&file);
}

TEST(every_cut_is_refused)
{
    size_t n;
    char *bytes = scratch_read(scratch_path("round.safetensors"), &n);
    size_t begin = (size_t)bytes[0] + ((size_t)bytes[1] << 8) + 8;
    for (size_t cut = 0; cut < n; cut += cut < begin ? 1 : 5) {
        scratch_write("cut.safetensors", bytes, cut);
        EXPECT(refused(scratch_path("cut.safetensors"), "is damaged"));
    }
    free(bytes);
}

TEST(header_length_is_checked)
{
    EXPECT(refused(file_of(0, "", 0), "malformed"));
    EXPECT(refused(file_of(0, "{}", 0), "malformed"));
    EXPECT(refused(file_of(3, "{}", 0), "cut short"));
    EXPECT(refused(file_of((uint64_t)1 << 40, "{}", 0), "cut short"));
    EXPECT(refused(file_of(UINT64_MAX, "{}", 0), "cut short"));
    EXPECT(refused(file_of(UINT64_MAX - 7, "{}", 0), "cut short"));
    EXPECT(refused(file_of((uint64_t)INT64_MAX, "{}", 0), "cut short"));
    EXPECT(refused(file_of(1, "{}", 0), "malformed"));
    asr_safetensors *file = open_header("{}", 0);
    REQUIRE(file);
    EXPECT_INT(asr_safetensors_count(file), 0);
    asr_safetensors_destroy(&file);
}

TEST(what_is_no_file_is_refused)
{
    EXPECT(refused(scratch_path("nothing"), "cannot be opened"));
    EXPECT(refused(scratch_folder, "no safetensors file"));
    EXPECT(refused("/dev/null", "no safetensors file"));
    EXPECT(mkfifo(scratch_path("pipe"), 0600) == 0);
    EXPECT(refused(scratch_path("pipe"), "no safetensors file"));
    scratch_text("short", "1234567");
    EXPECT(refused(scratch_path("short"), "no safetensors file"));
    if (geteuid() != 0) {
        scratch_text("secret", "12345678");
        EXPECT(chmod(scratch_path("secret"), 0) == 0);
        EXPECT(refused(scratch_path("secret"), "cannot be opened"));
    }
}

TEST(headers_that_are_no_json_objects_are_refused)
{
    static const char *const bad[] = {
        "[]",
        "[[1]]",
        "null",
        "{",
        "{}x",
        "{\"a\":}",
        "{\"a\":{}}",
        "{\"a\":1}",
        "{\"a\":[]}",
        "{\"a\\u0000\":{}}",
        "{\"\xff\":{}}",
        "{\"a\":{\"dtype\":1}}",
        "{\"a\":{\"dtype\":\"F32\"}}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        EXPECT(header_refused(bad[i], 64, "malformed"));
}

/* A tensor "a" of the given dtype, shape and offsets. */
static const char *entry(const char *dtype, const char *shape, const char *offsets)
{
    static char text[512];
    snprintf(text, sizeof(text),
             "{\"a\":{\"dtype\":%s,\"shape\":%s,\"data_offsets\":%s}}", dtype, shape,
             offsets);
    return text;
}

TEST(shapes_are_checked)
{
    static const char *const bad[] = {
        "{}",
        "null",
        "\"2\"",
        "[-1]",
        "[2.0]",
        "[\"2\"]",
        "[[2]]",
        "[1,1,1,1,1,2]",
        "[2147483648]",
        "[9223372036854775807,2]",
        "[2147483647,2147483647,2147483647]",
        "[2147483647,2147483647,2147483647,2147483647,2147483647]",
        "[4611686018427387904,4]",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        EXPECT(header_refused(entry("\"F32\"", bad[i], "[0,8]"), 64, "malformed"));
    /* The product fits, the bytes do not. */
    EXPECT(header_refused(entry("\"F32\"", "[2147483647,2147483647,2]", "[0,8]"), 64,
                          "outside"));
    /* Nothing times a great deal is nothing. */
    char header[200];
    snprintf(header, sizeof(header), "%-120s",
             entry("\"F32\"", "[2147483647,0]", "[0,0]"));
    asr_safetensors *file = open_header(header, 0);
    REQUIRE(file);
    EXPECT_INT(asr_safetensors_at(file, 0)->n_elements, 0);
    asr_safetensors_destroy(&file);
}

TEST(offsets_are_checked)
{
    static const char *const malformed[] = {
        "null", "[]", "[0]", "8", "[0.0,8.0]", "[\"0\",\"8\"]", "{\"0\":0}"};
    static const char *const outside[] = {
        "[0,4]",
        "[0,12]",
        "[8,0]",
        "[-8,0]",
        "[-1,7]",
        "[60,68]",
        "[64,72]",
        "[9223372036854775800,9223372036854775807]",
        "[-9223372036854775808,-9223372036854775800]",
        "[0,9223372036854775807]",
    };
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
        EXPECT(header_refused(entry("\"F32\"", "[2]", malformed[i]), 64, "malformed"));
    for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
        EXPECT(header_refused(entry("\"F32\"", "[2]", outside[i]), 64, "outside"));
    /* A number that no integer holds is no JSON of ours. */
    EXPECT(header_refused(entry("\"F32\"", "[2]", "[0,99999999999999999999]"), 64,
                          "malformed"));
}

TEST(misaligned_tensors_are_refused)
{
    char header[200];
    /* Pads the header until the data begin at a multiple of 64. */
    snprintf(header, sizeof(header), "%-120s", entry("\"F32\"", "[2]", "[2,10]"));
    EXPECT(header_refused(header, 64, "misaligned"));
    snprintf(header, sizeof(header), "%-121s", entry("\"F16\"", "[2]", "[0,4]"));
    EXPECT(header_refused(header, 64, "misaligned"));
    snprintf(header, sizeof(header), "%-121s", entry("\"I8\"", "[2]", "[3,5]"));
    asr_safetensors *file = open_header(header, 64);
    EXPECT(file != NULL);
    asr_safetensors_destroy(&file);
}

/* Two names for the same bytes harm nobody: tied weights were once written so. */
TEST(tensors_may_overlap)
{
    char header[300];
    snprintf(header, sizeof(header), "%-248s",
             "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]},"
             "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}}");
    asr_safetensors *file = open_header(header, 16);
    REQUIRE(file);
    EXPECT_INT(asr_safetensors_count(file), 2);
    asr_safetensors_destroy(&file);
}

TEST(unknown_dtypes_are_left_out)
{
    char header[300];
    snprintf(header, sizeof(header), "%-248s",
             "{\"i\":{\"dtype\":\"I64\",\"shape\":[-5],\"data_offsets\":[7]},"
             "\"f\":{\"dtype\":\"F8_E4M3\",\"shape\":[9],\"data_offsets\":[0,9]},"
             "\"x\":{\"dtype\":\"\",\"anything\":[]},"
             "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}");
    asr_safetensors *file = open_header(header, 8);
    REQUIRE(file);
    EXPECT_INT(asr_safetensors_count(file), 1);
    EXPECT_STR(asr_safetensors_at(file, 0)->name, "a");
    asr_safetensors_destroy(&file);
}

TEST(duplicates_are_refused)
{
    EXPECT(
        header_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                       "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
                       64, "malformed"));
    EXPECT(header_refused("{\"__metadata__\":{},\"__metadata__\":{}}", 0, "malformed"));
}

TEST(metadata_of_any_type_is_harmless)
{
    static const char *const some[] = {"1",     "[]",        "null",
                                       "\"x\"", "{\"k\":1}", "{\"k\":[]}"};
    for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
        char header[64];
        snprintf(header, sizeof(header), "{\"__metadata__\":%s}", some[i]);
        asr_safetensors *file = open_header(header, 0);
        REQUIRE(file);
        EXPECT(asr_safetensors_metadata(file, "k") == NULL);
        asr_safetensors_destroy(&file);
    }
}

/* n times `piece` between `head` and `tail`. */
static bool bomb_refused(const char *head, const char *piece, size_t n, const char *tail,
                         const char *what)
{
    size_t size = strlen(piece), at = strlen(head);
    char *text = malloc(at + n * size + strlen(tail) + 1);
    scratch_check(text != NULL, "malloc");
    memcpy(text, head, at);
    for (size_t i = 0; i < n; i++, at += size)
        memcpy(text + at, piece, size);
    strcpy(text + at, tail);
    bool ok = header_refused(text, 0, what);
    free(text);
    return ok;
}

TEST(json_bombs_are_refused)
{
    EXPECT(bomb_refused("", "[", 1000, "", "larger"));
    EXPECT(bomb_refused("", "{\"a\":", 100000, "", "larger"));
    EXPECT(bomb_refused("{\"a\":", "[", 5000000, "", "larger"));
    EXPECT(bomb_refused("{\"__metadata__\":[", "[],", 5000000, "0]}", "larger"));
    EXPECT(bomb_refused("{\"__metadata__\":[", "0,", 5000000, "0]}", "larger"));
}

/* A full device is noticed, whenever the C library gets round to writing. */
TEST(writing_to_a_full_disk_fails)
{
    FILE *full = fopen("/dev/full", "wb");
    REQUIRE(full);
    setvbuf(full, NULL, _IONBF, 0);
    EXPECT(!asr_safetensors_write_header(full, written, N_WRITTEN, NULL, NULL));
    fclose(full);
}

int main(void)
{
    RUN(what_is_written_is_read_back);
    RUN(every_cut_is_refused);
    RUN(header_length_is_checked);
    RUN(what_is_no_file_is_refused);
    RUN(headers_that_are_no_json_objects_are_refused);
    RUN(shapes_are_checked);
    RUN(offsets_are_checked);
    RUN(misaligned_tensors_are_refused);
    RUN(tensors_may_overlap);
    RUN(unknown_dtypes_are_left_out);
    RUN(duplicates_are_refused);
    RUN(metadata_of_any_type_is_harmless);
    RUN(json_bombs_are_refused);
    RUN(writing_to_a_full_disk_fails);
    scratch_remove();
    return test_end();
}
