/* Stands in for the backend where the engine was built without Vulkan. */
#include "vulkan/vulkan.h"

static bool fail(asr_error *error)
{
    return asr_fail(error, "This build has no Vulkan; install the Vulkan headers and "
                           "glslang and build again, or use --device cpu.");
}

int asr_vulkan_devices(asr_vulkan_device *devices, int capacity, asr_error *error)
{
    (void)devices, (void)capacity;
    fail(error);
    return -1;
}

asr_backend *asr_vulkan_create(const asr_vulkan_params *params, asr_error *error)
{
    (void)params;
    fail(error);
    return NULL;
}
