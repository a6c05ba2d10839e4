/* The operations that are one simple dispatch, and picking tokens. */
#include "vulkan/lower.h"

/* Invocations of a workgroup where each does elements of its own. */
#define ELEMENTS_SIZE 64

#define PICK_CHUNK 2048

vulkan_operand vulkan_operand_of(const asr_tensor *t)
{
    vulkan_operand operand = {.dtype = t->dtype, .rows = t->rows, .cols = t->cols};
    if (t->op == ASR_OP_LEAF) {
        const vulkan_buffer *buffer = (const vulkan_buffer *)t->buffer;
        operand.range = (vulkan_range){&buffer->storage, 0, buffer->data_bytes};
        operand.stride = buffer->row_stride;
    } else {
        const asr_tensor *storage = t->view_of ? t->view_of : t;
        VkDeviceSize elements =
            (VkDeviceSize)storage->rows * (VkDeviceSize)storage->row_stride;
        operand.range = (vulkan_range){NULL, storage->arena_offset, elements * 4};
        operand.offset = t->first_col;
        operand.stride = t->row_stride;
    }
    return operand;
}

vulkan_operand vulkan_operand_or(const asr_tensor *t, vulkan_operand otherwise)
{
    return t ? vulkan_operand_of(t) : otherwise;
}

vulkan_range vulkan_scales_of(const asr_tensor *t)
{
    const vulkan_buffer *buffer = (const vulkan_buffer *)t->buffer;
    if (t->dtype != ASR_I8)
        return (vulkan_range){&buffer->storage, 0, buffer->data_bytes};
    return (vulkan_range){&buffer->storage, buffer->scales_offset,
                          (VkDeviceSize)t->rows * sizeof(float)};
}

bool vulkan_is_aligned(const vulkan_operand *operand)
{
    return operand->offset % 4 == 0 && operand->stride % 4 == 0;
}

int vulkan_row_size(const vulkan_plan *plan)
{
    return plan->backend->uses_lanes ? plan->backend->device.subgroup_size : 64;
}

static bool lower_layer_norm(vulkan_plan *plan, const asr_tensor *t, asr_error *error)
{
    vulkan_operand x = vulkan_operand_of(t->src[0]);
    vulkan_range bindings[] = {x.range, vulkan_operand_of(t->src[1]).range,
                               vulkan_operand_of(t->src[2]).range,
                               vulkan_operand_of(t).range};
    struct layer_norm_params push = {t->cols, x.offset, x.stride, t->eps};
    int32_t constants[VULKAN_MAX_CONSTANTS] = {vulkan_row_size(plan)};
    int groups[3] = {t->rows, 1, 1};
    return vulkan_plan_add(plan, VULKAN_LAYER_NORM, constants, bindings, &push, groups,
                           error);
}

static bool lower_add(vulkan_plan *plan, const asr_tensor *t, asr_error *error)
{
    vulkan_operand a = vulkan_operand_of(t->src[0]), b = vulkan_operand_of(t->src[1]);
    vulkan_range bindings[] = {a.range, b.range, vulkan_operand_of(t).range};
    struct add_params push = {t->rows, t->cols, a.offset, a.stride, b.offset, b.stride};
    int32_t constants[VULKAN_MAX_CONSTANTS] = {ELEMENTS_SIZE};
    int groups[3] = {vulkan_groups(t->cols, ELEMENTS_SIZE), t->rows, 1};
    return vulkan_plan_add(plan, VULKAN_ADD, constants, bindings, &push, groups, error);
}

static bool lower_rows(vulkan_plan *plan, const asr_tensor *t, asr_error *error)
{
    vulkan_operand table = vulkan_operand_of(t->src[0]);
    vulkan_operand index = vulkan_operand_of(t->src[1]);
    vulkan_range bindings[] = {table.range, index.range, vulkan_scales_of(t->src[0]),
                               vulkan_operand_of(t).range};
    struct rows_params push = {t->rows, t->cols, table.rows, table.stride, index.stride};
    int32_t constants[VULKAN_MAX_CONSTANTS] = {ELEMENTS_SIZE, (int32_t)table.dtype};
    int groups[3] = {vulkan_groups(t->cols, 4 * ELEMENTS_SIZE), t->rows, 1};
    return vulkan_plan_add(plan, VULKAN_ROWS, constants, bindings, &push, groups, error);
}

static bool lower_store(vulkan_plan *plan, const asr_tensor *t, asr_error *error)
{
    vulkan_operand x = vulkan_operand_of(t->src[0]);
    vulkan_operand leaf = vulkan_operand_of(t->src[1]);
    vulkan_operand slot = vulkan_operand_or(t->src[2], x);
    vulkan_range bindings[] = {x.range, slot.range, leaf.range};
    struct store_params push = {t->rows,
                                t->cols,
                                x.offset,
                                x.stride,
                                leaf.rows,
                                leaf.stride,
                                t->src[2] ? slot.stride : 0};
    int32_t constants[VULKAN_MAX_CONSTANTS] = {ELEMENTS_SIZE, (int32_t)leaf.dtype};
    int groups[3] = {vulkan_groups(t->cols, 4 * ELEMENTS_SIZE), t->rows, 1};
    return vulkan_plan_add(plan, VULKAN_STORE, constants, bindings, &push, groups, error);
}

static bool lower_pick(vulkan_plan *plan, const asr_tensor *t, asr_error *error)
{
    vulkan_operand logits = vulkan_operand_of(t->src[0]);
    vulkan_operand mask = vulkan_operand_of(t->src[1]);
    vulkan_operand rules = vulkan_operand_of(t->src[2]);
    vulkan_operand ids = vulkan_operand_of(t->src[3]);
    vulkan_operand scores = vulkan_operand_of(t->src[4]);
    int rows = t->rows, chunks = vulkan_groups(logits.cols, PICK_CHUNK);
    VkDeviceSize part_words = 6 + 4 * (VkDeviceSize)t->k;
    vulkan_range parts = vulkan_plan_scratch(
        plan, (VkDeviceSize)rows * (VkDeviceSize)chunks * part_words * 4);
    vulkan_range bindings[] = {logits.range, mask.range, rules.range,
                               parts,        ids.range,  scores.range};
    struct pick_params push = {
        .vocabulary = logits.cols,
        .logits_offset = logits.offset,
        .logits_stride = logits.stride,
        .mask_rows = mask.rows,
        .mask_stride = mask.stride,
        .rules_stride = rules.stride,
        .ids_stride = ids.stride,
        .scores_stride = scores.stride,
        .chunks = chunks,
    };
    int32_t constants[VULKAN_MAX_CONSTANTS] = {vulkan_row_size(plan), t->k, PICK_CHUNK};
    int first[3] = {chunks, rows, 1}, second[3] = {rows, 1, 1};
    return vulkan_plan_add(plan, VULKAN_PICK_CHUNK, constants, bindings, &push, first,
                           error) &&
           vulkan_plan_add(plan, VULKAN_PICK_BEST, constants, bindings, &push, second,
                           error);
}

/* Matrices that shaders read as f32 only: activations, and leaves used as such. */
static bool check_dtypes(const asr_tensor *t, asr_error *error)
{
    bool any_dtype[ASR_OP_COUNT][ASR_MAX_SRC] = {
        [ASR_OP_LINEAR] = {[1] = true},
        [ASR_OP_CONV1D] = {[1] = true},
        [ASR_OP_ROWS] = {[0] = true, [1] = true},
        [ASR_OP_STORE] = {[1] = true, [2] = true},
        [ASR_OP_ATTENTION] = {[1] = true, [2] = true},
        [ASR_OP_ATTENTION_CACHED] = {[1] = true, [2] = true, [3] = true, [4] = true},
        [ASR_OP_ATTENTION_WEIGHTS] = {[1] = true, [2] = true},
        [ASR_OP_PICK] = {[2] = true, [3] = true},
    };
    for (int s = 0; s < ASR_MAX_SRC; s++)
        if (t->src[s] && t->src[s]->dtype != ASR_F32 && !any_dtype[t->op][s])
            return asr_fail(error, "The Vulkan backend reads activations as f32 only; "
                                   "use --precision f32.");
    return true;
}

bool vulkan_lower(vulkan_plan *plan, const asr_tensor *t, asr_error *error)
{
    if (!check_dtypes(t, error))
        return false;
    switch (t->op) {
    case ASR_OP_LINEAR:
    case ASR_OP_CONV1D:
        return vulkan_lower_matmul(plan, t, error);
    case ASR_OP_LAYER_NORM:
        return lower_layer_norm(plan, t, error);
    case ASR_OP_ADD:
        return lower_add(plan, t, error);
    case ASR_OP_ROWS:
        return lower_rows(plan, t, error);
    case ASR_OP_STORE:
        return lower_store(plan, t, error);
    case ASR_OP_ATTENTION:
    case ASR_OP_ATTENTION_CACHED:
        return vulkan_lower_attention(plan, t, error);
    case ASR_OP_ATTENTION_WEIGHTS:
        return vulkan_lower_attention_weights(plan, t, error);
    case ASR_OP_PICK:
        return lower_pick(plan, t, error);
    case ASR_OP_LEAF:
    case ASR_OP_COLUMNS:
    case ASR_OP_COUNT:
        break;
    }
    return true;
}
