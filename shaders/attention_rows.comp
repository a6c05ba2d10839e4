// Softmax(scale·q·kᵀ)·v where many rows of q see the same keys: each invocation has one
// row of q, keeps a running maximum and sum, and goes through blocks of keys. A block is
// brought in by all together: through shared memory on GPUs, and on software Vulkan
// (SHUFFLE), where shared memory is slow and a workgroup is one subgroup, with shuffles.
// (Online softmax: Milakov and Gimelshein, 2018.)
#version 450
#extension GL_GOOGLE_include_directive : require
#ifdef SHUFFLE
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#endif

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const int LOCAL_SIZE = 8;

#include "attention.glsl"

layout(constant_id = 3) const int DIM4 = 16; // groups of four elements in a head
layout(constant_id = 4) const int KEYS = 8;  // of a block

layout(binding = 3) writeonly buffer Y { float y[]; };

#ifdef SHUFFLE
// Lane j holds four elements of key j at a time.
vec4 held;

#define HOLD(load, first_key, head, c)                                                   \
    held = load(min(first_key + int(gl_SubgroupInvocationID), p.keys - 1), head, c * 4)
#define BRING_BLOCK(load, first_key, head)

vec4 block_value(int key, int c)
{
    return vec4(subgroupShuffle(held.x, key), subgroupShuffle(held.y, key),
                subgroupShuffle(held.z, key), subgroupShuffle(held.w, key));
}
#else
shared vec4 block[KEYS * DIM4];

#define HOLD(load, first_key, head, c)
#define BRING_BLOCK(load, first_key, head)                                               \
    barrier();                                                                           \
    for (int i = int(gl_LocalInvocationIndex); i < KEYS * DIM4; i += LOCAL_SIZE)         \
        block[i] = load(min(first_key + i / DIM4, p.keys - 1), head, i % DIM4 * 4);      \
    barrier()

vec4 block_value(int key, int c)
{
    return block[key * DIM4 + c];
}
#endif

void main()
{
    int row = int(gl_GlobalInvocationID.x);
    int head = int(gl_WorkGroupID.y);
    int kv_head = head / p.heads_per_kv;

    vec4 query[DIM4], sum[DIM4];
    for (int c = 0; c < DIM4; c++) {
        query[c] = load_q(min(row, p.rows - 1), head, c * 4) * p.scale;
        sum[c] = vec4(0.0);
    }
    float most = MINUS_INFINITY, total = 0.0;

    for (int first = 0; first < p.keys; first += KEYS) {
        float weight[KEYS];
        for (int j = 0; j < KEYS; j++)
            weight[j] = first + j < p.keys ? 0.0 : MINUS_INFINITY;
        BRING_BLOCK(load_k, first, kv_head);
        for (int c = 0; c < DIM4; c++) {
            HOLD(load_k, first, kv_head, c);
            for (int j = 0; j < KEYS; j++)
                weight[j] += dot(query[c], block_value(j, c));
        }

        float before = most;
        for (int j = 0; j < KEYS; j++)
            most = max(most, weight[j]);
        float shrink = exp(before - most);
        total *= shrink;
        for (int j = 0; j < KEYS; j++) {
            weight[j] = exp(weight[j] - most);
            total += weight[j];
        }

        BRING_BLOCK(load_v, first, kv_head);
        for (int c = 0; c < DIM4; c++) {
            HOLD(load_v, first, kv_head, c);
            sum[c] *= shrink;
            for (int j = 0; j < KEYS; j++)
                sum[c] += weight[j] * block_value(j, c);
        }
    }

    if (row >= p.rows)
        return;
    int start = (row * p.heads + head) * p.dim;
    for (int c = 0; c < DIM4; c++)
        for (int i = 0; i < 4; i++)
            if (c * 4 + i < p.dim)
                y[start + c * 4 + i] = sum[c][i] / total;
}
