/* Reads data/models.json into plain structs, checking every name that later becomes part
 * of a path or an address. */
#include "weights/catalogue.h"

#include "text/json.h"
#include "text/textfile.h"
#include "weights/store.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_MODELS = 1000, MAX_FILES = 100, MAX_LANGUAGES = 2000 };
static const size_t max_bytes = 4 << 20;
static const double max_file_size = 1e12;
static const double max_parameters = 1e13;

static bool copy_string(const asr_json *object, const char *key, char **out,
                        asr_error *error)
{
    const char *text;
    if (!asr_json_string(object, key, &text, error)) {
        return false;
    }
    *out = strdup(text);
    return *out || asr_fail_memory(error);
}

/* As copy_string, for what becomes part of a path and of an address: it needs no escaping
 * and cannot lead elsewhere. */
static bool copy_name(const asr_json *object, const char *key, char **out,
                      asr_error *error)
{
    if (!copy_string(object, key, out, error)) {
        return false;
    }
    if (!asr_store_valid_name(*out)) {
        return asr_fail(error, "%s: \"%s\" is not a usable %s.", object->file, *out, key);
    }
    return true;
}

/* As copy_name, for OWNER/NAME. */
static bool copy_repository(const asr_json *object, char **out, asr_error *error)
{
    if (!copy_string(object, "repository", out, error)) {
        return false;
    }
    char *slash = strchr(*out, '/');
    if (slash) {
        *slash = '\0';
        bool valid = asr_store_valid_name(*out) && asr_store_valid_name(slash + 1);
        *slash = '/';
        if (valid) {
            return true;
        }
    }
    return asr_fail(error, "%s: \"%s\" is not a repository.", object->file, *out);
}

/* An empty checksum where the catalogue has none. */
static bool read_sha256(const asr_json *object, char sha256[65], asr_error *error)
{
    const char *text;
    if (!asr_json_string_or(object, "sha256", "", &text, error)) {
        return false;
    }
    size_t length = strlen(text);
    if (length != 0 && (length != 64 || strspn(text, "0123456789abcdef") != 64)) {
        return asr_fail(error, "%s: \"%s\" is not a SHA-256 checksum.", object->file,
                        text);
    }
    memcpy(sha256, text, length + 1);
    return true;
}

static bool read_file(const asr_json *object, asr_catalogue_file *file, asr_error *error)
{
    double size;
    if (!copy_name(object, "name", &file->name, error) ||
        !asr_json_number_or(object, "size", 0, max_file_size, -1, &size, error) ||
        !read_sha256(object, file->sha256, error)) {
        return false;
    }
    file->size = (int64_t)size;
    return true;
}

/* The elements of an array of 1 to `max` members, zeroed. */
static void *allocate_elements(const asr_json *array, size_t max, size_t size,
                               asr_error *error)
{
    size_t count = json_array_size(array->value);
    if (count == 0 || count > max) {
        asr_fail(error, "%s: an array of %zu members is not what belongs there.",
                 array->file, count);
        return NULL;
    }
    void *elements = calloc(count, size);
    if (!elements) {
        asr_fail_memory(error);
    }
    return elements;
}

static bool read_files(const asr_json *object, asr_catalogue_model *model,
                       asr_error *error)
{
    asr_json array;
    if (!asr_json_array(object, "files", &array, error)) {
        return false;
    }
    model->files = allocate_elements(&array, MAX_FILES, sizeof *model->files, error);
    if (!model->files) {
        return false;
    }
    size_t count = json_array_size(array.value);
    while (model->file_count < count) {
        asr_json item = {json_array_get(array.value, model->file_count), array.file};
        asr_catalogue_file *file = &model->files[model->file_count++];
        if (!read_file(&item, file, error)) {
            return false;
        }
    }
    return true;
}

/* A model names a set of languages that the catalogue lists once. */
static bool read_languages(const asr_json *object, const asr_json *sets,
                           asr_catalogue_model *model, asr_error *error)
{
    const char *set;
    asr_json array;
    if (!asr_json_string(object, "languages", &set, error) ||
        !asr_json_array(sets, set, &array, error)) {
        return false;
    }
    model->languages =
        allocate_elements(&array, MAX_LANGUAGES, sizeof *model->languages, error);
    if (!model->languages) {
        return false;
    }
    size_t count = json_array_size(array.value);
    while (model->language_count < count) {
        const char *code =
            json_string_value(json_array_get(array.value, model->language_count));
        if (!code) {
            return asr_fail(error, "%s: the languages \"%s\" are not all strings.",
                            object->file, set);
        }
        char *copy = strdup(code);
        if (!copy) {
            return asr_fail_memory(error);
        }
        model->languages[model->language_count++] = copy;
    }
    return true;
}

static bool read_model(const asr_json *object, const asr_json *sets,
                       asr_catalogue_model *model, asr_error *error)
{
    double parameters;
    if (!copy_name(object, "name", &model->name, error) ||
        !copy_string(object, "title", &model->title, error) ||
        !copy_string(object, "family", &model->family, error) ||
        !copy_string(object, "licence", &model->licence, error) ||
        !copy_repository(object, &model->repository, error) ||
        !copy_name(object, "revision", &model->revision, error) ||
        !asr_json_number(object, "parameters", 0, max_parameters, &parameters, error)) {
        return false;
    }
    model->parameters = (int64_t)parameters;
    return read_languages(object, sets, model, error) && read_files(object, model, error);
}

static bool read_models(const asr_json *root, asr_catalogue *catalogue, asr_error *error)
{
    asr_json sets, array;
    if (!asr_json_object(root, "languages", &sets, error) ||
        !asr_json_array(root, "models", &array, error)) {
        return false;
    }
    catalogue->models =
        allocate_elements(&array, MAX_MODELS, sizeof *catalogue->models, error);
    if (!catalogue->models) {
        return false;
    }
    size_t count = json_array_size(array.value);
    while (catalogue->count < count) {
        asr_json item = {json_array_get(array.value, catalogue->count), array.file};
        asr_catalogue_model *model = &catalogue->models[catalogue->count++];
        if (!read_model(&item, &sets, model, error)) {
            return false;
        }
    }
    return true;
}

asr_catalogue *asr_catalogue_parse(const char *text, size_t length, const char *path,
                                   asr_error *error)
{
    asr_json root = {asr_json_parse(text, length, path, error), path};
    if (!root.value) {
        return NULL;
    }
    asr_catalogue *catalogue = calloc(1, sizeof *catalogue);
    if (!catalogue) {
        asr_fail_memory(error);
    } else if (!read_models(&root, catalogue, error)) {
        asr_catalogue_destroy(&catalogue);
    }
    json_decref(root.value);
    return catalogue;
}

asr_catalogue *asr_catalogue_create(const char *path, asr_error *error)
{
    size_t length;
    char *text = asr_textfile_read(path, max_bytes, &length, error);
    if (!text) {
        return NULL;
    }
    asr_catalogue *catalogue = asr_catalogue_parse(text, length, path, error);
    free(text);
    return catalogue;
}

static void clear_model(asr_catalogue_model *model)
{
    for (size_t i = 0; i < model->file_count; i++) {
        free(model->files[i].name);
    }
    for (size_t i = 0; i < model->language_count; i++) {
        free(model->languages[i]);
    }
    free(model->files);
    free(model->languages);
    free(model->name);
    free(model->title);
    free(model->family);
    free(model->licence);
    free(model->repository);
    free(model->revision);
}

void asr_catalogue_destroy(asr_catalogue **catalogue)
{
    if (!*catalogue) {
        return;
    }
    for (size_t i = 0; i < (*catalogue)->count; i++) {
        clear_model(&(*catalogue)->models[i]);
    }
    free((*catalogue)->models);
    free(*catalogue);
    *catalogue = NULL;
}

const asr_catalogue_model *asr_catalogue_find(const asr_catalogue *catalogue,
                                              const char *name)
{
    for (size_t i = 0; i < catalogue->count; i++) {
        if (strcmp(catalogue->models[i].name, name) == 0) {
            return &catalogue->models[i];
        }
    }
    return NULL;
}

int64_t asr_catalogue_size(const asr_catalogue_model *model)
{
    int64_t size = 0;
    bool weights_known = false;
    for (size_t i = 0; i < model->file_count; i++) {
        if (model->files[i].size >= 0) {
            size += model->files[i].size;
            weights_known |= asr_store_is_weights(model->files[i].name);
        }
    }
    return weights_known ? size : -1;
}
