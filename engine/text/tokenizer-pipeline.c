/* How a tokenizer prepares text for BPE: normalisation and cutting, as tokenizer.json
 * describes them, or inferred where a model has no such file. */
#include "tokenizer-private.h"

#include <string.h>

/* What is being filled in, and which stages have been read. */
typedef struct pipeline {
    asr_tokenizer *tokenizer;
    bool cuts;   /* a stage cuts text into pieces */
    bool spells; /* a stage turns the pieces into the alphabet of bytes */
} pipeline;

static bool fail_unknown(const asr_json *json, const char *what, asr_error *error)
{
    return asr_fail(error,
                    "%s asks for a %s that this version does not know; choose "
                    "another model.",
                    json->file, what);
}

/* Reads one stage: a normaliser or a pre-tokeniser. */
typedef bool read_stage(pipeline *p, const asr_json *stage, asr_error *error);

/* Reads the stages in the list `key` of a "Sequence", one after the other. */
static bool read_sequence(pipeline *p, const asr_json *sequence, const char *key,
                          read_stage *read, asr_error *error)
{
    asr_json list;
    if (!asr_json_array(sequence, key, &list, error))
        return false;
    for (size_t i = 0; i < json_array_size(list.value); i++) {
        asr_json stage = {json_array_get(list.value, i), list.file};
        if (!read(p, &stage, error))
            return false;
    }
    return true;
}

static bool read_normalizer(pipeline *p, const asr_json *stage, asr_error *error)
{
    const char *type;
    if (!asr_json_string(stage, "type", &type, error))
        return false;
    if (strcmp(type, "Sequence") == 0)
        return read_sequence(p, stage, "normalizers", read_normalizer, error);
    if (strcmp(type, "NFC") != 0)
        return fail_unknown(stage, "normalizer", error);
    p->tokenizer->nfc = true;
    return true;
}

/* A "Split" by one of the known expressions, whose matches become the pieces. */
static bool read_split(pipeline *p, const asr_json *stage, asr_error *error)
{
    asr_json pattern;
    const char *expression, *behavior;
    bool invert;
    if (!asr_json_object(stage, "pattern", &pattern, error) ||
        !asr_json_string_or(&pattern, "Regex", "", &expression, error) ||
        !asr_json_string_or(stage, "behavior", "", &behavior, error) ||
        !asr_json_bool_or(stage, "invert", false, &invert, error))
        return false;
    bool is_qwen = strcmp(expression, ASR_PRETOKENIZE_QWEN_PATTERN) == 0;
    bool is_gpt2 = strcmp(expression, ASR_PRETOKENIZE_GPT2_PATTERN) == 0;
    if (p->cuts || p->spells || (!is_qwen && !is_gpt2) ||
        strcmp(behavior, "Isolated") != 0 || invert)
        return fail_unknown(stage, "pre-tokenizer", error);
    p->tokenizer->pretokenize = is_qwen ? ASR_PRETOKENIZE_QWEN : ASR_PRETOKENIZE_GPT2;
    p->cuts = true;
    return true;
}

/* "ByteLevel": cuts as GPT-2 does unless told not to, then spells the pieces. A space
 * put before every piece of an earlier cut is something no known model does. */
static bool read_byte_level(pipeline *p, const asr_json *stage, asr_error *error)
{
    bool cuts, prefix_space;
    if (!asr_json_bool_or(stage, "use_regex", true, &cuts, error) ||
        !asr_json_bool_or(stage, "add_prefix_space", false, &prefix_space, error))
        return false;
    if (p->spells || cuts == p->cuts || (prefix_space && !cuts))
        return fail_unknown(stage, "pre-tokenizer", error);
    if (cuts)
        p->tokenizer->pretokenize = ASR_PRETOKENIZE_GPT2;
    p->tokenizer->prefix_space = prefix_space;
    p->cuts = p->spells = true;
    return true;
}

static bool read_pretokenizer(pipeline *p, const asr_json *stage, asr_error *error)
{
    const char *type;
    if (!asr_json_string(stage, "type", &type, error))
        return false;
    if (strcmp(type, "Sequence") == 0)
        return read_sequence(p, stage, "pretokenizers", read_pretokenizer, error);
    if (strcmp(type, "Split") == 0)
        return read_split(p, stage, error);
    if (strcmp(type, "ByteLevel") == 0)
        return read_byte_level(p, stage, error);
    return fail_unknown(stage, "pre-tokenizer", error);
}

bool asr_tokenizer_read_pipeline(asr_tokenizer *tokenizer, const asr_json *root,
                                 asr_error *error)
{
    pipeline p = {.tokenizer = tokenizer};
    asr_json stage;
    if (asr_json_has(root, "normalizer") &&
        (!asr_json_object(root, "normalizer", &stage, error) ||
         !read_normalizer(&p, &stage, error)))
        return false;
    if (asr_json_has(root, "pre_tokenizer") &&
        (!asr_json_object(root, "pre_tokenizer", &stage, error) ||
         !read_pretokenizer(&p, &stage, error)))
        return false;
    return p.spells || fail_unknown(root, "pre-tokenizer", error);
}

/* Whether a token holds two digits in a row. Qwen cuts numbers into single digits, so
 * its vocabularies have no such token; those of GPT-2 and Whisper have many. */
static bool has_two_digits(const asr_bpe_vocab *vocab)
{
    for (int id = 0; id < asr_bpe_vocab_size(vocab); id++) {
        size_t length;
        const char *bytes = asr_bpe_vocab_bytes(vocab, id, &length);
        for (size_t i = 0; i + 1 < length; i++)
            if (bytes[i] >= '0' && bytes[i] <= '9' && bytes[i + 1] >= '0' &&
                bytes[i + 1] <= '9')
                return true;
    }
    return false;
}

bool asr_tokenizer_infer_pipeline(asr_tokenizer *tokenizer, const asr_json *config,
                                  asr_error *error)
{
    const char *class;
    if (!asr_json_string_or(config, "tokenizer_class", "", &class, error) ||
        !asr_json_bool_or(config, "add_prefix_space", false, &tokenizer->prefix_space,
                          error))
        return false;
    bool is_gpt2 = strncmp(class, "Whisper", strlen("Whisper")) == 0 ||
                   strncmp(class, "GPT2", strlen("GPT2")) == 0;
    bool is_qwen = strncmp(class, "Qwen", strlen("Qwen")) == 0;
    if (!is_gpt2 && !is_qwen)
        is_qwen = !has_two_digits(tokenizer->vocab);
    tokenizer->pretokenize = is_qwen ? ASR_PRETOKENIZE_QWEN : ASR_PRETOKENIZE_GPT2;
    tokenizer->nfc = is_qwen;
    return true;
}
