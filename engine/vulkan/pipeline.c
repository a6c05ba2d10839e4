/* Pipelines: a kernel with the specialisation constants of one shape. Made when a plan
 * first needs one and kept for the backend's life; compiled code goes to a cache on disk
 * where there is one. */
#include "vulkan/internal.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

bool vulkan_pipelines_create(vulkan_pipelines *pipelines, const vulkan_device *device,
                             const char *cache_dir, asr_error *error)
{
    pipelines->device = device;
    size_t size = 0;
    void *data = NULL;
    if (cache_dir) {
        pipelines->cache_path = vulkan_cache_path(device, cache_dir);
        if (!pipelines->cache_path)
            return asr_fail_memory(error);
        data = vulkan_cache_load(pipelines->cache_path, &size);
    }
    VkPipelineCacheCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
        .initialDataSize = size,
        .pInitialData = data,
    };
    VkResult result =
        vkCreatePipelineCache(device->handle, &info, NULL, &pipelines->cache);
    free(data);
    if (result != VK_SUCCESS) {
        pipelines->cache = VK_NULL_HANDLE;
        return vulkan_fail(error, result, "make a pipeline cache");
    }
    return true;
}

static void save_cache(const vulkan_pipelines *pipelines)
{
    size_t size = 0;
    if (vkGetPipelineCacheData(pipelines->device->handle, pipelines->cache, &size,
                               NULL) != VK_SUCCESS)
        return;
    void *data = malloc(size + 1);
    if (data && vkGetPipelineCacheData(pipelines->device->handle, pipelines->cache, &size,
                                       data) == VK_SUCCESS)
        vulkan_cache_save(pipelines->cache_path, data, size);
    free(data);
}

void vulkan_pipelines_save(vulkan_pipelines *pipelines)
{
    if (pipelines->cache_path && pipelines->n > pipelines->n_saved)
        save_cache(pipelines);
    pipelines->n_saved = pipelines->n;
}

void vulkan_pipelines_destroy(vulkan_pipelines *pipelines)
{
    if (!pipelines->device)
        return;
    VkDevice device = pipelines->device->handle;
    for (int i = 0; i < pipelines->n; i++) {
        vkDestroyPipeline(device, pipelines->list[i]->handle, NULL);
        free(pipelines->list[i]);
    }
    for (int i = 0; i < VULKAN_KERNELS; i++) {
        vkDestroyPipelineLayout(device, pipelines->layouts[i], NULL);
        vkDestroyDescriptorSetLayout(device, pipelines->set_layouts[i], NULL);
        vkDestroyShaderModule(device, pipelines->modules[i], NULL);
    }
    vkDestroyPipelineCache(device, pipelines->cache, NULL);
    free(pipelines->cache_path);
    free(pipelines->list);
}

static VkResult create_set_layout(vulkan_pipelines *pipelines, vulkan_kernel_id id)
{
    VkDescriptorSetLayoutBinding bindings[VULKAN_MAX_BINDINGS];
    int n = vulkan_kernel_get(id)->n_bindings;
    for (int i = 0; i < n; i++)
        bindings[i] = (VkDescriptorSetLayoutBinding){
            .binding = (uint32_t)i,
            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .descriptorCount = 1,
            .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
        };
    VkDescriptorSetLayoutCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .bindingCount = (uint32_t)n,
        .pBindings = bindings,
    };
    return vkCreateDescriptorSetLayout(pipelines->device->handle, &info, NULL,
                                       &pipelines->set_layouts[id]);
}

static VkResult create_layout(vulkan_pipelines *pipelines, vulkan_kernel_id id)
{
    VkPushConstantRange push = {
        .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
        .size = (uint32_t)vulkan_kernel_get(id)->push_bytes,
    };
    VkPipelineLayoutCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
        .setLayoutCount = 1,
        .pSetLayouts = &pipelines->set_layouts[id],
        .pushConstantRangeCount = 1,
        .pPushConstantRanges = &push,
    };
    return vkCreatePipelineLayout(pipelines->device->handle, &info, NULL,
                                  &pipelines->layouts[id]);
}

static VkResult create_module(vulkan_pipelines *pipelines, vulkan_kernel_id id)
{
    VkShaderModuleCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
        .codeSize = vulkan_kernel_get(id)->code_bytes,
        .pCode = vulkan_kernel_get(id)->code,
    };
    return vkCreateShaderModule(pipelines->device->handle, &info, NULL,
                                &pipelines->modules[id]);
}

/* Makes what all pipelines of a kernel share, where it is not there yet. A failed call
 * may leave its handle undefined, hence the resets. */
static bool prepare_kernel(vulkan_pipelines *pipelines, vulkan_kernel_id id,
                           asr_error *error)
{
    VkResult result = VK_SUCCESS;
    if (!pipelines->set_layouts[id]) {
        result = create_set_layout(pipelines, id);
        if (result != VK_SUCCESS)
            pipelines->set_layouts[id] = VK_NULL_HANDLE;
    }
    if (result == VK_SUCCESS && !pipelines->layouts[id]) {
        result = create_layout(pipelines, id);
        if (result != VK_SUCCESS)
            pipelines->layouts[id] = VK_NULL_HANDLE;
    }
    if (result == VK_SUCCESS && !pipelines->modules[id]) {
        result = create_module(pipelines, id);
        if (result != VK_SUCCESS)
            pipelines->modules[id] = VK_NULL_HANDLE;
    }
    return result == VK_SUCCESS || vulkan_fail(error, result, "prepare a shader");
}

static VkResult compile(const vulkan_pipelines *pipelines, vulkan_pipeline *pipeline)
{
    VkSpecializationMapEntry entries[VULKAN_MAX_CONSTANTS];
    for (uint32_t i = 0; i < VULKAN_MAX_CONSTANTS; i++)
        entries[i] =
            (VkSpecializationMapEntry){i, i * (uint32_t)sizeof(int32_t), sizeof(int32_t)};
    VkSpecializationInfo constants = {
        .mapEntryCount = VULKAN_MAX_CONSTANTS,
        .pMapEntries = entries,
        .dataSize = sizeof(pipeline->constants),
        .pData = pipeline->constants,
    };
    VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage =
            {
                .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                .module = pipelines->modules[pipeline->kernel],
                .pName = "main",
                .pSpecializationInfo = &constants,
            },
        .layout = pipelines->layouts[pipeline->kernel],
    };
    return vkCreateComputePipelines(pipelines->device->handle, pipelines->cache, 1, &info,
                                    NULL, &pipeline->handle);
}

static bool reserve(vulkan_pipelines *pipelines)
{
    if (pipelines->n < pipelines->capacity)
        return true;
    int capacity = pipelines->capacity ? pipelines->capacity * 2 : 32;
    vulkan_pipeline **list = realloc(pipelines->list, (size_t)capacity * sizeof(*list));
    if (!list)
        return false;
    pipelines->list = list;
    pipelines->capacity = capacity;
    return true;
}

static const vulkan_pipeline *create_pipeline(vulkan_pipelines *pipelines,
                                              vulkan_kernel_id kernel,
                                              const int32_t *constants, asr_error *error)
{
    vulkan_pipeline *pipeline = reserve(pipelines) ? calloc(1, sizeof(*pipeline)) : NULL;
    if (!pipeline) {
        asr_fail_memory(error);
        return NULL;
    }
    pipeline->kernel = kernel;
    memcpy(pipeline->constants, constants, sizeof(pipeline->constants));
    VkResult result = compile(pipelines, pipeline);
    if (result != VK_SUCCESS) {
        vulkan_fail(error, result, "compile a shader");
        free(pipeline);
        return NULL;
    }
    pipelines->list[pipelines->n++] = pipeline;
    return pipeline;
}

const vulkan_pipeline *vulkan_pipeline_get(vulkan_pipelines *pipelines,
                                           vulkan_kernel_id kernel,
                                           const int32_t constants[VULKAN_MAX_CONSTANTS],
                                           asr_error *error)
{
    for (int i = 0; i < pipelines->n; i++)
        if (pipelines->list[i]->kernel == kernel &&
            memcmp(pipelines->list[i]->constants, constants,
                   sizeof(pipelines->list[i]->constants)) == 0)
            return pipelines->list[i];
    if (!prepare_kernel(pipelines, kernel, error))
        return NULL;
    return create_pipeline(pipelines, kernel, constants, error);
}
