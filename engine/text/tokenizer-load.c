/* Reading a tokenizer from a model directory: either tokenizer.json, which says all, or
 * vocab.json with merges.txt, whose way of cutting text is known from elsewhere. Added
 * tokens come from whatever files name them.
 *
 * A file may say anything. Ids and sizes are bounded, merges only ever make longer
 * tokens, and what cannot be done as the tokenizers library does it is refused. */
#include "bpe-alphabet.h"
#include "textfile.h"
#include "tokenizer-private.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAMAGED "the file may be damaged: download the model again."

/* A JSON file of the model directory. */
typedef struct document {
    char *path;
    asr_json json; /* value is NULL when the file does not exist */
} document;

static void close_document(document *doc)
{
    json_decref(doc->json.value);
    free(doc->path);
    *doc = (document){0};
}

static char *join_path(const char *directory, const char *name, asr_error *error)
{
    char *path;
    if (asprintf(&path, "%s/%s", directory, name) >= 0)
        return path;
    asr_fail_memory(error);
    return NULL;
}

/* Opens the file `name` if there is one. True without a value where there is none. */
static bool open_document(document *doc, const char *directory, const char *name,
                          asr_error *error)
{
    *doc = (document){.path = join_path(directory, name, error)};
    if (!doc->path)
        return false;
    doc->json.file = doc->path;
    if (access(doc->path, F_OK) != 0)
        return true;
    doc->json.value = asr_json_read(doc->path, ASR_JSON_TOKENIZER_BYTES, error);
    if (!doc->json.value)
        return false;
    if (!json_is_object(doc->json.value))
        return asr_fail(error, "%s does not hold an object; " DAMAGED, doc->path);
    return true;
}

/* Adds one token of the vocabulary. A token that is not written in the alphabet cannot be
 * met in encoding; it stands for its own characters, as in the library's decoder. */
static bool load_token(asr_bpe_vocab *vocab, const char *token, const json_t *id,
                       const char *file, asr_error *error)
{
    char bytes[ASR_TOKENIZER_TOKEN_BYTES];
    size_t length = strlen(token), n;
    json_int_t number = json_is_integer(id) ? json_integer_value(id) : -1;
    if (number < 0 || number >= ASR_BPE_VOCAB_MAX)
        return asr_fail(
            error, "%s has a token whose id is not a whole number from 0 to %d; " DAMAGED,
            file, ASR_BPE_VOCAB_MAX - 1);
    if (length > sizeof(bytes))
        return asr_fail(error,
                        "%s has a token of %zu bytes, but at most %zu are "
                        "expected; " DAMAGED,
                        file, length, sizeof(bytes));
    bool spelled = asr_bpe_alphabet_read(token, length, bytes, &n);
    return asr_bpe_vocab_add(vocab, (int)number, spelled ? bytes : token,
                             spelled ? n : length, spelled, file, error);
}

/* `vocab` is an object from token to id. */
static bool load_vocab(asr_tokenizer *tokenizer, const asr_json *vocab, asr_error *error)
{
    const char *token;
    json_t *id;
    json_object_foreach(vocab->value, token, id)
    {
        if (!load_token(tokenizer->vocab, token, id, vocab->file, error))
            return false;
    }
    if (asr_bpe_vocab_size(tokenizer->vocab) == 0)
        return asr_fail(error, "%s has no tokens; " DAMAGED, vocab->file);
    return true;
}

/* Half a merge, as a file spells it. */
typedef struct spelling {
    const char *text;
    size_t length;
} spelling;

/* Adds the merge of `left` and `right`, the `number`th of `file`. */
static bool load_merge(asr_tokenizer *tokenizer, spelling left, spelling right,
                       size_t number, const char *file, asr_error *error)
{
    char bytes[2 * ASR_TOKENIZER_TOKEN_BYTES];
    size_t n_left = 0, n_right = 0;
    if (left.length + right.length > sizeof(bytes) ||
        !asr_bpe_alphabet_read(left.text, left.length, bytes, &n_left) ||
        !asr_bpe_alphabet_read(right.text, right.length, bytes + n_left, &n_right) ||
        n_left == 0 || n_right == 0)
        return asr_fail(error, "Merge %zu of %s is not two byte-level tokens; " DAMAGED,
                        number, file);
    int left_id = asr_bpe_vocab_find(tokenizer->vocab, bytes, n_left);
    int right_id = asr_bpe_vocab_find(tokenizer->vocab, bytes + n_left, n_right);
    int merged_id = asr_bpe_vocab_find(tokenizer->vocab, bytes, n_left + n_right);
    if (left_id < 0 || right_id < 0 || merged_id < 0)
        return asr_fail(
            error, "Merge %zu of %s needs a token that the vocabulary lacks; " DAMAGED,
            number, file);
    return asr_bpe_add_merge(tokenizer->bpe, left_id, right_id, merged_id, error);
}

/* Adds a merge that is written with one space between its halves. */
static bool load_merge_line(asr_tokenizer *tokenizer, const char *line, size_t length,
                            size_t number, const char *file, asr_error *error)
{
    const char *space = memchr(line, ' ', length);
    if (!space)
        return asr_fail(error, "Merge %zu of %s is not two byte-level tokens; " DAMAGED,
                        number, file);
    spelling left = {line, (size_t)(space - line)};
    spelling right = {space + 1, length - left.length - 1};
    return load_merge(tokenizer, left, right, number, file, error);
}

/* Adds a merge that is a string, or a list of two strings. */
static bool load_merge_value(asr_tokenizer *tokenizer, const json_t *value, size_t number,
                             const char *file, asr_error *error)
{
    const json_t *a = json_array_get(value, 0), *b = json_array_get(value, 1);
    if (json_is_string(value))
        return load_merge_line(tokenizer, json_string_value(value),
                               json_string_length(value), number, file, error);
    if (json_array_size(value) != 2 || !json_is_string(a) || !json_is_string(b))
        return asr_fail(error, "Merge %zu of %s is not two byte-level tokens; " DAMAGED,
                        number, file);
    spelling left = {json_string_value(a), json_string_length(a)};
    spelling right = {json_string_value(b), json_string_length(b)};
    return load_merge(tokenizer, left, right, number, file, error);
}

static bool load_merge_list(asr_tokenizer *tokenizer, const asr_json *merges,
                            asr_error *error)
{
    size_t i;
    json_t *value;
    json_array_foreach(merges->value, i, value)
    {
        if (!load_merge_value(tokenizer, value, i + 1, merges->file, error))
            return false;
    }
    return true;
}

/* Adds the merges in the lines of `text`; a "#version" line and empty lines are none. */
static bool load_merge_lines(asr_tokenizer *tokenizer, const char *text, size_t length,
                             const char *file, asr_error *error)
{
    static const char comment[] = "#version";
    size_t number = 0;
    while (length > 0) {
        const char *newline = memchr(text, '\n', length);
        size_t step = newline ? (size_t)(newline - text) + 1 : length;
        size_t n = newline ? step - 1 : step;
        if (n > 0 && text[n - 1] == '\r')
            n--;
        bool is_comment = n >= strlen(comment) && !memcmp(text, comment, strlen(comment));
        if (n > 0 && !is_comment &&
            !load_merge_line(tokenizer, text, n, ++number, file, error))
            return false;
        text += step;
        length -= step;
    }
    return true;
}

static bool load_merge_file(asr_tokenizer *tokenizer, const char *directory,
                            asr_error *error)
{
    size_t length;
    char *path = join_path(directory, "merges.txt", error);
    if (!path)
        return false;
    char *text = asr_textfile_read(path, ASR_JSON_TOKENIZER_BYTES, &length, error);
    bool ok = text && load_merge_lines(tokenizer, text, length, path, error);
    free(text);
    free(path);
    return ok;
}

/* Refuses what byte-level BPE does not have: a kind of model other than BPE, and marks at
 * the seams of a word. */
static bool check_model(const asr_json *model, asr_error *error)
{
    const char *type, *prefix, *suffix;
    if (!asr_json_string_or(model, "type", "BPE", &type, error) ||
        !asr_json_string_or(model, "continuing_subword_prefix", "", &prefix, error) ||
        !asr_json_string_or(model, "end_of_word_suffix", "", &suffix, error))
        return false;
    if (strcmp(type, "BPE") == 0 && !*prefix && !*suffix)
        return true;
    return asr_fail(error,
                    "%s is not a byte-level BPE tokenizer, the kind this version "
                    "can read; choose another model.",
                    model->file);
}

/* Reads the model of tokenizer.json and leaves its vocabulary in `vocab`. */
static bool load_model(asr_tokenizer *tokenizer, const asr_json *root, asr_json *vocab,
                       asr_error *error)
{
    asr_json model, merges;
    bool whole_words;
    if (!asr_json_object(root, "model", &model, error) || !check_model(&model, error) ||
        !asr_json_object(&model, "vocab", vocab, error) ||
        !asr_json_array(&model, "merges", &merges, error) ||
        !asr_json_bool_or(&model, "ignore_merges", false, &whole_words, error) ||
        !load_vocab(tokenizer, vocab, error))
        return false;
    tokenizer->bpe = asr_bpe_create(tokenizer->vocab, whole_words, error);
    return tokenizer->bpe && load_merge_list(tokenizer, &merges, error);
}

static bool load_vocab_and_merges(asr_tokenizer *tokenizer, const char *directory,
                                  const asr_json *vocab, asr_error *error)
{
    if (!vocab->value)
        return asr_fail(error,
                        "%s holds neither tokenizer.json nor vocab.json; choose the "
                        "directory of a model, or download the model again.",
                        directory);
    if (!load_vocab(tokenizer, vocab, error))
        return false;
    tokenizer->bpe = asr_bpe_create(tokenizer->vocab, false, error);
    return tokenizer->bpe && load_merge_file(tokenizer, directory, error);
}

/* The files that a tokenizer is read from. */
typedef struct files {
    document tokenizer, vocab, added, map, config;
} files;

static bool open_files(files *f, const char *directory, asr_error *error)
{
    return open_document(&f->tokenizer, directory, "tokenizer.json", error) &&
           (f->tokenizer.json.value ||
            open_document(&f->vocab, directory, "vocab.json", error)) &&
           open_document(&f->added, directory, "added_tokens.json", error) &&
           open_document(&f->map, directory, "special_tokens_map.json", error) &&
           open_document(&f->config, directory, "tokenizer_config.json", error);
}

static bool load_specials(asr_tokenizer *tokenizer, const files *f, const asr_json *vocab,
                          asr_error *error)
{
    asr_specials specials = {.tokenizer = tokenizer, .vocab = vocab->value};
    return (!f->tokenizer.json.value ||
            asr_specials_read_list(&specials, &f->tokenizer.json, error)) &&
           (!f->added.json.value ||
            asr_specials_read_ids(&specials, &f->added.json, error)) &&
           (!f->config.json.value ||
            asr_specials_read_config(&specials, &f->config.json, error)) &&
           (!f->map.json.value ||
            asr_specials_read_config(&specials, &f->map.json, error)) &&
           asr_specials_finish(&specials, error);
}

static bool load_files(asr_tokenizer *tokenizer, const char *directory, const files *f,
                       asr_error *error)
{
    asr_json vocab = f->vocab.json;
    if (f->tokenizer.json.value)
        return asr_tokenizer_read_pipeline(tokenizer, &f->tokenizer.json, error) &&
               load_model(tokenizer, &f->tokenizer.json, &vocab, error) &&
               load_specials(tokenizer, f, &vocab, error);
    return load_vocab_and_merges(tokenizer, directory, &vocab, error) &&
           asr_tokenizer_infer_pipeline(tokenizer, &f->config.json, error) &&
           load_specials(tokenizer, f, &vocab, error);
}

bool asr_tokenizer_load(asr_tokenizer *tokenizer, const char *directory, asr_error *error)
{
    files f = {0};
    tokenizer->vocab = asr_bpe_vocab_create(error);
    tokenizer->names = asr_bpe_vocab_create(error);
    bool ok = tokenizer->vocab && tokenizer->names && open_files(&f, directory, error) &&
              load_files(tokenizer, directory, &f, error);
    close_document(&f.tokenizer);
    close_document(&f.vocab);
    close_document(&f.added);
    close_document(&f.map);
    close_document(&f.config);
    return ok;
}
