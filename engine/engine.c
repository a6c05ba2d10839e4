/* Devices and models: choosing a backend, opening a checkpoint on it, running it. */
#include "engine.h"

#include "cpu/cpu.h"
#include "models/family.h"
#include "reference/reference.h"
#include "savefile.h"
#include "vulkan/vulkan.h"
#include "weights/safetensors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEVICES 16

struct asr_model {
    asr_backend *backend;
    asr_recognizer *recognizer;
    char *name;
};

/* A device as the user names it. */
typedef enum device_kind {
    DEVICE_AUTO,
    DEVICE_CPU,
    DEVICE_VULKAN,
    DEVICE_REFERENCE,
} device_kind;

static bool parse_device(const char *text, device_kind *kind, int *index,
                         asr_error *error)
{
    *index = -1;
    if (!text || strcmp(text, "auto") == 0) {
        *kind = DEVICE_AUTO;
    } else if (strcmp(text, "cpu") == 0) {
        *kind = DEVICE_CPU;
    } else if (strcmp(text, "reference") == 0) {
        *kind = DEVICE_REFERENCE;
    } else if (strcmp(text, "vulkan") == 0) {
        *kind = DEVICE_VULKAN;
    } else if (strncmp(text, "vulkan:", 7) == 0) {
        char *end;
        errno = 0;
        long value = strtol(text + 7, &end, 10);
        *kind = DEVICE_VULKAN;
        *index = (int)value;
        if (errno || *end || end == text + 7 || value < 0 || value >= MAX_DEVICES)
            return asr_fail(error,
                            "There is no device \"%.40s\"; `verbatim-cli devices` "
                            "lists those there are.",
                            text);
    } else {
        return asr_fail(error,
                        "There is no device \"%.40s\"; choose auto, cpu, vulkan, "
                        "vulkan:N or reference.",
                        text);
    }
    return true;
}

static bool is_gpu(const asr_vulkan_device *device)
{
    return device->usable && device->type != ASR_VULKAN_SOFTWARE;
}

static int count_devices(asr_vulkan_device *devices)
{
    int n = asr_vulkan_devices(devices, MAX_DEVICES, NULL);
    return n < 0 ? 0 : n > MAX_DEVICES ? MAX_DEVICES : n;
}

static bool has_gpu(void)
{
    asr_vulkan_device *devices = calloc(MAX_DEVICES, sizeof(*devices));
    bool found = false;
    for (int i = devices ? count_devices(devices) : 0; i > 0 && !found; i--)
        found = is_gpu(&devices[i - 1]);
    free(devices);
    return found;
}

static asr_backend *create_cpu(const asr_model_params *params, asr_error *error)
{
    asr_cpu_params cpu = {.n_threads = params->n_threads};
    return asr_cpu_create(&cpu, error);
}

static asr_backend *create_vulkan(const asr_model_params *params, int index,
                                  asr_error *error)
{
    asr_vulkan_params vulkan = {
        .device_index = index,
        .allow_software = true,
        .cache_dir = params->cache_directory,
    };
    return asr_vulkan_create(&vulkan, error);
}

static asr_backend *create_backend(const asr_model_params *params, asr_error *error)
{
    device_kind kind;
    int index;
    if (!parse_device(params->device, &kind, &index, error))
        return NULL;
    switch (kind) {
    case DEVICE_AUTO:
        if (has_gpu()) {
            asr_backend *backend = create_vulkan(params, index, NULL);
            if (backend)
                return backend;
        }
        return create_cpu(params, error);
    case DEVICE_CPU:
        return create_cpu(params, error);
    case DEVICE_VULKAN:
        return create_vulkan(params, index, error);
    case DEVICE_REFERENCE:
        return asr_reference_create(error);
    }
    return NULL;
}

/* The last part of a path, without slashes at its end. Owned by the caller. */
static char *base_name(const char *path)
{
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    return strndup(path + start, end - start);
}

asr_model *asr_model_open(const asr_model_params *params, asr_error *error)
{
    asr_model *model = calloc(1, sizeof(*model));
    if (!model || !(model->name = base_name(params->directory))) {
        asr_fail_memory(error);
        goto fail;
    }
    model->backend = create_backend(params, error);
    if (!model->backend)
        goto fail;
    asr_recognizer_params recognizer = {
        .directory = params->directory,
        .cache_directory = params->cache_directory,
        .backend = model->backend,
        .precision = params->precision,
        .max_beam_size =
            params->max_beam_size ? params->max_beam_size : ASR_BEAM_SIZE_DEFAULT,
    };
    model->recognizer = asr_recognizer_open(&recognizer, error);
    if (!model->recognizer)
        goto fail;
    return model;
fail:
    asr_model_destroy(&model);
    return NULL;
}

void asr_model_destroy(asr_model **model)
{
    if (*model) {
        asr_recognizer_destroy(&(*model)->recognizer);
        asr_backend_destroy(&(*model)->backend);
        free((*model)->name);
        free(*model);
    }
    *model = NULL;
}

const char *asr_model_name(const asr_model *model)
{
    return model->name;
}

const char *asr_model_device(const asr_model *model)
{
    return asr_backend_description(model->backend);
}

asr_transcript *asr_model_transcribe(asr_model *model, const char *path,
                                     const asr_transcribe_params *params,
                                     asr_error *error)
{
    const asr_family *family = model->recognizer->family;
    asr_audio_file *audio = asr_audio_file_open(path, family->sample_rate, error);
    asr_transcript *transcript =
        audio ? asr_transcript_create(model->name, params->language, error) : NULL;
    if (transcript &&
        !family->transcribe(model->recognizer, audio, params, transcript, error))
        asr_transcript_destroy(&transcript);
    asr_audio_file_destroy(&audio);
    return transcript;
}

static bool write_trace(FILE *out, const char *name, void *user, asr_error *error)
{
    const asr_trace *trace = user;
    asr_tensor_spec specs[ASR_TRACE_MAX_ITEMS];
    for (int i = 0; i < trace->n_items; i++)
        specs[i] = (asr_tensor_spec){trace->items[i].name,
                                     ASR_F32,
                                     2,
                                     {trace->items[i].rows, trace->items[i].cols}};
    bool ok =
        asr_safetensors_write_header(out, specs, (size_t)trace->n_items, NULL, NULL);
    for (int i = 0; i < trace->n_items && ok; i++) {
        const asr_trace_item *item = &trace->items[i];
        size_t n = (size_t)item->rows * (size_t)item->cols;
        ok = fwrite(item->data, sizeof(float), n, out) == n;
    }
    ok = ok && fflush(out) == 0;
    return ok || asr_file_save_failed(name, errno, error);
}

bool asr_model_trace(asr_model *model, const char *path, const int *tokens, int n_tokens,
                     const char *output, asr_error *error)
{
    const asr_family *family = model->recognizer->family;
    asr_trace trace = {0};
    asr_audio_file *audio = asr_audio_file_open(path, family->sample_rate, error);
    bool ok = audio &&
              family->trace(model->recognizer, audio, tokens, n_tokens, &trace, error) &&
              asr_file_save(output, write_trace, &trace, error);
    asr_audio_file_destroy(&audio);
    asr_trace_clear(&trace);
    return ok;
}

int asr_device_list(asr_device *devices, int capacity)
{
    int n = 0;
    bool gpu = false;
    asr_vulkan_device *found = calloc(MAX_DEVICES, sizeof(*found));
    int n_found = found ? count_devices(found) : 0;
    for (int i = 0; i < n_found; i++) {
        if (!found[i].usable)
            continue;
        if (n < capacity) {
            asr_device *d = &devices[n];
            snprintf(d->id, sizeof(d->id), "vulkan:%d", i);
            snprintf(d->name, sizeof(d->name), "%s", found[i].name);
            d->is_default = !gpu && is_gpu(&found[i]);
        }
        gpu = gpu || is_gpu(&found[i]);
        n++;
    }
    free(found);
    if (n < capacity)
        devices[n] = (asr_device){"cpu", "Processor", !gpu};
    asr_backend *cpu = n < capacity ? asr_cpu_create(NULL, NULL) : NULL;
    if (cpu)
        snprintf(devices[n].name, sizeof(devices[n].name), "%s",
                 asr_backend_description(cpu));
    asr_backend_destroy(&cpu);
    return n + 1;
}

bool asr_precision_parse(const char *name, asr_precision *precision, asr_error *error)
{
    static const char *const names[] = {
        [ASR_PRECISION_AUTO] = "auto",
        [ASR_PRECISION_F32] = "f32",
        [ASR_PRECISION_F16] = "f16",
        [ASR_PRECISION_INT8] = "int8",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0) {
            *precision = (asr_precision)i;
            return true;
        }
    return asr_fail(
        error, "There is no precision \"%.40s\"; choose auto, f32, f16 or int8.", name);
}
