/* Looking tokens up, and encoding. Text passes through the same stages, in the same
 * order, as in the tokenizers library: added tokens are cut out, the rest is normalised,
 * normalised added tokens are cut out, the rest is cut into pieces, and BPE makes ids of
 * each. */
#include "tokenizer.h"

#include "tokenizer-private.h"
#include "unicode.h"

#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

/* More than any prompt, and little enough for the working memory of one long word. */
#define MAX_TEXT_BYTES ((size_t)4 << 20)

/* The trees that the files were parsed into are scattered over the heap: some 10 MB for
 * Whisper and 70 MB for Qwen, which glibc would keep. */
static void return_memory(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

asr_tokenizer *asr_tokenizer_create(const char *directory, asr_error *error)
{
    asr_tokenizer *tokenizer = calloc(1, sizeof(*tokenizer));
    if (!tokenizer)
        asr_fail_memory(error);
    else if (!asr_tokenizer_load(tokenizer, directory, error))
        asr_tokenizer_destroy(&tokenizer);
    return_memory();
    return tokenizer;
}

void asr_tokenizer_destroy(asr_tokenizer **tokenizer)
{
    if (!*tokenizer)
        return;
    asr_bpe_destroy(&(*tokenizer)->bpe);
    asr_bpe_vocab_destroy(&(*tokenizer)->vocab);
    asr_bpe_vocab_destroy(&(*tokenizer)->names);
    asr_added_set_clear(&(*tokenizer)->raw);
    asr_added_set_clear(&(*tokenizer)->normalized);
    free((*tokenizer)->flags);
    free(*tokenizer);
    *tokenizer = NULL;
}

int asr_tokenizer_size(const asr_tokenizer *tokenizer)
{
    int own = asr_bpe_vocab_size(tokenizer->vocab);
    int added = asr_bpe_vocab_size(tokenizer->names);
    return own > added ? own : added;
}

int asr_tokenizer_id(const asr_tokenizer *tokenizer, const char *content)
{
    size_t length = strlen(content);
    int id = asr_bpe_vocab_find(tokenizer->names, content, length);
    return id >= 0 ? id : asr_bpe_vocab_find(tokenizer->vocab, content, length);
}

const char *asr_tokenizer_bytes(const asr_tokenizer *tokenizer, int id, size_t *length)
{
    const char *added = asr_bpe_vocab_bytes(tokenizer->names, id, length);
    return added ? added : asr_bpe_vocab_bytes(tokenizer->vocab, id, length);
}

bool asr_tokenizer_is_special(const asr_tokenizer *tokenizer, int id)
{
    return id >= 0 && id < asr_bpe_vocab_size(tokenizer->names) &&
           (tokenizer->flags[id] & ASR_ADDED_SPECIAL);
}

/* A stage of encoding: appends the ids of `text`, well-formed and not empty. */
typedef bool encode_stage(const asr_tokenizer *tokenizer, const char *text, size_t length,
                          asr_bpe_ids *ids, asr_error *error);

static bool encode_pieces(const asr_tokenizer *tokenizer, const char *text, size_t length,
                          asr_bpe_ids *ids, asr_error *error)
{
    while (length > 0) {
        size_t n = asr_pretokenize_next(tokenizer->pretokenize, text, length);
        if (!asr_bpe_encode(tokenizer->bpe, text, n, ids, error))
            return false;
        text += n;
        length -= n;
    }
    return true;
}

static bool encode_words(const asr_tokenizer *tokenizer, const char *text, size_t length,
                         asr_bpe_ids *ids, asr_error *error)
{
    if (!tokenizer->prefix_space || text[0] == ' ')
        return encode_pieces(tokenizer, text, length, ids, error);
    char *prefixed = malloc(length + 1);
    if (!prefixed)
        return asr_fail_memory(error);
    prefixed[0] = ' ';
    memcpy(prefixed + 1, text, length);
    bool ok = encode_pieces(tokenizer, prefixed, length + 1, ids, error);
    free(prefixed);
    return ok;
}

/* Whether no character of a word touches `begin` to `end` of the text. */
static bool stands_alone(const char *text, size_t length, size_t begin, size_t end)
{
    if (begin > 0 && asr_unicode_is_word(asr_unicode_previous(text, &begin)))
        return false;
    return end == length || !asr_unicode_is_word(asr_unicode_next(text, length, &end));
}

/* Moves `begin` back over white space, to `limit` at the furthest. */
static size_t strip_before(const char *text, size_t limit, size_t begin)
{
    size_t i = begin;
    while (i > limit &&
           asr_unicode_class_of(asr_unicode_previous(text, &i)) == ASR_UNICODE_SPACE)
        begin = i;
    return begin;
}

static size_t strip_behind(const char *text, size_t length, size_t end)
{
    size_t i = end;
    while (i < length &&
           asr_unicode_class_of(asr_unicode_next(text, length, &i)) == ASR_UNICODE_SPACE)
        end = i;
    return end;
}

/* Appends the ids of the added tokens of `set` in the text and, through `stage`, of the
 * text between them. */
static bool encode_around(const asr_tokenizer *tokenizer, const asr_added_set *set,
                          encode_stage *stage, const char *text, size_t length,
                          asr_bpe_ids *ids, asr_error *error)
{
    size_t done = 0, position = 0;
    const asr_added *added;
    while ((added = asr_added_set_find(set, text, length, &position))) {
        size_t begin = position, end = position + added->length;
        position = end;
        if ((added->flags & ASR_ADDED_SINGLE_WORD) &&
            !stands_alone(text, length, begin, end))
            continue;
        if (added->flags & ASR_ADDED_LSTRIP)
            begin = strip_before(text, done, begin);
        if (added->flags & ASR_ADDED_RSTRIP)
            end = strip_behind(text, length, end);
        if (begin > done && !stage(tokenizer, text + done, begin - done, ids, error))
            return false;
        if (!asr_bpe_ids_append(ids, added->id, error))
            return false;
        done = end;
    }
    return done >= length || stage(tokenizer, text + done, length - done, ids, error);
}

static bool encode_normalized(const asr_tokenizer *tokenizer, const char *text,
                              size_t length, asr_bpe_ids *ids, asr_error *error)
{
    return encode_around(tokenizer, &tokenizer->normalized, encode_words, text, length,
                         ids, error);
}

/* Normalises the text and hands it on to `stage`. */
static bool normalize(const asr_tokenizer *tokenizer, encode_stage *stage,
                      const char *text, size_t length, asr_bpe_ids *ids, asr_error *error)
{
    if (!tokenizer->nfc)
        return stage(tokenizer, text, length, ids, error);
    size_t n;
    char *composed = asr_unicode_nfc(text, length, &n, error);
    bool ok = composed && stage(tokenizer, composed, n, ids, error);
    free(composed);
    return ok;
}

static bool encode_parsing(const asr_tokenizer *tokenizer, const char *text,
                           size_t length, asr_bpe_ids *ids, asr_error *error)
{
    return normalize(tokenizer, encode_normalized, text, length, ids, error);
}

static bool encode_valid(const asr_tokenizer *tokenizer, const char *text, size_t length,
                         bool parse_special, asr_bpe_ids *ids, asr_error *error)
{
    if (length == 0)
        return true;
    if (parse_special)
        return encode_around(tokenizer, &tokenizer->raw, encode_parsing, text, length,
                             ids, error);
    return normalize(tokenizer, encode_words, text, length, ids, error);
}

static bool encode_any(const asr_tokenizer *tokenizer, const char *text, size_t length,
                       bool parse_special, asr_bpe_ids *ids, asr_error *error)
{
    if (asr_unicode_is_valid(text, length))
        return encode_valid(tokenizer, text, length, parse_special, ids, error);
    size_t n;
    char *repaired = asr_unicode_repaired(text, length, &n, error);
    bool ok = repaired && encode_valid(tokenizer, repaired, n, parse_special, ids, error);
    free(repaired);
    return ok;
}

int *asr_tokenizer_encode(const asr_tokenizer *tokenizer, const char *text, size_t length,
                          bool parse_special, size_t *count, asr_error *error)
{
    asr_bpe_ids ids = {0};
    int *result = NULL;
    *count = 0;
    if (length > MAX_TEXT_BYTES) {
        asr_fail(error, "The text is longer than %zu bytes; give a shorter one.",
                 MAX_TEXT_BYTES);
        return NULL;
    }
    if (encode_any(tokenizer, text, length, parse_special, &ids, error)) {
        result = malloc((ids.n_items + 1) * sizeof(*result));
        if (!result)
            asr_fail_memory(error);
    }
    if (result && ids.n_items > 0)
        memcpy(result, ids.items, ids.n_items * sizeof(*result));
    if (result)
        *count = ids.n_items;
    asr_bpe_ids_clear(&ids);
    return result;
}
