/* Added tokens: those that stand beside the vocabulary, such as "<|endoftext|>". Four
 * files may name them; what one says of a token is kept when a later one names it again,
 * except that a token once called special stays so. */
#include "tokenizer-private.h"
#include "unicode.h"

#include <stdlib.h>
#include <string.h>

#define DAMAGED "the file may be damaged: download the model again."

/* The id that the vocabulary gives the token, or -1. */
static int vocab_id(const asr_specials *specials, const char *content)
{
    const json_t *id = json_object_get(specials->vocab, content);
    return id ? (int)json_integer_value(id)
              : -1; /* checked when the vocabulary was read */
}

/* Makes `flags` reach `id`. */
static bool extend_flags(asr_specials *specials, int id, asr_error *error)
{
    asr_tokenizer *tokenizer = specials->tokenizer;
    if ((size_t)id < specials->n_flags)
        return true;
    size_t n = 2 * (size_t)id + 64;
    uint8_t *flags = realloc(tokenizer->flags, n);
    if (!flags)
        return asr_fail_memory(error);
    memset(flags + specials->n_flags, 0, n - specials->n_flags);
    tokenizer->flags = flags;
    specials->n_flags = n;
    return true;
}

/* Adds the token `content`. `id` is what the file says, or -1 if it gives none: then the
 * token must be known already, or is left out. */
static bool add_token(asr_specials *specials, const char *content, int id, unsigned flags,
                      const char *file, asr_error *error)
{
    asr_tokenizer *tokenizer = specials->tokenizer;
    size_t length = strlen(content), taken;
    int known = asr_bpe_vocab_find(tokenizer->names, content, length);
    if (known >= 0)
        tokenizer->flags[known] |= flags & ASR_ADDED_SPECIAL;
    if (known >= 0 || length == 0)
        return true;
    if (length > ASR_TOKENIZER_TOKEN_BYTES)
        return asr_fail(
            error, "%s has a token of %zu bytes, but at most %d are expected; " DAMAGED,
            file, length, ASR_TOKENIZER_TOKEN_BYTES);
    known = vocab_id(specials, content);
    if (known < 0 && asr_bpe_vocab_bytes(tokenizer->vocab, id, &taken))
        return asr_fail(error, "%s gives the id %d to two tokens; " DAMAGED, file, id);
    if (known >= 0)
        id = known;
    if (id < 0)
        return true;
    if (!extend_flags(specials, id, error) ||
        !asr_bpe_vocab_add(tokenizer->names, id, content, length, true, file, error))
        return false;
    tokenizer->flags[id] = (uint8_t)(flags | ASR_ADDED);
    return true;
}

/* Adds the token that the object `token` describes. */
static bool add_description(asr_specials *specials, const asr_json *token, int id,
                            asr_error *error)
{
    static const struct {
        const char *key;
        asr_added_flag flag;
    } members[] = {
        {"special", ASR_ADDED_SPECIAL},         {"normalized", ASR_ADDED_NORMALIZED},
        {"lstrip", ASR_ADDED_LSTRIP},           {"rstrip", ASR_ADDED_RSTRIP},
        {"single_word", ASR_ADDED_SINGLE_WORD},
    };
    const char *content;
    unsigned flags = 0;
    if (!asr_json_string(token, "content", &content, error))
        return false;
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        bool set;
        if (!asr_json_bool_or(token, members[i].key, false, &set, error))
            return false;
        flags |= set ? members[i].flag : 0;
    }
    return add_token(specials, content, id, flags, token->file, error);
}

bool asr_specials_read_list(asr_specials *specials, const asr_json *root,
                            asr_error *error)
{
    asr_json list;
    if (!asr_json_has(root, "added_tokens"))
        return true;
    if (!asr_json_array(root, "added_tokens", &list, error))
        return false;
    for (size_t i = 0; i < json_array_size(list.value); i++) {
        asr_json token = {json_array_get(list.value, i), list.file};
        int id;
        if (!asr_json_int(&token, "id", 0, ASR_BPE_VOCAB_MAX - 1, &id, error) ||
            !add_description(specials, &token, id, error))
            return false;
    }
    return true;
}

bool asr_specials_read_ids(asr_specials *specials, const asr_json *root, asr_error *error)
{
    const char *content;
    json_t *value;
    json_object_foreach(root->value, content, value)
    {
        json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
        if (id < 0 || id >= ASR_BPE_VOCAB_MAX)
            return asr_fail(error,
                            "%s has a token whose id is not a whole number from 0 "
                            "to %d; " DAMAGED,
                            root->file, ASR_BPE_VOCAB_MAX - 1);
        if (!add_token(specials, content, (int)id, 0, root->file, error))
            return false;
    }
    return true;
}

/* Reads "added_tokens_decoder", whose keys are ids. */
static bool read_decoder(asr_specials *specials, const asr_json *decoder,
                         asr_error *error)
{
    const char *key;
    json_t *value;
    json_object_foreach(decoder->value, key, value)
    {
        char *end;
        long id = strtol(key, &end, 10);
        asr_json token = {value, decoder->file};
        if (end == key || *end || id < 0 || id >= ASR_BPE_VOCAB_MAX)
            return asr_fail(error,
                            "%s has a token whose id is not a whole number from 0 "
                            "to %d; " DAMAGED,
                            decoder->file, ASR_BPE_VOCAB_MAX - 1);
        if (!add_description(specials, &token, (int)id, error))
            return false;
    }
    return true;
}

/* Marks as special the token that `value` names: a string, or an object with "content".
 * Anything else names none. */
static bool mark_special(asr_specials *specials, const json_t *value, const char *file,
                         asr_error *error)
{
    if (json_is_object(value))
        value = json_object_get(value, "content");
    return !json_is_string(value) || add_token(specials, json_string_value(value), -1,
                                               ASR_ADDED_SPECIAL, file, error);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

bool asr_specials_read_config(asr_specials *specials, const asr_json *root,
                              asr_error *error)
{
    asr_json decoder;
    const char *key;
    json_t *value;
    if (asr_json_has(root, "added_tokens_decoder") &&
        (!asr_json_object(root, "added_tokens_decoder", &decoder, error) ||
         !read_decoder(specials, &decoder, error)))
        return false;
    json_object_foreach(root->value, key, value)
    {
        size_t i;
        json_t *item;
        if (ends_with(key, "_token") && !mark_special(specials, value, root->file, error))
            return false;
        if (!ends_with(key, "_special_tokens"))
            continue;
        json_array_foreach(value, i, item)
        {
            if (!mark_special(specials, item, root->file, error))
                return false;
        }
    }
    return true;
}

/* Puts the token into the set of those looked for before or after normalisation, and
 * those after it in normalised form. */
static bool add_pattern(asr_tokenizer *tokenizer, int id, asr_error *error)
{
    asr_added added = {.id = id, .flags = tokenizer->flags[id]};
    const char *content = asr_bpe_vocab_bytes(tokenizer->names, id, &added.length);
    bool normalized = added.flags & ASR_ADDED_NORMALIZED;
    if (normalized && tokenizer->nfc)
        added.pattern = asr_unicode_nfc(content, added.length, &added.length, error);
    else if (!(added.pattern = strndup(content, added.length)))
        asr_fail_memory(error);
    return added.pattern &&
           asr_added_set_append(normalized ? &tokenizer->normalized : &tokenizer->raw,
                                added, error);
}

bool asr_specials_finish(asr_specials *specials, asr_error *error)
{
    asr_tokenizer *tokenizer = specials->tokenizer;
    size_t length;
    for (int id = 0; id < asr_bpe_vocab_size(tokenizer->names); id++)
        if (asr_bpe_vocab_bytes(tokenizer->names, id, &length) &&
            !add_pattern(tokenizer, id, error))
            return false;
    asr_added_set_sort(&tokenizer->raw);
    asr_added_set_sort(&tokenizer->normalized);
    return true;
}
