/* The table of kernels: their SPIR-V, how many buffers they take and which they write,
 * and the size of their push constants. */
#include "vulkan/internal.h"

#include "shader_params.h"

#include "add.h"
#include "attention_few.h"
#include "attention_lanes.h"
#include "attention_merge.h"
#include "attention_rows.h"
#include "attention_weights.h"
#include "layer_norm.h"
#include "matmul_few_bf16.h"
#include "matmul_few_f16.h"
#include "matmul_few_f32.h"
#include "matmul_few_i8.h"
#include "matmul_lanes_bf16.h"
#include "matmul_lanes_f16.h"
#include "matmul_lanes_f32.h"
#include "matmul_lanes_i8.h"
#include "matmul_tile_bf16.h"
#include "matmul_tile_f16.h"
#include "matmul_tile_f32.h"
#include "matmul_tile_i8.h"
#include "pick_best.h"
#include "pick_chunk.h"
#include "quantise.h"
#include "rows.h"
#include "store.h"

#define KERNEL(shader, n_bindings, writes, params)                                       \
    {                                                                                    \
#shader, shader_##shader, sizeof(shader_##shader), n_bindings, writes,           \
            sizeof(struct params)                                                        \
    }

/* x, w, bias, residual, y; with int8 the scales of x and of w. */
#define MATMUL(shader)                                                                   \
    KERNEL(shader##_f32, 5, 1 << 4, matmul_params),                                      \
        KERNEL(shader##_f16, 5, 1 << 4, matmul_params),                                  \
        KERNEL(shader##_bf16, 5, 1 << 4, matmul_params),                                 \
        KERNEL(shader##_i8, 7, 1 << 4, matmul_params)

static const vulkan_kernel kernels[VULKAN_KERNELS] = {
    MATMUL(matmul_tile),
    MATMUL(matmul_few),
    MATMUL(matmul_lanes),
    KERNEL(quantise, 3, 1 << 1 | 1 << 2, matmul_params),
    KERNEL(layer_norm, 4, 1 << 3, layer_norm_params),
    KERNEL(add, 3, 1 << 2, add_params),
    KERNEL(rows, 4, 1 << 3, rows_params),
    KERNEL(store, 3, 1 << 2, store_params),
    KERNEL(attention_rows, 4, 1 << 3, attention_params),
    KERNEL(attention_lanes, 4, 1 << 3, attention_params),
    KERNEL(attention_few, 6, 1 << 3, attention_params),
    KERNEL(attention_merge, 2, 1 << 1, attention_params),
    KERNEL(attention_weights, 5, 1 << 3, attention_params),
    KERNEL(pick_chunk, 4, 1 << 3, pick_params),
    KERNEL(pick_best, 6, 1 << 4 | 1 << 5, pick_params),
};

const vulkan_kernel *vulkan_kernel_get(vulkan_kernel_id id)
{
    return &kernels[id];
}
