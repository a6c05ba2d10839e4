/* LINEAR and CONV1D: which matrix product, with which tile. */
#include "vulkan/lower.h"

/* Rows up to which a product is bound by reading the weights. */
#define FEW_ROWS 8

typedef struct matmul_choice {
    vulkan_kernel_id kernel; /* of f32 weights; the other dtypes follow */
    int local_size, rows, cols, side;
    int group_rows, group_cols; /* of the result, for a workgroup */
} matmul_choice;

/* Software Vulkan: few sums a lane, or they leave the registers; many products for each
 * load. Measured with Mesa 22.3. */
static matmul_choice choose_lanes(int lanes, int rows)
{
    int r = rows <= FEW_ROWS ? rows : rows < 2 * lanes ? lanes : 2 * lanes;
    int c = r <= 4 ? 4 : 2;
    return (matmul_choice){VULKAN_MATMUL_LANES, lanes, r, c, 0, r, c * lanes};
}

static matmul_choice choose(const vulkan_plan *plan, int rows)
{
    if (plan->backend->uses_lanes)
        return choose_lanes(plan->backend->device.subgroup_size, rows);
    if (rows <= FEW_ROWS)
        return (matmul_choice){VULKAN_MATMUL_FEW, 64, rows, 2, 0, rows, 2};
    return (matmul_choice){VULKAN_MATMUL_TILE, 256, 4, 4, 16, 64, 64};
}

static struct matmul_params params_of(const asr_tensor *t, const vulkan_operand *x,
                                      const vulkan_operand *w,
                                      const vulkan_operand *residual)
{
    bool is_convolution = t->op == ASR_OP_CONV1D;
    return (struct matmul_params){
        .rows = t->rows,
        .cols = t->cols,
        .depth = w->cols,
        .x_offset = x->offset,
        .x_stride = x->stride,
        .x_rows = x->rows,
        .x_cols = x->cols,
        .step = is_convolution ? t->stride : 1,
        .pad = is_convolution ? t->pad : 0,
        .w_stride = w->stride,
        .residual_offset = residual->offset,
        .residual_stride = residual->stride,
    };
}

/* Whether the shader may read patches of x four elements at a time. */
static bool reads_vectors(const asr_tensor *t, const vulkan_operand *x, int depth)
{
    bool contiguous = t->op == ASR_OP_LINEAR || x->cols == x->stride;
    return vulkan_is_aligned(x) && depth % 4 == 0 && contiguous;
}

bool vulkan_lower_matmul(vulkan_plan *plan, const asr_tensor *t, asr_error *error)
{
    vulkan_operand x = vulkan_operand_of(t->src[0]), w = vulkan_operand_of(t->src[1]);
    vulkan_operand bias = vulkan_operand_or(t->src[2], x);
    vulkan_operand residual = vulkan_operand_or(t->src[3], x);
    struct matmul_params push = params_of(t, &x, &w, &residual);
    matmul_choice choice = choose(plan, t->rows);
    int32_t constants[VULKAN_MAX_CONSTANTS] = {
        choice.local_size,
        reads_vectors(t, &x, w.cols),
        t->op == ASR_OP_CONV1D,
        choice.rows,
        choice.cols,
        choice.side,
        (int32_t)t->act,
        t->src[2] != NULL,
        t->src[3] != NULL,
    };
    vulkan_range bindings[VULKAN_MAX_BINDINGS] = {
        x.range, w.range, bias.range, residual.range, vulkan_operand_of(t).range};
    if (w.dtype == ASR_I8) {
        int row_size = vulkan_row_size(plan);
        int32_t quantise[VULKAN_MAX_CONSTANTS] = {row_size, constants[1], constants[2]};
        vulkan_range packed =
            vulkan_plan_scratch(plan, (VkDeviceSize)t->rows * (VkDeviceSize)w.stride);
        vulkan_range scales = vulkan_plan_scratch(plan, (VkDeviceSize)t->rows * 4);
        int groups[3] = {t->rows, 1, 1};
        if (!vulkan_plan_add(plan, VULKAN_QUANTISE, quantise,
                             (vulkan_range[]){x.range, packed, scales}, &push, groups,
                             error))
            return false;
        bindings[0] = packed;
        bindings[5] = scales;
        bindings[6] = vulkan_scales_of(t->src[1]);
    }
    int groups[3] = {vulkan_groups(t->cols, choice.group_cols),
                     vulkan_groups(t->rows, choice.group_rows), 1};
    return vulkan_plan_add(plan, choice.kernel + w.dtype, constants, bindings, &push,
                           groups, error);
}
