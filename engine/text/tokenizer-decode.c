/* Decoding: the bytes of the tokens, put together, are UTF-8 up to what the model got
 * wrong; what is ill-formed becomes U+FFFD. */
#include "tokenizer-private.h"
#include "unicode.h"

#include <stdlib.h>
#include <string.h>

/* The bytes of token `id` as far as they are shown. */
static const char *shown_bytes(const asr_tokenizer *tokenizer, int id, bool skip_special,
                               size_t *length)
{
    *length = 0;
    if (skip_special && asr_tokenizer_is_special(tokenizer, id))
        return NULL;
    return asr_tokenizer_bytes(tokenizer, id, length);
}

char *asr_tokenizer_decode(const asr_tokenizer *tokenizer, const int *ids, size_t count,
                           bool skip_special, size_t *length, asr_error *error)
{
    size_t n, total = 0;
    for (size_t i = 0; i < count; i++) {
        shown_bytes(tokenizer, ids[i], skip_special, &n);
        total += n;
    }
    char *bytes = malloc(total + 1);
    if (!bytes) {
        asr_fail_memory(error);
        return NULL;
    }
    total = 0;
    for (size_t i = 0; i < count; i++) {
        const char *token = shown_bytes(tokenizer, ids[i], skip_special, &n);
        if (n > 0)
            memcpy(bytes + total, token, n);
        total += n;
    }
    char *text = asr_unicode_repaired(bytes, total, &n, error);
    free(bytes);
    if (text && length)
        *length = n;
    return text;
}

struct asr_token_stream {
    const asr_tokenizer *tokenizer; /* borrowed */
    bool skip_special;
    char *bytes; /* withheld from the last call, then those of the new token */
    char *text;  /* what the last call returned */
    size_t n_bytes, capacity; /* `text` has room for three times the capacity, and NUL */
};

asr_token_stream *asr_token_stream_create(const asr_tokenizer *tokenizer,
                                          bool skip_special, asr_error *error)
{
    asr_token_stream *stream = calloc(1, sizeof(*stream));
    if (!stream) {
        asr_fail_memory(error);
        return NULL;
    }
    stream->tokenizer = tokenizer;
    stream->skip_special = skip_special;
    return stream;
}

void asr_token_stream_destroy(asr_token_stream **stream)
{
    if (!*stream)
        return;
    free((*stream)->bytes);
    free((*stream)->text);
    free(*stream);
    *stream = NULL;
}

static bool reserve_stream(asr_token_stream *stream, size_t need, asr_error *error)
{
    if (need <= stream->capacity)
        return true;
    size_t capacity = need + 64;
    char *bytes = realloc(stream->bytes, capacity);
    if (!bytes)
        return asr_fail_memory(error);
    stream->bytes = bytes;
    char *text = realloc(stream->text, 3 * capacity + 1);
    if (!text)
        return asr_fail_memory(error);
    stream->text = text;
    stream->capacity = capacity;
    return true;
}

/* Turns the first `n` bytes of the stream into its text and keeps the others. */
static const char *release_bytes(asr_token_stream *stream, size_t n)
{
    size_t length = asr_unicode_repair(stream->bytes, n, stream->text);
    stream->text[length] = '\0';
    memmove(stream->bytes, stream->bytes + n, stream->n_bytes - n);
    stream->n_bytes -= n;
    return stream->text;
}

const char *asr_token_stream_push(asr_token_stream *stream, int id, asr_error *error)
{
    size_t n;
    const char *token = shown_bytes(stream->tokenizer, id, stream->skip_special, &n);
    if (!reserve_stream(stream, stream->n_bytes + n + 1, error))
        return NULL;
    if (n > 0)
        memcpy(stream->bytes + stream->n_bytes, token, n);
    stream->n_bytes += n;
    return release_bytes(stream, stream->n_bytes -
                                     asr_unicode_cut_off(stream->bytes, stream->n_bytes));
}

const char *asr_token_stream_finish(asr_token_stream *stream, asr_error *error)
{
    if (!reserve_stream(stream, 1, error))
        return NULL;
    return release_bytes(stream, stream->n_bytes);
}
