/* Reading JSON that others wrote: bounded, typed, and with one sentence for the user when
 * a file is not what it should be. Thin helpers over jansson, used by the whole engine.
 *
 *     json_t *root = asr_json_read(path, ASR_JSON_CONFIG_BYTES, error);
 *     asr_json config = {root, path};
 *     ok = asr_json_int(&config, "d_model", 1, 16384, &d_model, error)
 *          && asr_json_number_or(&config, "dropout", 0, 1, 0, &dropout, error);
 *     json_decref(root);
 *
 * Every getter returns false and sets `error` when the member has another type or is out
 * of range. The plain form also fails when the member is missing; the `_or` form then
 * stores `fallback`, as it does for null. Thread-safe as long as the tree is not changed
 * (jansson's reference counts are atomic). */
#ifndef ASR_JSON_H
#define ASR_JSON_H

#include "error.h"

#include <jansson.h>
#include <stddef.h>

/* Bounds for asr_json_read: a model's configuration, and a tokenizer.json. */
#define ASR_JSON_CONFIG_BYTES ((size_t)4 << 20)
#define ASR_JSON_TOKENIZER_BYTES ((size_t)64 << 20)

/* An object, or the array of asr_json_array, with the file it stands in, which only the
 * messages use. Borrows both. */
typedef struct asr_json {
    json_t *value;
    const char *file;
} asr_json;

/* Parses the file `path` of at most `max_bytes`. The root is an object or an array, owned
 * by the caller (json_decref). Nesting, arrays, objects and values are bounded as well,
 * so that memory stays within reason whatever the file holds. NULL on failure. */
json_t *asr_json_read(const char *path, size_t max_bytes, asr_error *error);

/* As asr_json_read, for text in memory; `file` names it in messages. */
json_t *asr_json_parse(const char *text, size_t length, const char *file,
                       asr_error *error);

/* Whether text has no more values and no deeper nesting than the two functions above
 * accept: what any parser that builds a tree of it may be given. */
bool asr_json_is_bounded(const char *text, size_t length);

/* Whether `object` has the member `key`, and it is not null. */
bool asr_json_has(const asr_json *object, const char *key);

/* A whole number from `min` to `max`. */
bool asr_json_int(const asr_json *object, const char *key, int min, int max, int *out,
                  asr_error *error);
bool asr_json_int_or(const asr_json *object, const char *key, int min, int max,
                     int fallback, int *out, asr_error *error);

/* A number from `min` to `max`. */
bool asr_json_number(const asr_json *object, const char *key, double min, double max,
                     double *out, asr_error *error);
bool asr_json_number_or(const asr_json *object, const char *key, double min, double max,
                        double fallback, double *out, asr_error *error);

bool asr_json_bool(const asr_json *object, const char *key, bool *out, asr_error *error);
bool asr_json_bool_or(const asr_json *object, const char *key, bool fallback, bool *out,
                      asr_error *error);

/* A string, borrowed from the tree: valid UTF-8 without NUL inside. */
bool asr_json_string(const asr_json *object, const char *key, const char **out,
                     asr_error *error);
bool asr_json_string_or(const asr_json *object, const char *key, const char *fallback,
                        const char **out, asr_error *error);

/* An array of at most `max_count` whole numbers from `min` to `max`. `out` receives an
 * array owned by the caller (free; never NULL on success). */
bool asr_json_ints(const asr_json *object, const char *key, int min, int max,
                   size_t max_count, int **out, size_t *count, asr_error *error);

/* A member that is an object, or an array. `out` borrows from the tree. */
bool asr_json_object(const asr_json *object, const char *key, asr_json *out,
                     asr_error *error);
bool asr_json_array(const asr_json *object, const char *key, asr_json *out,
                    asr_error *error);

#endif
