/* What the Vulkan backend's files share.
 *
 * How data flows. A weight is packed row by row into device memory when it is made
 * (buffer.c): directly where the host can write that memory, else through a staging
 * buffer whose copies are batched (command.c). Rows begin at multiples of four elements,
 * so that shaders load four at once. plan_create (plan.c) turns each node of the graph
 * into one or two dispatches (lower.c): a kernel of the table in kernels.c with
 * specialisation constants for its shape (pipeline.c), operands as ranges of buffers, and
 * push constants (shaders/shader_params.h). They are recorded once, with a barrier only
 * before a dispatch that touches a range which an earlier one has written, or writes one
 * that an earlier one reads. A run submits that recording and waits for its fence:
 * nothing is allocated, recorded or updated. The host writes its inputs and reads its
 * results (tokens, scores) in memory that stays mapped. */
#ifndef ASR_VULKAN_INTERNAL_H
#define ASR_VULKAN_INTERNAL_H

#include "vulkan/vulkan.h"

#include <vulkan/vulkan_core.h> /* vulkan.h is ours */

/* error.c: the message for a failed call; `what` completes "could not …". Returns false.
 */
bool vulkan_fail(asr_error *error, VkResult result, const char *what);

/* device.c: instance, physical device, logical device with one compute queue. */
typedef struct vulkan_device {
    VkInstance instance;
    VkDebugUtilsMessengerEXT messenger;
    VkPhysicalDevice physical;
    VkDevice handle;
    VkQueue queue;
    uint32_t queue_family;
    VkPhysicalDeviceProperties properties;
    VkPhysicalDeviceMemoryProperties memory;
    int subgroup_size;
    bool has_shuffle; /* of subgroups, in compute shaders */
    bool is_software;
    bool is_unified; /* the device's memory is the host's */
    char description[320];
} vulkan_device;

bool vulkan_device_create(vulkan_device *device, const asr_vulkan_params *params,
                          asr_error *error);
void vulkan_device_destroy(vulkan_device *device);
bool vulkan_instance_create(vulkan_device *device, asr_vulkan_validation *validation,
                            asr_error *error);
void vulkan_instance_destroy(vulkan_device *device);

/* Physical devices of the instance, to be freed; NULL with a message when none. */
VkPhysicalDevice *vulkan_physical_devices(VkInstance instance, uint32_t *count,
                                          asr_error *error);
void vulkan_describe(VkPhysicalDevice physical, asr_vulkan_device *device);
bool vulkan_find_queue_family(VkPhysicalDevice physical, uint32_t *family);

/* memory.c: blocks of device memory, and buffers placed in them. */
typedef enum vulkan_place {
    VULKAN_ON_DEVICE, /* mapped only where memory is unified */
    VULKAN_ON_HOST,   /* always mapped, coherent */
    VULKAN_PLACES,
} vulkan_place;

typedef struct vulkan_block vulkan_block;

typedef struct vulkan_memory {
    const vulkan_device *device;
    vulkan_block *blocks;
    uint32_t type[VULKAN_PLACES]; /* indices of memory types */
} vulkan_memory;

typedef struct vulkan_storage {
    VkBuffer handle;
    VkDeviceSize size;
    char *mapped; /* NULL where the host cannot reach it */
    vulkan_block *block;
    VkDeviceSize offset; /* in the block */
} vulkan_storage;

bool vulkan_memory_create(vulkan_memory *memory, const vulkan_device *device,
                          asr_error *error);
void vulkan_memory_destroy(vulkan_memory *memory);
bool vulkan_storage_create(vulkan_storage *storage, vulkan_memory *memory,
                           VkDeviceSize size, vulkan_place place, asr_error *error);
void vulkan_storage_destroy(vulkan_storage *storage, vulkan_memory *memory);

/* command.c: submissions, and copies between host and device. */
typedef struct vulkan_commands {
    const vulkan_device *device;
    VkCommandPool pool;
    VkCommandBuffer copies; /* being recorded while `n_copies` > 0 */
    VkFence fence;
    vulkan_storage staging; /* made when first needed */
    VkDeviceSize staged;
    int n_copies;
} vulkan_commands;

bool vulkan_commands_create(vulkan_commands *commands, const vulkan_device *device,
                            asr_error *error);
void vulkan_commands_destroy(vulkan_commands *commands, vulkan_memory *memory);

/* Submits and waits until the device is done. */
bool vulkan_submit(vulkan_commands *commands, VkCommandBuffer buffer, asr_error *error);

/* The largest `size` that the functions below take. */
#define VULKAN_STAGING_BYTES ((VkDeviceSize)16 << 20)

/* Where the host is to write what belongs at [offset, offset + size) of storage; it gets
 * there before the next run. Sizes and offsets are multiples of 4. */
void *vulkan_upload(vulkan_commands *commands, vulkan_memory *memory,
                    const vulkan_storage *storage, VkDeviceSize offset, VkDeviceSize size,
                    asr_error *error);
bool vulkan_upload_flush(vulkan_commands *commands, asr_error *error);
bool vulkan_clear(vulkan_commands *commands, const vulkan_storage *storage,
                  asr_error *error);
/* Where the host may read it, until the next call here. */
const void *vulkan_download(vulkan_commands *commands, vulkan_memory *memory,
                            const vulkan_storage *storage, VkDeviceSize offset,
                            VkDeviceSize size, asr_error *error);

/* kernels.c: every compute shader. */
typedef enum vulkan_kernel_id {
    VULKAN_MATMUL_TILE, /* and the three other dtypes of weights, in asr_dtype's order */
    VULKAN_MATMUL_FEW = VULKAN_MATMUL_TILE + 4,
    VULKAN_MATMUL_LANES = VULKAN_MATMUL_FEW + 4,
    VULKAN_QUANTISE = VULKAN_MATMUL_LANES + 4,
    VULKAN_LAYER_NORM,
    VULKAN_ADD,
    VULKAN_ROWS,
    VULKAN_STORE,
    VULKAN_ATTENTION_ROWS,
    VULKAN_ATTENTION_LANES,
    VULKAN_ATTENTION_FEW,
    VULKAN_ATTENTION_MERGE,
    VULKAN_ATTENTION_WEIGHTS,
    VULKAN_PICK_CHUNK,
    VULKAN_PICK_BEST,
    VULKAN_KERNELS,
} vulkan_kernel_id;

#define VULKAN_MAX_BINDINGS 7
#define VULKAN_MAX_CONSTANTS 9

typedef struct vulkan_kernel {
    const char *name;
    const uint32_t *code;
    size_t code_bytes;
    int n_bindings;
    unsigned writes; /* bit b: binding b is written */
    size_t push_bytes;
} vulkan_kernel;

const vulkan_kernel *vulkan_kernel_get(vulkan_kernel_id id);

/* pipeline.c: kernels made ready for a device, kept for the backend's life. */
typedef struct vulkan_pipeline {
    vulkan_kernel_id kernel;
    int32_t constants[VULKAN_MAX_CONSTANTS];
    VkPipeline handle;
} vulkan_pipeline;

typedef struct vulkan_pipelines {
    const vulkan_device *device;
    VkDescriptorSetLayout set_layouts[VULKAN_KERNELS]; /* made when first needed */
    VkPipelineLayout layouts[VULKAN_KERNELS];
    VkShaderModule modules[VULKAN_KERNELS];
    vulkan_pipeline **list;
    int n, capacity;
    VkPipelineCache cache;
    char *cache_path; /* NULL: not kept on disk */
    int n_saved;      /* of the list when the cache was last written */
} vulkan_pipelines;

bool vulkan_pipelines_create(vulkan_pipelines *pipelines, const vulkan_device *device,
                             const char *cache_dir, asr_error *error);
void vulkan_pipelines_destroy(vulkan_pipelines *pipelines);
/* Writes the cache when there are pipelines that it lacks. */
void vulkan_pipelines_save(vulkan_pipelines *pipelines);
const vulkan_pipeline *vulkan_pipeline_get(vulkan_pipelines *pipelines,
                                           vulkan_kernel_id kernel,
                                           const int32_t constants[VULKAN_MAX_CONSTANTS],
                                           asr_error *error);

/* cache.c: the pipeline cache's file. A cache that cannot be read or written is as good
 * as none: neither is an error. */
char *vulkan_cache_path(const vulkan_device *device, const char *cache_dir);
void *vulkan_cache_load(const char *path, size_t *size); /* to be freed; NULL: none */
void vulkan_cache_save(const char *path, const void *data, size_t size);

/* backend.c */
typedef struct vulkan_backend {
    asr_backend base;
    vulkan_device device;
    vulkan_memory memory;
    vulkan_commands commands;
    vulkan_pipelines pipelines;
    bool uses_lanes; /* the kernels for software Vulkan */
} vulkan_backend;

/* buffer.c: matrices. */
typedef struct vulkan_buffer {
    asr_buffer base;
    vulkan_storage storage;
    int row_stride; /* elements */
    VkDeviceSize data_bytes;
    VkDeviceSize scales_offset; /* i8: where the f32 scales are */
} vulkan_buffer;

asr_buffer *vulkan_weight_create(asr_backend *backend, const asr_matrix *matrix,
                                 asr_error *error);
asr_buffer *vulkan_buffer_create(asr_backend *backend, asr_dtype dtype, int rows,
                                 int cols, asr_usage usage, asr_error *error);
void vulkan_buffer_destroy(asr_buffer *buffer);
bool vulkan_buffer_write(asr_buffer *buffer, int first_row, int n_rows, const void *data,
                         asr_error *error);
bool vulkan_buffer_read(asr_buffer *buffer, int first_row, int n_rows, void *data,
                        asr_error *error);

/* plan.c: a graph as a recorded command buffer. */
typedef struct vulkan_range {
    const vulkan_storage *storage; /* NULL: the plan's arena */
    VkDeviceSize offset, size;
} vulkan_range;

typedef struct vulkan_dispatch {
    const vulkan_pipeline *pipeline;
    vulkan_range bindings[VULKAN_MAX_BINDINGS];
    unsigned char push[128];
    uint32_t groups[3];
} vulkan_dispatch;

typedef struct vulkan_plan {
    asr_plan base;
    vulkan_backend *backend;
    vulkan_storage arena; /* computed matrices, then scratch */
    VkDescriptorPool pool;
    VkCommandBuffer commands;
    /* While it is built. */
    VkDeviceSize arena_bytes, scratch_used, scratch_bytes;
    vulkan_dispatch *dispatches;
    int n_dispatches, capacity;
} vulkan_plan;

asr_plan *vulkan_plan_create(asr_backend *backend, const asr_graph *graph,
                             asr_error *error);
bool vulkan_plan_run(asr_plan *plan, asr_error *error);
void vulkan_plan_destroy(asr_plan *plan);

/* Adds a dispatch; checks the device's limits. */
bool vulkan_plan_add(vulkan_plan *plan, vulkan_kernel_id kernel,
                     const int32_t constants[VULKAN_MAX_CONSTANTS],
                     const vulkan_range *bindings, const void *push, const int groups[3],
                     asr_error *error);
/* Room in the arena for a node's intermediate values, until the next node. */
vulkan_range vulkan_plan_scratch(vulkan_plan *plan, VkDeviceSize bytes);

/* lower.c, lower_attention.c …: the dispatches of a node. */
bool vulkan_lower(vulkan_plan *plan, const asr_tensor *node, asr_error *error);

#endif
