/* The families there are, and finding the one a checkpoint belongs to. */
#include "models/family.h"
#include "models/whisper-family.h"
#include "text/json.h"

#include <stdlib.h>
#include <string.h>

static const asr_family *const families[] = {
    &asr_whisper_family,
};

static const asr_family *find_family(const char *directory, asr_error *error)
{
    char *path = NULL;
    const char *type;
    const asr_family *found = NULL;
    if (asprintf(&path, "%s/config.json", directory) < 0) {
        asr_fail_memory(error);
        return NULL;
    }
    json_t *root = asr_json_read(path, ASR_JSON_CONFIG_BYTES, error);
    asr_json config = {root, path};
    if (root && asr_json_string(&config, "model_type", &type, error)) {
        for (size_t i = 0; i < sizeof(families) / sizeof(families[0]) && !found; i++)
            if (strcmp(families[i]->model_type, type) == 0)
                found = families[i];
        if (!found)
            asr_fail(error,
                     "%s describes a model of type \"%.40s\", which is not supported; "
                     "`verbatim-cli models list` shows those that are.",
                     path, type);
    }
    json_decref(root);
    free(path);
    return found;
}

asr_recognizer *asr_recognizer_open(const asr_recognizer_params *params, asr_error *error)
{
    const asr_family *family = find_family(params->directory, error);
    asr_recognizer *recognizer = family ? family->open(params, error) : NULL;
    if (recognizer)
        recognizer->family = family;
    return recognizer;
}

void asr_recognizer_destroy(asr_recognizer **recognizer)
{
    if (*recognizer)
        (*recognizer)->family->destroy(*recognizer);
    *recognizer = NULL;
}

float *asr_trace_add(asr_trace *trace, const char *name, int rows, int cols,
                     asr_error *error)
{
    float *data = calloc((size_t)rows * (size_t)cols, sizeof(*data));
    if (!data) {
        asr_fail_memory(error);
        return NULL;
    }
    trace->items[trace->n_items++] = (asr_trace_item){name, rows, cols, data};
    return data;
}

void asr_trace_clear(asr_trace *trace)
{
    for (int i = 0; i < trace->n_items; i++)
        free(trace->items[i].data);
    trace->n_items = 0;
}
