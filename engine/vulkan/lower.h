/* Turning a node of the graph into dispatches: operands as ranges of buffers. */
#ifndef ASR_VULKAN_LOWER_H
#define ASR_VULKAN_LOWER_H

#include "vulkan/internal.h"

#include "shader_params.h"

/* Where a tensor's elements are: element (r, c) is offset + r·stride + c elements from
 * the beginning of the range. */
typedef struct vulkan_operand {
    vulkan_range range;
    asr_dtype dtype;
    int rows, cols;
    int offset, stride;
} vulkan_operand;

/* Of a tensor; without one, `otherwise`, so that every binding names some buffer. */
vulkan_operand vulkan_operand_of(const asr_tensor *tensor);
vulkan_operand vulkan_operand_or(const asr_tensor *tensor, vulkan_operand otherwise);

/* The scales of an int8 leaf; the leaf itself otherwise. */
vulkan_range vulkan_scales_of(const asr_tensor *tensor);

/* Whether rows of the operand begin at multiples of four elements. */
bool vulkan_is_aligned(const vulkan_operand *operand);

static inline int vulkan_groups(int n, int per_group)
{
    return (n + per_group - 1) / per_group;
}

/* Invocations of a workgroup that goes along one row together, or reduces. */
int vulkan_row_size(const vulkan_plan *plan);

bool vulkan_lower_matmul(vulkan_plan *plan, const asr_tensor *t, asr_error *error);
bool vulkan_lower_attention(vulkan_plan *plan, const asr_tensor *t, asr_error *error);
bool vulkan_lower_attention_weights(vulkan_plan *plan, const asr_tensor *t,
                                    asr_error *error);

#endif
