/* A graph as one recorded command buffer.
 *
 * Lowering gives a list of dispatches; then the arena is allocated, descriptor sets are
 * written and the dispatches recorded, each after a barrier if it depends on one since
 * the last barrier. */
#include "vulkan/internal.h"

#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 256

vulkan_range vulkan_plan_scratch(vulkan_plan *plan, VkDeviceSize bytes)
{
    vulkan_range range = {NULL, plan->arena_bytes + plan->scratch_used, bytes};
    plan->scratch_used += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (plan->scratch_used > plan->scratch_bytes)
        plan->scratch_bytes = plan->scratch_used;
    return range;
}

static bool check_limits(const vulkan_plan *plan, const vulkan_dispatch *dispatch,
                         asr_error *error)
{
    const VkPhysicalDeviceLimits *limits = &plan->backend->device.properties.limits;
    for (int i = 0; i < 3; i++)
        if (dispatch->groups[i] > limits->maxComputeWorkGroupCount[i])
            return asr_fail(error, "A step of the model is too large for the graphics "
                                   "device; use a shorter window or --device cpu.");
    const vulkan_kernel *kernel = vulkan_kernel_get(dispatch->pipeline->kernel);
    for (int b = 0; b < kernel->n_bindings; b++)
        if (dispatch->bindings[b].size > limits->maxStorageBufferRange)
            return asr_fail(error,
                            "The model needs a matrix of %u MB, and the graphics device "
                            "takes at most %u MB; choose a smaller model or use "
                            "--device cpu.",
                            (unsigned)(dispatch->bindings[b].size >> 20),
                            (unsigned)(limits->maxStorageBufferRange >> 20));
    return true;
}

bool vulkan_plan_add(vulkan_plan *plan, vulkan_kernel_id kernel,
                     const int32_t constants[VULKAN_MAX_CONSTANTS],
                     const vulkan_range *bindings, const void *push, const int groups[3],
                     asr_error *error)
{
    if (plan->n_dispatches == plan->capacity) {
        int capacity = plan->capacity ? plan->capacity * 2 : 64;
        vulkan_dispatch *list =
            realloc(plan->dispatches, (size_t)capacity * sizeof(*list));
        if (!list)
            return asr_fail_memory(error);
        plan->dispatches = list;
        plan->capacity = capacity;
    }
    vulkan_dispatch *dispatch = &plan->dispatches[plan->n_dispatches];
    *dispatch = (vulkan_dispatch){0};
    dispatch->pipeline =
        vulkan_pipeline_get(&plan->backend->pipelines, kernel, constants, error);
    if (!dispatch->pipeline)
        return false;
    const vulkan_kernel *info = vulkan_kernel_get(kernel);
    memcpy(dispatch->bindings, bindings, (size_t)info->n_bindings * sizeof(*bindings));
    memcpy(dispatch->push, push, info->push_bytes);
    for (int i = 0; i < 3; i++)
        dispatch->groups[i] = (uint32_t)groups[i];
    plan->n_dispatches++;
    return check_limits(plan, dispatch, error);
}

static bool lower_graph(vulkan_plan *plan, const asr_graph *graph, asr_error *error)
{
    for (int i = 0; i < asr_graph_node_count(graph); i++) {
        plan->scratch_used = 0;
        if (!vulkan_lower(plan, asr_graph_node(graph, i), error))
            return false;
    }
    return true;
}

static bool create_pool(vulkan_plan *plan, asr_error *error)
{
    uint32_t n_bindings = 1;
    for (int i = 0; i < plan->n_dispatches; i++)
        n_bindings +=
            (uint32_t)vulkan_kernel_get(plan->dispatches[i].pipeline->kernel)->n_bindings;
    VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, n_bindings};
    VkDescriptorPoolCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
        .maxSets = (uint32_t)plan->n_dispatches + 1,
        .poolSizeCount = 1,
        .pPoolSizes = &size,
    };
    VkResult result =
        vkCreateDescriptorPool(plan->backend->device.handle, &info, NULL, &plan->pool);
    if (result == VK_SUCCESS)
        return true;
    plan->pool = VK_NULL_HANDLE;
    return vulkan_fail(error, result, "make descriptors");
}

static VkDescriptorSet write_set(vulkan_plan *plan, const vulkan_dispatch *dispatch,
                                 asr_error *error)
{
    const vulkan_pipelines *pipelines = &plan->backend->pipelines;
    vulkan_kernel_id kernel = dispatch->pipeline->kernel;
    VkDescriptorSetAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
        .descriptorPool = plan->pool,
        .descriptorSetCount = 1,
        .pSetLayouts = &pipelines->set_layouts[kernel],
    };
    VkDescriptorSet set;
    VkResult result = vkAllocateDescriptorSets(plan->backend->device.handle, &info, &set);
    if (result != VK_SUCCESS) {
        vulkan_fail(error, result, "make descriptors");
        return VK_NULL_HANDLE;
    }
    VkDescriptorBufferInfo buffers[VULKAN_MAX_BINDINGS];
    int n = vulkan_kernel_get(kernel)->n_bindings;
    for (int b = 0; b < n; b++) {
        const vulkan_range *range = &dispatch->bindings[b];
        const vulkan_storage *storage = range->storage ? range->storage : &plan->arena;
        buffers[b] =
            (VkDescriptorBufferInfo){storage->handle, range->offset, range->size};
    }
    VkWriteDescriptorSet write = {
        .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
        .dstSet = set,
        .descriptorCount = (uint32_t)n,
        .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
        .pBufferInfo = buffers,
    };
    vkUpdateDescriptorSets(plan->backend->device.handle, 1, &write, 0, NULL);
    return set;
}

static bool overlap(const vulkan_range *a, const vulkan_range *b)
{
    return a->storage == b->storage && a->offset < b->offset + b->size &&
           b->offset < a->offset + a->size;
}

/* Whether two dispatches touch the same bytes, and one of them writes them. */
static bool conflict(const vulkan_dispatch *a, const vulkan_dispatch *b)
{
    const vulkan_kernel *ka = vulkan_kernel_get(a->pipeline->kernel);
    const vulkan_kernel *kb = vulkan_kernel_get(b->pipeline->kernel);
    for (int i = 0; i < ka->n_bindings; i++)
        for (int j = 0; j < kb->n_bindings; j++)
            if (((ka->writes >> i | kb->writes >> j) & 1) &&
                overlap(&a->bindings[i], &b->bindings[j]))
                return true;
    return false;
}

static void barrier(const vulkan_plan *plan, VkPipelineStageFlags from_stage,
                    VkAccessFlags from, VkPipelineStageFlags to_stage, VkAccessFlags to)
{
    VkMemoryBarrier info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = from,
        .dstAccessMask = to,
    };
    vkCmdPipelineBarrier(plan->commands, from_stage, to_stage, 0, 1, &info, 0, NULL, 0,
                         NULL);
}

static void record_dispatch(const vulkan_plan *plan, const vulkan_dispatch *dispatch,
                            VkDescriptorSet set, bool bind_pipeline)
{
    vulkan_kernel_id kernel = dispatch->pipeline->kernel;
    VkPipelineLayout layout = plan->backend->pipelines.layouts[kernel];
    if (bind_pipeline)
        vkCmdBindPipeline(plan->commands, VK_PIPELINE_BIND_POINT_COMPUTE,
                          dispatch->pipeline->handle);
    vkCmdBindDescriptorSets(plan->commands, VK_PIPELINE_BIND_POINT_COMPUTE, layout, 0, 1,
                            &set, 0, NULL);
    vkCmdPushConstants(plan->commands, layout, VK_SHADER_STAGE_COMPUTE_BIT, 0,
                       (uint32_t)vulkan_kernel_get(kernel)->push_bytes, dispatch->push);
    vkCmdDispatch(plan->commands, dispatch->groups[0], dispatch->groups[1],
                  dispatch->groups[2]);
}

static bool record_dispatches(vulkan_plan *plan, asr_error *error)
{
    const VkPipelineStageFlags compute = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT;
    const VkAccessFlags any = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT;
    int since_barrier = 0;
    /* What uploads and other plans have written. */
    barrier(plan, compute | VK_PIPELINE_STAGE_TRANSFER_BIT,
            VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT, compute, any);
    for (int i = 0; i < plan->n_dispatches; i++) {
        const vulkan_dispatch *dispatch = &plan->dispatches[i];
        VkDescriptorSet set = write_set(plan, dispatch, error);
        if (!set)
            return false;
        for (int j = since_barrier; j < i; j++)
            if (conflict(&plan->dispatches[j], dispatch)) {
                barrier(plan, compute, VK_ACCESS_SHADER_WRITE_BIT, compute, any);
                since_barrier = i;
                break;
            }
        record_dispatch(plan, dispatch, set,
                        i == 0 || dispatch[-1].pipeline != dispatch->pipeline);
    }
    /* What the host reads, and copies of it. */
    barrier(plan, compute, VK_ACCESS_SHADER_WRITE_BIT,
            VK_PIPELINE_STAGE_HOST_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT,
            VK_ACCESS_HOST_READ_BIT | VK_ACCESS_TRANSFER_READ_BIT);
    return true;
}

static bool record(vulkan_plan *plan, asr_error *error)
{
    VkCommandBufferAllocateInfo allocate = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = plan->backend->commands.pool,
        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
        .commandBufferCount = 1,
    };
    VkResult result = vkAllocateCommandBuffers(plan->backend->device.handle, &allocate,
                                               &plan->commands);
    if (result != VK_SUCCESS) {
        plan->commands = VK_NULL_HANDLE;
        return vulkan_fail(error, result, "make a command buffer");
    }
    VkCommandBufferBeginInfo begin = {.sType =
                                          VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    result = vkBeginCommandBuffer(plan->commands, &begin);
    if (result != VK_SUCCESS)
        return vulkan_fail(error, result, "record the model");
    if (!record_dispatches(plan, error))
        return false;
    result = vkEndCommandBuffer(plan->commands);
    return result == VK_SUCCESS || vulkan_fail(error, result, "record the model");
}

asr_plan *vulkan_plan_create(asr_backend *base, const asr_graph *graph, asr_error *error)
{
    vulkan_backend *backend = (vulkan_backend *)base;
    vulkan_plan *plan = calloc(1, sizeof(*plan));
    if (!plan) {
        asr_fail_memory(error);
        return NULL;
    }
    plan->backend = backend;
    plan->arena_bytes = asr_graph_arena_bytes(graph);
    if (!lower_graph(plan, graph, error))
        goto fail;
    vulkan_pipelines_save(&backend->pipelines);
    VkDeviceSize bytes = plan->arena_bytes + plan->scratch_bytes;
    if (!vulkan_storage_create(&plan->arena, &backend->memory,
                               bytes > 0 ? bytes : ALIGNMENT, VULKAN_ON_DEVICE, error) ||
        !create_pool(plan, error) || !record(plan, error))
        goto fail;
    free(plan->dispatches);
    plan->dispatches = NULL;
    return &plan->base;
fail:
    vulkan_plan_destroy(&plan->base);
    return NULL;
}

bool vulkan_plan_run(asr_plan *base, asr_error *error)
{
    vulkan_plan *plan = (vulkan_plan *)base;
    vulkan_commands *commands = &plan->backend->commands;
    return vulkan_upload_flush(commands, error) &&
           vulkan_submit(commands, plan->commands, error);
}

void vulkan_plan_destroy(asr_plan *base)
{
    vulkan_plan *plan = (vulkan_plan *)base;
    VkDevice device = plan->backend->device.handle;
    if (plan->commands)
        vkFreeCommandBuffers(device, plan->backend->commands.pool, 1, &plan->commands);
    vkDestroyDescriptorPool(device, plan->pool, NULL);
    vulkan_storage_destroy(&plan->arena, &plan->backend->memory);
    free(plan->dispatches);
    free(plan);
}
