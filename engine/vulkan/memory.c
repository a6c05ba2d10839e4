/* Device memory in large blocks, from which buffers take the lowest gap that fits.
 *
 * Drivers allow few allocations (4096 at least) and make each slow; a model has hundreds
 * of matrices. A block is given back when its last buffer is gone. */
#include "vulkan/internal.h"

#include <stdlib.h>

#define HOLD_MODEL "hold the model"
#define BLOCK_BYTES ((VkDeviceSize)64 << 20)

typedef struct vulkan_span {
    VkDeviceSize begin, end;
} vulkan_span;

struct vulkan_block {
    vulkan_block *next;
    VkDeviceMemory handle;
    VkDeviceSize size;
    uint32_t type;
    char *mapped;
    vulkan_span *used; /* sorted */
    int n_used, capacity;
};

static VkResult create_buffer(const vulkan_device *device, VkDeviceSize size,
                              VkBuffer *buffer)
{
    VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .size = size,
        .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                 VK_BUFFER_USAGE_TRANSFER_DST_BIT,
        .sharingMode = VK_SHARING_MODE_EXCLUSIVE,
    };
    VkResult result = vkCreateBuffer(device->handle, &info, NULL, buffer);
    if (result != VK_SUCCESS)
        *buffer = VK_NULL_HANDLE;
    return result;
}

/* The first of the allowed memory types with all of `flags`, or UINT32_MAX. */
static uint32_t find_type(const vulkan_device *device, uint32_t allowed,
                          VkMemoryPropertyFlags flags)
{
    for (uint32_t i = 0; i < device->memory.memoryTypeCount; i++)
        if ((allowed & 1u << i) &&
            (device->memory.memoryTypes[i].propertyFlags & flags) == flags)
            return i;
    return UINT32_MAX;
}

static uint32_t find_preferred_type(const vulkan_device *device, uint32_t allowed,
                                    VkMemoryPropertyFlags wish,
                                    VkMemoryPropertyFlags need)
{
    uint32_t type = find_type(device, allowed, wish | need);
    return type != UINT32_MAX ? type : find_type(device, allowed, need);
}

#define HOST_FLAGS                                                                       \
    (VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT)

bool vulkan_memory_create(vulkan_memory *memory, const vulkan_device *device,
                          asr_error *error)
{
    memory->device = device;
    /* All our buffers are of one kind, and may live in what this one may live in. */
    VkBuffer probe;
    VkResult result = create_buffer(device, 256, &probe);
    if (result != VK_SUCCESS)
        return vulkan_fail(error, result, "make a buffer");
    VkMemoryRequirements needs;
    vkGetBufferMemoryRequirements(device->handle, probe, &needs);
    vkDestroyBuffer(device->handle, probe, NULL);

    uint32_t allowed = needs.memoryTypeBits;
    memory->type[VULKAN_ON_DEVICE] =
        find_preferred_type(device, allowed, device->is_unified ? HOST_FLAGS : 0,
                            VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
    memory->type[VULKAN_ON_HOST] = find_preferred_type(
        device, allowed, VK_MEMORY_PROPERTY_HOST_CACHED_BIT, HOST_FLAGS);
    if (memory->type[VULKAN_ON_HOST] == UINT32_MAX)
        return asr_fail(error, "The graphics device has no memory that the processor can "
                               "write; use --device cpu.");
    if (memory->type[VULKAN_ON_DEVICE] == UINT32_MAX)
        memory->type[VULKAN_ON_DEVICE] = memory->type[VULKAN_ON_HOST];
    return true;
}

static bool map_block(const vulkan_memory *memory, vulkan_block *block, asr_error *error)
{
    VkMemoryPropertyFlags flags =
        memory->device->memory.memoryTypes[block->type].propertyFlags;
    bool wanted =
        block->type == memory->type[VULKAN_ON_HOST] || memory->device->is_unified;
    if (!wanted || (flags & HOST_FLAGS) != HOST_FLAGS)
        return true;
    void *mapped;
    VkResult result =
        vkMapMemory(memory->device->handle, block->handle, 0, VK_WHOLE_SIZE, 0, &mapped);
    if (result != VK_SUCCESS)
        return vulkan_fail(error, result, "map its memory");
    block->mapped = mapped;
    return true;
}

static void destroy_block(const vulkan_memory *memory, vulkan_block *block)
{
    if (block->handle)
        vkFreeMemory(memory->device->handle, block->handle, NULL);
    free(block->used);
    free(block);
}

static vulkan_block *add_block(vulkan_memory *memory, uint32_t type, VkDeviceSize size,
                               asr_error *error)
{
    vulkan_block *block = calloc(1, sizeof(*block));
    if (!block) {
        asr_fail_memory(error);
        return NULL;
    }
    block->size = size;
    block->type = type;
    VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .allocationSize = size,
        .memoryTypeIndex = type,
    };
    VkResult result =
        vkAllocateMemory(memory->device->handle, &info, NULL, &block->handle);
    if (result != VK_SUCCESS) {
        block->handle = VK_NULL_HANDLE;
        vulkan_fail(error, result, HOLD_MODEL);
        goto fail;
    }
    if (!map_block(memory, block, error))
        goto fail;
    block->next = memory->blocks;
    memory->blocks = block;
    return block;
fail:
    destroy_block(memory, block);
    return NULL;
}

/* Where `size` bytes fit in a block: the index of the span that they come before, and
 * their offset. False when they do not. */
static bool find_gap(const vulkan_block *block, const VkMemoryRequirements *needs,
                     int *at, VkDeviceSize *offset)
{
    VkDeviceSize begin = 0;
    for (int i = 0; i <= block->n_used; i++) {
        VkDeviceSize end = i < block->n_used ? block->used[i].begin : block->size;
        begin = (begin + needs->alignment - 1) / needs->alignment * needs->alignment;
        if (begin <= end && needs->size <= end - begin) {
            *at = i;
            *offset = begin;
            return true;
        }
        if (i < block->n_used)
            begin = block->used[i].end;
    }
    return false;
}

static bool insert_span(vulkan_block *block, int at, vulkan_span span)
{
    if (block->n_used == block->capacity) {
        int capacity = block->capacity ? block->capacity * 2 : 16;
        vulkan_span *used = realloc(block->used, (size_t)capacity * sizeof(*used));
        if (!used)
            return false;
        block->used = used;
        block->capacity = capacity;
    }
    for (int i = block->n_used++; i > at; i--)
        block->used[i] = block->used[i - 1];
    block->used[at] = span;
    return true;
}

static void unlink_empty(vulkan_memory *memory, vulkan_block *block)
{
    if (block->n_used > 0)
        return;
    vulkan_block **link = &memory->blocks;
    while (*link != block)
        link = &(*link)->next;
    *link = block->next;
    destroy_block(memory, block);
}

static bool place(vulkan_storage *storage, vulkan_memory *memory,
                  const VkMemoryRequirements *needs, uint32_t type, asr_error *error)
{
    int at = 0;
    VkDeviceSize offset = 0;
    vulkan_block *block = memory->blocks;
    while (block && (block->type != type || !find_gap(block, needs, &at, &offset)))
        block = block->next;
    if (!block) {
        VkDeviceSize size = needs->size > BLOCK_BYTES / 4 ? needs->size : BLOCK_BYTES;
        block = add_block(memory, type, size, error);
        at = 0;
        offset = 0;
    }
    if (!block)
        return false;
    if (!insert_span(block, at, (vulkan_span){offset, offset + needs->size})) {
        unlink_empty(memory, block);
        return asr_fail_memory(error);
    }
    storage->block = block;
    storage->offset = offset;
    storage->mapped = block->mapped ? block->mapped + offset : NULL;
    VkResult result = vkBindBufferMemory(memory->device->handle, storage->handle,
                                         block->handle, offset);
    return result == VK_SUCCESS || vulkan_fail(error, result, HOLD_MODEL);
}

static VkDeviceSize heap_bytes(const vulkan_memory *memory, uint32_t type)
{
    const VkPhysicalDeviceMemoryProperties *all = &memory->device->memory;
    return all->memoryHeaps[all->memoryTypes[type].heapIndex].size;
}

bool vulkan_storage_create(vulkan_storage *storage, vulkan_memory *memory,
                           VkDeviceSize size, vulkan_place where, asr_error *error)
{
    *storage = (vulkan_storage){.size = size};
    uint32_t type = memory->type[where];
    if (size > heap_bytes(memory, type))
        return vulkan_fail(error, VK_ERROR_OUT_OF_DEVICE_MEMORY, HOLD_MODEL);
    VkResult result = create_buffer(memory->device, size, &storage->handle);
    if (result != VK_SUCCESS)
        return vulkan_fail(error, result, HOLD_MODEL);
    VkMemoryRequirements needs;
    vkGetBufferMemoryRequirements(memory->device->handle, storage->handle, &needs);
    if (!place(storage, memory, &needs, type, error)) {
        vulkan_storage_destroy(storage, memory);
        return false;
    }
    if (where == VULKAN_ON_DEVICE && !memory->device->is_unified)
        storage->mapped = NULL; /* slow to reach even where it can be */
    return true;
}

void vulkan_storage_destroy(vulkan_storage *storage, vulkan_memory *memory)
{
    if (storage->handle)
        vkDestroyBuffer(memory->device->handle, storage->handle, NULL);
    vulkan_block *block = storage->block;
    if (block) {
        int i = 0;
        while (block->used[i].begin != storage->offset)
            i++;
        for (block->n_used--; i < block->n_used; i++)
            block->used[i] = block->used[i + 1];
        unlink_empty(memory, block);
    }
    *storage = (vulkan_storage){0};
}

void vulkan_memory_destroy(vulkan_memory *memory)
{
    while (memory->blocks) {
        vulkan_block *block = memory->blocks;
        memory->blocks = block->next;
        destroy_block(memory, block);
    }
}
