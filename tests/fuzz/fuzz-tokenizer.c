/* Fuzzes the reading of a model directory's tokenizer files, and encoding and decoding
 * with what they give. Input: sections separated by the byte 1E, first a text to encode,
 * then the files in the order of `names`; an empty section is a file that is not there.
 */
#include "text/tokenizer.h"

#include "memory-folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { N_FILES = 6 };

static const char *const names[N_FILES] = {"tokenizer.json",
                                           "vocab.json",
                                           "merges.txt",
                                           "added_tokens.json",
                                           "tokenizer_config.json",
                                           "special_tokens_map.json"};

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
    asr_error error = {""};
    size_t length, file_length;
    memory_create_folder(names, N_FILES);
    const char *text = (const char *)memory_section(&data, &size, &length);
    for (int i = 0; i < N_FILES; i++) {
        const uint8_t *section = memory_section(&data, &size, &file_length);
        memory_write(i, section, file_length);
    }
    asr_tokenizer *tokenizer = asr_tokenizer_create(memory_folder, &error);
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
