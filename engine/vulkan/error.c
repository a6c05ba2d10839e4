/* Failed Vulkan calls in words. */
#include "vulkan/internal.h"

bool vulkan_fail(asr_error *error, VkResult result, const char *what)
{
    switch (result) {
    case VK_ERROR_OUT_OF_HOST_MEMORY:
        return asr_fail_memory(error);
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
    case VK_ERROR_OUT_OF_POOL_MEMORY:
    case VK_ERROR_FRAGMENTED_POOL:
    case VK_ERROR_TOO_MANY_OBJECTS:
        return asr_fail(error,
                        "The graphics device has not enough free memory to %s; close "
                        "other programs, choose a smaller model or --precision int8, or "
                        "use --device cpu.",
                        what);
    case VK_ERROR_DEVICE_LOST:
        return asr_fail(error,
                        "The graphics device stopped responding; try again, update "
                        "its driver, or use --device cpu.");
    case VK_ERROR_INCOMPATIBLE_DRIVER:
    case VK_ERROR_INITIALIZATION_FAILED:
        return asr_fail(error,
                        "The graphics driver could not %s; update the driver or use "
                        "--device cpu.",
                        what);
    default:
        return asr_fail(error,
                        "The graphics driver could not %s (Vulkan error %d); update the "
                        "driver or use --device cpu.",
                        what, (int)result);
    }
}
