/* The attentions: many rows of q on the same keys, or few rows with their keys split over
 * workgroups. */
#include "vulkan/lower.h"

/* From how many rows on the kernel with an invocation for each row of q pays. */
#define MANY_ROWS 16

/* Keys of a block in shared memory: with heads of 64 elements, 8 KB. */
#define BLOCK_KEYS 16

/* The widest head, in groups of four elements, whose row of q and result an invocation
 * can hold. */
#define MAX_HELD_DIM4 32

static struct attention_params params_of(const asr_tensor *t, const vulkan_operand *q,
                                         const vulkan_operand *k, const vulkan_operand *v)
{
    return (struct attention_params){
        .rows = q->rows,
        .dim = q->cols / t->n_heads,
        .keys = k->rows,
        .heads = t->n_heads,
        .heads_per_kv = t->n_heads / t->n_kv_heads,
        .q_offset = q->offset,
        .q_stride = q->stride,
        .k_offset = k->offset,
        .k_stride = k->stride,
        .v_offset = v->offset,
        .v_stride = v->stride,
        .splits = 1,
        .scale = t->scale,
    };
}

static bool reads_vectors(const struct attention_params *push)
{
    return (push->dim | push->q_offset | push->q_stride | push->k_offset |
            push->k_stride | push->v_offset | push->v_stride) %
               4 ==
           0;
}

static bool lower_rows(vulkan_plan *plan, const struct attention_params *push,
                       asr_dtype dtype, const vulkan_range *bindings, asr_error *error)
{
    bool lanes = plan->backend->uses_lanes;
    int local_size = vulkan_row_size(plan);
    int32_t constants[VULKAN_MAX_CONSTANTS] = {
        local_size, reads_vectors(push), (int32_t)dtype, (push->dim + 3) / 4, BLOCK_KEYS,
    };
    int groups[3] = {vulkan_groups(push->rows, local_size), push->heads, 1};
    return vulkan_plan_add(plan, lanes ? VULKAN_ATTENTION_LANES : VULKAN_ATTENTION_ROWS,
                           constants, bindings, push, groups, error);
}

/* Rows of q that share each load of k and v. A GPU's caches do that, and its registers
 * are needed otherwise. */
static int rows_for_group(const vulkan_plan *plan, int rows, int dim)
{
    int most = dim <= 64 ? 8 : dim <= 128 ? 4 : 1; /* rows that an invocation holds */
    if (!plan->backend->uses_lanes)
        return 1;
    return rows < most ? rows : most;
}

/* Keys of a workgroup: few for GPUs, which have invocations to spare; on software Vulkan
 * as many as shared memory holds. */
static int keys_for_group(const vulkan_plan *plan, int rows)
{
    if (!plan->backend->uses_lanes)
        return 256;
    uint32_t bytes = plan->backend->device.properties.limits.maxComputeSharedMemorySize;
    int most = (int)((bytes - 1024) / sizeof(float)) / rows;
    return most < 2048 ? most : 2048;
}

/* bindings: q, k, v, result, table, length. */
static bool lower_few(vulkan_plan *plan, struct attention_params *push, asr_dtype dtype,
                      vulkan_range bindings[6], bool has_table, asr_error *error)
{
    int local_size = vulkan_row_size(plan);
    int rows_together = has_table ? 1 : rows_for_group(plan, push->rows, push->dim);
    int chunk = keys_for_group(plan, rows_together);
    int keys = has_table ? push->table_cols : push->keys;
    push->splits = vulkan_groups(keys, chunk);
    int32_t constants[VULKAN_MAX_CONSTANTS] = {
        local_size, reads_vectors(push), (int32_t)dtype, (push->dim + 3) / 4,
        chunk,      has_table,           rows_together,
    };
    int groups[3] = {push->splits, push->heads, vulkan_groups(push->rows, rows_together)};
    if (push->splits == 1)
        return vulkan_plan_add(plan, VULKAN_ATTENTION_FEW, constants, bindings, push,
                               groups, error);
    vulkan_range result = bindings[3];
    bindings[3] = vulkan_plan_scratch(
        plan, (VkDeviceSize)push->rows * (VkDeviceSize)push->heads *
                  (VkDeviceSize)push->splits * ((VkDeviceSize)push->dim + 2) * 4);
    vulkan_range merge[] = {bindings[3], result};
    int32_t merge_constants[VULKAN_MAX_CONSTANTS] = {local_size};
    int merge_groups[3] = {push->heads, push->rows, 1};
    return vulkan_plan_add(plan, VULKAN_ATTENTION_FEW, constants, bindings, push, groups,
                           error) &&
           vulkan_plan_add(plan, VULKAN_ATTENTION_MERGE, merge_constants, merge, push,
                           merge_groups, error);
}

/* One shader reads both k and v, as f32 or as f16. */
static bool check_cache(const vulkan_operand *k, const vulkan_operand *v,
                        asr_error *error)
{
    if (k->dtype == v->dtype && (k->dtype == ASR_F32 || k->dtype == ASR_F16))
        return true;
    return asr_fail(error, "The Vulkan backend takes keys and values both as f32 or both "
                           "as f16.");
}

bool vulkan_lower_attention(vulkan_plan *plan, const asr_tensor *t, asr_error *error)
{
    vulkan_operand q = vulkan_operand_of(t->src[0]), k = vulkan_operand_of(t->src[1]);
    vulkan_operand v = vulkan_operand_of(t->src[2]);
    vulkan_operand table = vulkan_operand_or(t->src[3], q);
    vulkan_operand length = vulkan_operand_or(t->src[4], q);
    if (!check_cache(&k, &v, error))
        return false;
    struct attention_params push = params_of(t, &q, &k, &v);
    push.table_cols = table.cols;
    push.table_stride = table.stride;
    push.length_stride = length.stride;
    vulkan_range bindings[] = {
        q.range, k.range, v.range, vulkan_operand_of(t).range, table.range, length.range};
    bool has_table = t->op == ASR_OP_ATTENTION_CACHED;
    if (!has_table && push.rows >= MANY_ROWS && push.dim <= 4 * MAX_HELD_DIM4)
        return lower_rows(plan, &push, k.dtype, bindings, error);
    return lower_few(plan, &push, k.dtype, bindings, has_table, error);
}

bool vulkan_lower_attention_weights(vulkan_plan *plan, const asr_tensor *t,
                                    asr_error *error)
{
    vulkan_operand q = vulkan_operand_of(t->src[0]), k = vulkan_operand_of(t->src[1]);
    vulkan_operand heads = vulkan_operand_of(t->src[2]);
    if (!check_cache(&k, &k, error))
        return false;
    struct attention_params push = params_of(t, &q, &k, &k);
    push.table_stride = heads.stride;
    vulkan_range bindings[] = {q.range, k.range, k.range, vulkan_operand_of(t).range,
                               heads.range};
    int32_t constants[VULKAN_MAX_CONSTANTS] = {vulkan_row_size(plan),
                                               reads_vectors(&push), (int32_t)k.dtype,
                                               (push.dim + 3) / 4};
    int groups[3] = {q.rows, heads.rows, 1};
    return vulkan_plan_add(plan, VULKAN_ATTENTION_WEIGHTS, constants, bindings, &push,
                           groups, error);
}
