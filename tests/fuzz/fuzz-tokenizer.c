/* Fuzzes the reading of a model directory's tokenizer files, and encoding and decoding
 * with what they give. Input: sections separated by the byte 1E, first a text to encode,
 * then the files in the order of `names`; an empty section is a file that is not there.
 */
#include "text/tokenizer.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { N_FILES = 6, SEPARATOR = 0x1E };

static const char *const names[N_FILES] = {"tokenizer.json",
                                           "vocab.json",
                                           "merges.txt",
                                           "added_tokens.json",
                                           "tokenizer_config.json",
                                           "special_tokens_map.json"};

/* A folder of links to files in memory: disks are too slow for thousands of runs. */
static char folder[] = "/tmp/verbatim-fuzz-XXXXXX";
enum { FIRST_DESCRIPTOR = 100 };

static void file_path(char *path, size_t room, int i)
{
    snprintf(path, room, "%s/%s", folder, names[i]);
}

static void remove_folder(void)
{
    char path[256];
    for (int i = 0; i < N_FILES; i++) {
        file_path(path, sizeof(path), i);
        unlink(path);
    }
    rmdir(folder);
}

static void create_folder(void)
{
    char path[256], target[64];
    if (!mkdtemp(folder))
        abort();
    atexit(remove_folder);
    for (int i = 0; i < N_FILES; i++) {
        file_path(path, sizeof(path), i);
        snprintf(target, sizeof(target), "/proc/self/fd/%d", FIRST_DESCRIPTOR + i);
        if (symlink(target, path) != 0)
            abort();
    }
}

/* Takes the next section off the input. */
static const uint8_t *next_section(const uint8_t **data, size_t *size, size_t *length)
{
    const uint8_t *section = *data;
    const uint8_t *end = *size ? memchr(section, SEPARATOR, *size) : NULL;
    *length = end ? (size_t)(end - section) : *size;
    size_t step = *length + (end ? 1 : 0);
    *data += step;
    *size -= step;
    return section;
}

/* Gives file `i` the content of the section; without any, its link leads nowhere. */
static void write_section(int i, const uint8_t *section, size_t length)
{
    close(FIRST_DESCRIPTOR + i);
    if (length == 0)
        return;
    int file = memfd_create(names[i], MFD_CLOEXEC);
    if (file < 0 || write(file, section, length) != (ssize_t)length ||
        dup2(file, FIRST_DESCRIPTOR + i) < 0)
        abort();
    close(file);
}

/* The streamed text must be what decoding all at once gives. */
static void check_stream(const asr_tokenizer *tokenizer, const int *ids, size_t count,
                         const char *expected, size_t length)
{
    asr_token_stream *stream = asr_token_stream_create(tokenizer, false, NULL);
    const char *end = expected + length;
    for (size_t i = 0; stream && i <= count; i++) {
        const char *text = i < count ? asr_token_stream_push(stream, ids[i], NULL)
                                     : asr_token_stream_finish(stream, NULL);
        size_t n = text ? strlen(text) : 0;
        if (n > (size_t)(end - expected) || memcmp(text ? text : "", expected, n) != 0)
            abort();
        expected += n;
    }
    if (stream && expected != end)
        abort();
    asr_token_stream_destroy(&stream);
}

static void round_trip(const asr_tokenizer *tokenizer, const char *text, size_t length,
                       bool parse_special)
{
    size_t count = 0, decoded_length = 0;
    int *ids = asr_tokenizer_encode(tokenizer, text, length, parse_special, &count, NULL);
    for (size_t i = 0; ids && i < count; i++)
        if (ids[i] < 0 || ids[i] >= asr_tokenizer_size(tokenizer))
            abort();
    char *decoded =
        ids ? asr_tokenizer_decode(tokenizer, ids, count, false, &decoded_length, NULL)
            : NULL;
    /* A stream's text ends at NUL, so only text without one can be compared. */
    if (decoded && strlen(decoded) == decoded_length)
        check_stream(tokenizer, ids, count, decoded, decoded_length);
    free(decoded);
    free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    asr_error error = {""};
    size_t length, file_length;
    if (!ready)
        create_folder();
    ready = true;
    const char *text = (const char *)next_section(&data, &size, &length);
    for (int i = 0; i < N_FILES; i++) {
        const uint8_t *section = next_section(&data, &size, &file_length);
        write_section(i, section, file_length);
    }
    asr_tokenizer *tokenizer = asr_tokenizer_create(folder, &error);
    if (!tokenizer && !error.message[0])
        abort();
    if (tokenizer) {
        round_trip(tokenizer, text, length, true);
        round_trip(tokenizer, text, length, false);
        asr_tokenizer_id(tokenizer, "<|endoftext|>");
    }
    asr_tokenizer_destroy(&tokenizer);
    return 0;
}
