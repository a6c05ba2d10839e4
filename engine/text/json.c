/* Bounded JSON: the text is surveyed before jansson builds a tree of it, because a tree
 * can be forty times the size of its text ("[[],[],[],…"). */
#include "json.h"

#include "textfile.h"

#include <limits.h>
#include <stdlib.h>

enum {
    MAX_DEPTH = 64,
    MAX_CONTAINERS = 1 << 20, /* the largest tokenizer.json has 580,000 pairs of merges */
    MAX_VALUES = 4 << 20,
};

#define DAMAGED "the file may be damaged: download the model again."

typedef struct survey {
    int depth, deepest;
    size_t containers, commas;
} survey;

static void survey_structure(survey *s, char c)
{
    switch (c) {
    case '[':
    case '{':
        s->containers++;
        if (++s->depth > s->deepest)
            s->deepest = s->depth;
        break;
    case ']':
    case '}':
        s->depth--;
        break;
    case ',':
        s->commas++;
        break;
    }
}

/* Counts what a parser would allocate for. Text that is not JSON gives any numbers. */
static survey survey_text(const char *text, size_t length)
{
    survey s = {0};
    bool in_string = false;
    for (size_t i = 0; i < length && s.deepest <= MAX_DEPTH; i++) {
        if (text[i] == '"')
            in_string = !in_string;
        else if (in_string && text[i] == '\\')
            i++;
        else if (!in_string)
            survey_structure(&s, text[i]);
    }
    return s;
}

bool asr_json_is_bounded(const char *text, size_t length)
{
    survey s = survey_text(text, length);
    return s.deepest <= MAX_DEPTH && s.containers <= MAX_CONTAINERS &&
           s.commas <= MAX_VALUES;
}

json_t *asr_json_parse(const char *text, size_t length, const char *file,
                       asr_error *error)
{
    if (!asr_json_is_bounded(text, length)) {
        asr_fail(error, "%s holds more values or deeper nesting than any model needs; %s",
                 file, DAMAGED);
        return NULL;
    }
    json_error_t reason;
    json_t *root = json_loadb(text, length, 0, &reason);
    /* The reason's own text is left out: it quotes the file, control characters and all.
     */
    if (!root && json_error_code(&reason) == json_error_out_of_memory)
        asr_fail_memory(error);
    else if (!root)
        asr_fail(error, "%s is not valid JSON (line %d, column %d); %s", file,
                 reason.line, reason.column, DAMAGED);
    return root;
}

json_t *asr_json_read(const char *path, size_t max_bytes, asr_error *error)
{
    size_t length;
    char *text = asr_textfile_read(path, max_bytes, &length, error);
    if (!text)
        return NULL;
    json_t *root = asr_json_parse(text, length, path, error);
    free(text);
    return root;
}

bool asr_json_has(const asr_json *object, const char *key)
{
    json_t *value = json_object_get(object->value, key);
    return value && !json_is_null(value);
}

static bool fail_type(const asr_json *object, const char *key, const char *expected,
                      asr_error *error)
{
    if (!asr_json_has(object, key))
        return asr_fail(error, "%s lacks \"%s\"; %s", object->file, key, DAMAGED);
    return asr_fail(error, "\"%s\" in %s is not %s; %s", key, object->file, expected,
                    DAMAGED);
}

static bool int_in_range(const json_t *value, int min, int max, int *out)
{
    if (!json_is_integer(value))
        return false;
    json_int_t number = json_integer_value(value);
    if (number < min || number > max)
        return false;
    *out = (int)number;
    return true;
}

bool asr_json_int(const asr_json *object, const char *key, int min, int max, int *out,
                  asr_error *error)
{
    const json_t *value = json_object_get(object->value, key);
    if (int_in_range(value, min, max, out))
        return true;
    if (!json_is_integer(value))
        return fail_type(object, key, "a whole number", error);
    return asr_fail(error,
                    "\"%s\" in %s is %" JSON_INTEGER_FORMAT
                    ", but must be from %d to %d; " DAMAGED,
                    key, object->file, json_integer_value(value), min, max);
}

bool asr_json_int_or(const asr_json *object, const char *key, int min, int max,
                     int fallback, int *out, asr_error *error)
{
    if (asr_json_has(object, key))
        return asr_json_int(object, key, min, max, out, error);
    *out = fallback;
    return true;
}

bool asr_json_number(const asr_json *object, const char *key, double min, double max,
                     double *out, asr_error *error)
{
    const json_t *value = json_object_get(object->value, key);
    if (!json_is_number(value))
        return fail_type(object, key, "a number", error);
    double number = json_number_value(value);
    if (!(number >= min && number <= max))
        return asr_fail(error, "\"%s\" in %s is %g, but must be from %g to %g; " DAMAGED,
                        key, object->file, number, min, max);
    *out = number;
    return true;
}

bool asr_json_number_or(const asr_json *object, const char *key, double min, double max,
                        double fallback, double *out, asr_error *error)
{
    if (asr_json_has(object, key))
        return asr_json_number(object, key, min, max, out, error);
    *out = fallback;
    return true;
}

bool asr_json_bool(const asr_json *object, const char *key, bool *out, asr_error *error)
{
    const json_t *value = json_object_get(object->value, key);
    if (!json_is_boolean(value))
        return fail_type(object, key, "true or false", error);
    *out = json_is_true(value);
    return true;
}

bool asr_json_bool_or(const asr_json *object, const char *key, bool fallback, bool *out,
                      asr_error *error)
{
    if (asr_json_has(object, key))
        return asr_json_bool(object, key, out, error);
    *out = fallback;
    return true;
}

bool asr_json_string(const asr_json *object, const char *key, const char **out,
                     asr_error *error)
{
    const json_t *value = json_object_get(object->value, key);
    if (!json_is_string(value))
        return fail_type(object, key, "a string", error);
    *out = json_string_value(value);
    return true;
}

bool asr_json_string_or(const asr_json *object, const char *key, const char *fallback,
                        const char **out, asr_error *error)
{
    if (asr_json_has(object, key))
        return asr_json_string(object, key, out, error);
    *out = fallback;
    return true;
}

bool asr_json_ints(const asr_json *object, const char *key, int min, int max,
                   size_t max_count, int **out, size_t *count, asr_error *error)
{
    const json_t *array = json_object_get(object->value, key);
    if (!json_is_array(array))
        return fail_type(object, key, "a list of whole numbers", error);
    size_t n = json_array_size(array);
    if (n > max_count)
        return asr_fail(
            error, "\"%s\" in %s has %zu entries, but at most %zu are expected; " DAMAGED,
            key, object->file, n, max_count);
    int *numbers = malloc((n + 1) * sizeof(*numbers));
    if (!numbers)
        return asr_fail_memory(error);
    for (size_t i = 0; i < n; i++) {
        if (int_in_range(json_array_get(array, i), min, max, &numbers[i]))
            continue;
        free(numbers);
        return asr_fail(error,
                        "Entry %zu of \"%s\" in %s is not a whole number from %d "
                        "to %d; " DAMAGED,
                        i + 1, key, object->file, min, max);
    }
    *out = numbers;
    *count = n;
    return true;
}

bool asr_json_object(const asr_json *object, const char *key, asr_json *out,
                     asr_error *error)
{
    json_t *value = json_object_get(object->value, key);
    if (!json_is_object(value))
        return fail_type(object, key, "an object", error);
    *out = (asr_json){value, object->file};
    return true;
}

bool asr_json_array(const asr_json *object, const char *key, asr_json *out,
                    asr_error *error)
{
    json_t *value = json_object_get(object->value, key);
    if (!json_is_array(value))
        return fail_type(object, key, "a list", error);
    *out = (asr_json){value, object->file};
    return true;
}
