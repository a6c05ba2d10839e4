/* The backend's table of functions, and its parts made and unmade in order. */
#include "vulkan/internal.h"

#include <stdlib.h>

static void destroy(asr_backend *base)
{
    vulkan_backend *backend = (vulkan_backend *)base;
    if (backend->device.handle) {
        vulkan_upload_flush(&backend->commands, NULL);
        vulkan_pipelines_destroy(&backend->pipelines);
        vulkan_commands_destroy(&backend->commands, &backend->memory);
        vulkan_memory_destroy(&backend->memory);
    }
    vulkan_device_destroy(&backend->device);
    free(backend);
}

static const char *description(const asr_backend *base)
{
    return ((const vulkan_backend *)base)->device.description;
}

/* GPUs are bound by memory: half the bytes, twice the speed, and f16 weights change no
 * word. Software Vulkan pays for unpacking instead. */
static asr_dtype weight_dtype(const asr_backend *base, asr_precision precision)
{
    const vulkan_backend *backend = (const vulkan_backend *)base;
    switch (precision) {
    case ASR_PRECISION_F32:
        return ASR_F32;
    case ASR_PRECISION_F16:
        return ASR_F16;
    case ASR_PRECISION_INT8:
        return ASR_I8;
    case ASR_PRECISION_AUTO:
        break;
    }
    return backend->device.is_software ? ASR_F32 : ASR_F16;
}

static const asr_backend_ops vulkan_ops = {
    .name = "vulkan",
    .destroy = destroy,
    .description = description,
    .weight_dtype = weight_dtype,
    .weight_create = vulkan_weight_create,
    .buffer_create = vulkan_buffer_create,
    .buffer_destroy = vulkan_buffer_destroy,
    .buffer_write = vulkan_buffer_write,
    .buffer_read = vulkan_buffer_read,
    .plan_create = vulkan_plan_create,
    .plan_run = vulkan_plan_run,
    .plan_destroy = vulkan_plan_destroy,
};

asr_backend *asr_vulkan_create(const asr_vulkan_params *params, asr_error *error)
{
    vulkan_backend *backend = calloc(1, sizeof(*backend));
    if (!backend) {
        asr_fail_memory(error);
        return NULL;
    }
    backend->base.ops = &vulkan_ops;
    if (!vulkan_device_create(&backend->device, params, error) ||
        !vulkan_memory_create(&backend->memory, &backend->device, error) ||
        !vulkan_commands_create(&backend->commands, &backend->device, error) ||
        !vulkan_pipelines_create(&backend->pipelines, &backend->device, params->cache_dir,
                                 error)) {
        destroy(&backend->base);
        return NULL;
    }
    backend->uses_lanes = backend->device.is_software && backend->device.has_shuffle &&
                          backend->device.subgroup_size <= 16 && !params->as_gpu;
    return &backend->base;
}
