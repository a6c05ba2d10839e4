/* The backend for GPUs: compute shaders (shaders/), Vulkan 1.1 without any extension.
 *
 * Whoever made the device: everything beyond the core (f16 and int8 storage, subgroup
 * operations) is optional, since packed weights are unpacked with integer operations.
 * Weights are f32, f16, bf16 or int8, matrix by matrix; activations are f32. */
#ifndef ASR_VULKAN_H
#define ASR_VULKAN_H

#include "graph/backend.h"

typedef enum asr_vulkan_device_type {
    ASR_VULKAN_DISCRETE,
    ASR_VULKAN_INTEGRATED,
    ASR_VULKAN_VIRTUAL,
    ASR_VULKAN_SOFTWARE, /* runs on the processor: for tests, never chosen unasked */
    ASR_VULKAN_OTHER,
} asr_vulkan_device_type;

typedef struct asr_vulkan_device {
    char name[256];   /* as the driver gives it: "AMD Radeon 780M (RADV GFX1103_R1)" */
    char driver[256]; /* "radv Mesa 22.3.6" */
    asr_vulkan_device_type type;
    unsigned api_version;  /* VK_MAKE_API_VERSION */
    uint64_t memory_bytes; /* of the largest device-local heap */
    int subgroup_size;
    bool usable; /* Vulkan 1.1 and a queue that computes */
    bool has_f16_storage, has_int8_storage;
} asr_vulkan_device;

/* What VK_LAYER_KHRONOS_validation said (with synchronisation validation). */
typedef struct asr_vulkan_validation {
    int n_messages; /* warnings and errors */
    char first[1024];
} asr_vulkan_validation;

typedef struct asr_vulkan_params {
    int device_index;      /* in the order of asr_vulkan_devices(); -1: the best GPU */
    bool allow_software;   /* with -1: a software device too, when there is no GPU */
    const char *cache_dir; /* where compiled pipelines are kept; NULL: nowhere */
    bool as_gpu; /* treat a software device as a GPU with memory of its own: for tests */
    /* Not NULL: the validation layer watches every call and its messages are counted
     * here, those of destruction included. Borrowed for the backend's life. */
    asr_vulkan_validation *validation;
} asr_vulkan_params;

/* Fills in up to `capacity` devices in the loader's order and returns how many there are;
 * −1 with a message when there is no Vulkan at all. */
int asr_vulkan_devices(asr_vulkan_device *devices, int capacity, asr_error *error);

/* NULL with a message when there is no such device or it cannot be used. Destroy with
 * asr_backend_destroy(), after all that was made from it. */
asr_backend *asr_vulkan_create(const asr_vulkan_params *params, asr_error *error);

#endif
