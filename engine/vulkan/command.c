/* Submissions, and copies between host and device.
 *
 * Memory that the host can reach is written and read in place; the rest goes through one
 * staging buffer. Uploads gather in it and are submitted together when it is full or
 * before the next run, so that hundreds of small matrices cost a few submissions. */
#include "vulkan/internal.h"

#include <string.h>

/* The longest a device may take for one submission before it counts as lost: software
 * Vulkan takes minutes for a large model. */
#define TIMEOUT_NS (3600ull * 1000 * 1000 * 1000)

bool vulkan_commands_create(vulkan_commands *commands, const vulkan_device *device,
                            asr_error *error)
{
    commands->device = device;
    VkCommandPoolCreateInfo pool = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
        .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
        .queueFamilyIndex = device->queue_family,
    };
    VkResult result = vkCreateCommandPool(device->handle, &pool, NULL, &commands->pool);
    if (result != VK_SUCCESS) {
        commands->pool = VK_NULL_HANDLE;
        return vulkan_fail(error, result, "make a command pool");
    }
    VkCommandBufferAllocateInfo buffer = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = commands->pool,
        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
        .commandBufferCount = 1,
    };
    result = vkAllocateCommandBuffers(device->handle, &buffer, &commands->copies);
    if (result != VK_SUCCESS)
        return vulkan_fail(error, result, "make a command buffer");
    VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    result = vkCreateFence(device->handle, &fence, NULL, &commands->fence);
    if (result != VK_SUCCESS) {
        commands->fence = VK_NULL_HANDLE;
        return vulkan_fail(error, result, "make a fence");
    }
    return true;
}

void vulkan_commands_destroy(vulkan_commands *commands, vulkan_memory *memory)
{
    if (!commands->device)
        return;
    if (commands->fence)
        vkDestroyFence(commands->device->handle, commands->fence, NULL);
    if (commands->pool)
        vkDestroyCommandPool(commands->device->handle, commands->pool, NULL);
    if (commands->staging.handle)
        vulkan_storage_destroy(&commands->staging, memory);
}

bool vulkan_submit(vulkan_commands *commands, VkCommandBuffer buffer, asr_error *error)
{
    VkDevice device = commands->device->handle;
    VkSubmitInfo info = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .commandBufferCount = 1,
        .pCommandBuffers = &buffer,
    };
    VkResult result = vkQueueSubmit(commands->device->queue, 1, &info, commands->fence);
    if (result == VK_SUCCESS)
        result = vkWaitForFences(device, 1, &commands->fence, VK_TRUE, TIMEOUT_NS);
    if (result == VK_TIMEOUT)
        result = VK_ERROR_DEVICE_LOST;
    if (result == VK_SUCCESS)
        result = vkResetFences(device, 1, &commands->fence);
    return result == VK_SUCCESS || vulkan_fail(error, result, "run the model");
}

static bool begin_copies(vulkan_commands *commands, asr_error *error)
{
    if (commands->n_copies > 0)
        return true;
    VkCommandBufferBeginInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
        .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
    };
    VkResult result = vkBeginCommandBuffer(commands->copies, &info);
    return result == VK_SUCCESS || vulkan_fail(error, result, "copy the model");
}

/* Copies that follow wait for those before, which may touch the same bytes. */
static void order_copies(const vulkan_commands *commands)
{
    VkMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT | VK_ACCESS_TRANSFER_READ_BIT |
                         VK_ACCESS_HOST_READ_BIT,
    };
    vkCmdPipelineBarrier(commands->copies, VK_PIPELINE_STAGE_TRANSFER_BIT,
                         VK_PIPELINE_STAGE_TRANSFER_BIT | VK_PIPELINE_STAGE_HOST_BIT, 0,
                         1, &barrier, 0, NULL, 0, NULL);
}

bool vulkan_upload_flush(vulkan_commands *commands, asr_error *error)
{
    if (commands->n_copies == 0)
        return true;
    commands->n_copies = 0;
    commands->staged = 0;
    VkResult result = vkEndCommandBuffer(commands->copies);
    if (result != VK_SUCCESS)
        return vulkan_fail(error, result, "copy the model");
    return vulkan_submit(commands, commands->copies, error);
}

/* Room for `size` bytes in the staging buffer. */
static bool stage(vulkan_commands *commands, vulkan_memory *memory, VkDeviceSize size,
                  VkDeviceSize *offset, asr_error *error)
{
    if (!commands->staging.handle &&
        !vulkan_storage_create(&commands->staging, memory, VULKAN_STAGING_BYTES,
                               VULKAN_ON_HOST, error))
        return false;
    if (size > VULKAN_STAGING_BYTES - commands->staged &&
        !vulkan_upload_flush(commands, error))
        return false;
    *offset = commands->staged;
    commands->staged += size;
    return true;
}

void *vulkan_upload(vulkan_commands *commands, vulkan_memory *memory,
                    const vulkan_storage *storage, VkDeviceSize offset, VkDeviceSize size,
                    asr_error *error)
{
    if (storage->mapped)
        return storage->mapped + offset;
    VkDeviceSize staged;
    if (!stage(commands, memory, size, &staged, error) || !begin_copies(commands, error))
        return NULL;
    VkBufferCopy copy = {staged, offset, size};
    vkCmdCopyBuffer(commands->copies, commands->staging.handle, storage->handle, 1,
                    &copy);
    order_copies(commands);
    commands->n_copies++;
    return commands->staging.mapped + staged;
}

bool vulkan_clear(vulkan_commands *commands, const vulkan_storage *storage,
                  asr_error *error)
{
    if (storage->mapped) {
        memset(storage->mapped, 0, storage->size);
        return true;
    }
    if (!begin_copies(commands, error))
        return false;
    vkCmdFillBuffer(commands->copies, storage->handle, 0, VK_WHOLE_SIZE, 0);
    order_copies(commands);
    commands->n_copies++;
    return true;
}

const void *vulkan_download(vulkan_commands *commands, vulkan_memory *memory,
                            const vulkan_storage *storage, VkDeviceSize offset,
                            VkDeviceSize size, asr_error *error)
{
    if (!vulkan_upload_flush(commands, error))
        return NULL;
    if (storage->mapped)
        return storage->mapped + offset;
    VkDeviceSize staged;
    if (!stage(commands, memory, size, &staged, error) || !begin_copies(commands, error))
        return NULL;
    VkBufferCopy copy = {offset, staged, size};
    vkCmdCopyBuffer(commands->copies, storage->handle, commands->staging.handle, 1,
                    &copy);
    order_copies(commands);
    commands->n_copies++;
    if (!vulkan_upload_flush(commands, error))
        return NULL;
    return commands->staging.mapped + staged;
}
