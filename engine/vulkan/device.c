/* Finding a device and opening it with one queue that computes. */
#include "vulkan/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

VkPhysicalDevice *vulkan_physical_devices(VkInstance instance, uint32_t *count,
                                          asr_error *error)
{
    VkResult result = vkEnumeratePhysicalDevices(instance, count, NULL);
    if (result != VK_SUCCESS || *count == 0) {
        asr_fail(error, "There is no Vulkan device on this machine; install a Vulkan "
                        "driver (mesa-vulkan-drivers) or use --device cpu.");
        return NULL;
    }
    VkPhysicalDevice *devices = calloc(*count, sizeof(VkPhysicalDevice));
    if (!devices) {
        asr_fail_memory(error);
        return NULL;
    }
    result = vkEnumeratePhysicalDevices(instance, count, devices);
    if (result < 0) {
        vulkan_fail(error, result, "list the graphics devices");
        free(devices);
        return NULL;
    }
    return devices;
}

bool vulkan_find_queue_family(VkPhysicalDevice physical, uint32_t *family)
{
    VkQueueFamilyProperties families[32];
    uint32_t n = 32;
    vkGetPhysicalDeviceQueueFamilyProperties(physical, &n, families);
    for (uint32_t i = 0; i < n; i++)
        if (families[i].queueFlags & VK_QUEUE_COMPUTE_BIT) {
            *family = i;
            return true;
        }
    return false;
}

static asr_vulkan_device_type type_of(const VkPhysicalDeviceProperties *properties)
{
    switch (properties->deviceType) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
        return ASR_VULKAN_DISCRETE;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
        return ASR_VULKAN_INTEGRATED;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
        return ASR_VULKAN_VIRTUAL;
    case VK_PHYSICAL_DEVICE_TYPE_CPU:
        return ASR_VULKAN_SOFTWARE;
    default:
        return ASR_VULKAN_OTHER;
    }
}

static bool has_extension(VkPhysicalDevice physical, const char *name)
{
    uint32_t n = 0;
    if (vkEnumerateDeviceExtensionProperties(physical, NULL, &n, NULL) != VK_SUCCESS)
        return false;
    VkExtensionProperties *list = calloc((size_t)n + 1, sizeof(*list));
    bool found = false;
    if (list && vkEnumerateDeviceExtensionProperties(physical, NULL, &n, list) >= 0)
        for (uint32_t i = 0; i < n; i++)
            found |= strcmp(list[i].extensionName, name) == 0;
    free(list);
    return found;
}

static void describe_driver(VkPhysicalDevice physical, asr_vulkan_device *device,
                            VkPhysicalDeviceSubgroupProperties *subgroup)
{
    bool named = has_extension(physical, VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME);
    VkPhysicalDeviceDriverProperties driver = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
    *subgroup = (VkPhysicalDeviceSubgroupProperties){
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES,
        .pNext = named ? &driver : NULL};
    VkPhysicalDeviceProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = subgroup};
    vkGetPhysicalDeviceProperties2(physical, &properties);
    device->subgroup_size = (int)subgroup->subgroupSize;
    if (named)
        snprintf(device->driver, sizeof(device->driver), "%.127s %.120s",
                 driver.driverName, driver.driverInfo);
}

static void describe_storage(VkPhysicalDevice physical, asr_vulkan_device *device)
{
    bool int8 = has_extension(physical, VK_KHR_8BIT_STORAGE_EXTENSION_NAME);
    VkPhysicalDevice8BitStorageFeatures f8 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES};
    VkPhysicalDevice16BitStorageFeatures f16 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES,
        .pNext = int8 ? &f8 : NULL};
    VkPhysicalDeviceFeatures2 features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &f16};
    vkGetPhysicalDeviceFeatures2(physical, &features);
    device->has_f16_storage = f16.storageBuffer16BitAccess;
    device->has_int8_storage = f8.storageBuffer8BitAccess;
}

void vulkan_describe(VkPhysicalDevice physical, asr_vulkan_device *device)
{
    *device = (asr_vulkan_device){0};
    VkPhysicalDeviceProperties properties;
    vkGetPhysicalDeviceProperties(physical, &properties);
    snprintf(device->name, sizeof(device->name), "%s", properties.deviceName);
    device->type = type_of(&properties);
    device->api_version = properties.apiVersion;
    VkPhysicalDeviceMemoryProperties memory;
    vkGetPhysicalDeviceMemoryProperties(physical, &memory);
    for (uint32_t i = 0; i < memory.memoryHeapCount; i++)
        if ((memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) &&
            memory.memoryHeaps[i].size > device->memory_bytes)
            device->memory_bytes = memory.memoryHeaps[i].size;
    if (properties.apiVersion < VK_API_VERSION_1_1)
        return;
    VkPhysicalDeviceSubgroupProperties subgroup;
    describe_driver(physical, device, &subgroup);
    describe_storage(physical, device);
    uint32_t family;
    device->usable = vulkan_find_queue_family(physical, &family);
}

int asr_vulkan_devices(asr_vulkan_device *devices, int capacity, asr_error *error)
{
    vulkan_device opened = {0};
    uint32_t n = 0;
    VkPhysicalDevice *list = NULL;
    if (vulkan_instance_create(&opened, NULL, error))
        list = vulkan_physical_devices(opened.instance, &n, error);
    for (uint32_t i = 0; list && i < n && (int)i < capacity; i++)
        vulkan_describe(list[i], &devices[i]);
    int count = list ? (int)n : -1;
    free(list);
    vulkan_instance_destroy(&opened);
    return count;
}

/* Which of two devices to prefer; 0: never unless asked for. */
static int preference(const asr_vulkan_device *device, bool allow_software)
{
    static const int by_type[] = {
        [ASR_VULKAN_DISCRETE] = 5, [ASR_VULKAN_INTEGRATED] = 4, [ASR_VULKAN_VIRTUAL] = 3,
        [ASR_VULKAN_OTHER] = 2,    [ASR_VULKAN_SOFTWARE] = 1,
    };
    if (!device->usable || (device->type == ASR_VULKAN_SOFTWARE && !allow_software))
        return 0;
    return by_type[device->type];
}

/* The index of the device to use, or −1 with a message. */
static int choose(const VkPhysicalDevice *list, int n, const asr_vulkan_params *params,
                  asr_error *error)
{
    asr_vulkan_device device;
    if (params->device_index >= n) {
        asr_fail(error, "There is no Vulkan device %d, only 0 to %d; see --device.",
                 params->device_index, n - 1);
        return -1;
    }
    if (params->device_index >= 0) {
        vulkan_describe(list[params->device_index], &device);
        if (device.usable)
            return params->device_index;
        asr_fail(error,
                 "%s cannot be used: Vulkan 1.1 with compute is needed; update its "
                 "driver or use --device cpu.",
                 device.name);
        return -1;
    }
    int best = -1, best_preference = 0;
    for (int i = 0; i < n; i++) {
        vulkan_describe(list[i], &device);
        if (preference(&device, params->allow_software) > best_preference) {
            best = i;
            best_preference = preference(&device, params->allow_software);
        }
    }
    if (best < 0)
        asr_fail(error,
                 "No graphics device here runs Vulkan 1.1 compute shaders; install "
                 "its driver (mesa-vulkan-drivers) or use --device cpu.");
    return best;
}

static bool choose_physical(vulkan_device *device, const asr_vulkan_params *params,
                            asr_error *error)
{
    uint32_t n = 0;
    VkPhysicalDevice *list = vulkan_physical_devices(device->instance, &n, error);
    if (!list)
        return false;
    int chosen = choose(list, (int)n, params, error);
    if (chosen >= 0)
        device->physical = list[chosen];
    free(list);
    return chosen >= 0;
}

static void learn_properties(vulkan_device *device)
{
    asr_vulkan_device words;
    vulkan_describe(device->physical, &words);
    VkPhysicalDeviceSubgroupProperties subgroup;
    describe_driver(device->physical, &words, &subgroup);
    vkGetPhysicalDeviceProperties(device->physical, &device->properties);
    vkGetPhysicalDeviceMemoryProperties(device->physical, &device->memory);
    device->subgroup_size = words.subgroup_size;
    device->has_shuffle =
        (subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) &&
        (subgroup.supportedOperations & VK_SUBGROUP_FEATURE_SHUFFLE_BIT);
    device->is_software = words.type == ASR_VULKAN_SOFTWARE;
    device->is_unified = device->is_software || words.type == ASR_VULKAN_INTEGRATED;
    snprintf(device->description, sizeof(device->description), "%s (Vulkan)", words.name);
}

static bool open_device(vulkan_device *device, asr_error *error)
{
    float priority = 1;
    VkDeviceQueueCreateInfo queue = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
        .queueFamilyIndex = device->queue_family,
        .queueCount = 1,
        .pQueuePriorities = &priority,
    };
    VkDeviceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos = &queue,
    };
    VkResult result = vkCreateDevice(device->physical, &info, NULL, &device->handle);
    if (result != VK_SUCCESS) {
        device->handle = VK_NULL_HANDLE;
        return vulkan_fail(error, result, "open the graphics device");
    }
    vkGetDeviceQueue(device->handle, device->queue_family, 0, &device->queue);
    return true;
}

bool vulkan_device_create(vulkan_device *device, const asr_vulkan_params *params,
                          asr_error *error)
{
    if (!vulkan_instance_create(device, params->validation, error) ||
        !choose_physical(device, params, error))
        return false;
    learn_properties(device);
    if (params->as_gpu)
        device->is_unified = false;
    vulkan_find_queue_family(device->physical, &device->queue_family);
    return open_device(device, error);
}

void vulkan_device_destroy(vulkan_device *device)
{
    if (device->handle)
        vkDestroyDevice(device->handle, NULL);
    vulkan_instance_destroy(device);
}
