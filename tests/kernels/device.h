/* The devices that kernels are checked on. */
#ifndef DEVICE_H
#define DEVICE_H

#include "vulkan/vulkan.h"

#define DEVICE_MOST 32

typedef struct device {
    char name[32];
    asr_backend *(*open)(const struct device *device, asr_error *error);
    int index;                         /* what `open` tells its devices apart by */
    bool may_be_absent;                /* not to be had is no failure */
    bool for_tests;                    /* measured only when asked for */
    bool as_gpu;                       /* Vulkan: a software device as if it were a GPU */
    asr_vulkan_validation *validation; /* Vulkan: borrowed, else NULL */
} device;

/* Fills in every device there may be and returns how many. Vulkan devices count their
 * validation messages in `validation`; NULL: they run unwatched. */
int device_list(device devices[DEVICE_MOST], asr_vulkan_validation *validation);

#endif
