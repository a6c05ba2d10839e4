// Softmax(scale·q·kᵀ)·v where many rows of q see the same keys, on software Vulkan: a
// workgroup is one subgroup, and each lane has one row of q and keeps a running maximum
// and sum. Keys go by as many at a time as there are lanes; each lane loads four elements
// of one key, handed round with shuffles.
// (Online softmax: Milakov and Gimelshein, 2018.)
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const int LANES = 8;

#include "attention.glsl"

layout(constant_id = 3) const int DIM4 = 16; // groups of four elements in a head

layout(binding = 3) writeonly buffer Y { float y[]; };

vec4 from_lane(vec4 v, int lane)
{
    return vec4(subgroupShuffle(v.x, lane), subgroupShuffle(v.y, lane),
                subgroupShuffle(v.z, lane), subgroupShuffle(v.w, lane));
}

void main()
{
    int lane = int(gl_SubgroupInvocationID);
    int row = int(gl_WorkGroupID.x) * LANES + lane;
    int head = int(gl_WorkGroupID.y);
    int kv_head = head / p.heads_per_kv;

    int q_at = q_begin(min(row, p.rows - 1), head);
    vec4 query[DIM4], sum[DIM4];
    [[unroll]] for (int c = 0; c < DIM4; c++) {
        query[c] = load_q(q_at, c) * p.scale;
        sum[c] = vec4(0.0);
    }
    int keys = p.keys;
    float most = MINUS_INFINITY, total = 0.0;

    for (int first = 0; first < keys; first += LANES) {
        int my_key = min(first + lane, keys - 1);
        int k_at = k_begin(my_key, kv_head), v_at = v_begin(my_key, kv_head);
        float weight[LANES];
        [[unroll]] for (int j = 0; j < LANES; j++)
            weight[j] = first + j < keys ? 0.0 : MINUS_INFINITY;
        [[unroll]] for (int c = 0; c < DIM4; c++) {
            vec4 mine = load_k(k_at, c);
            [[unroll]] for (int j = 0; j < LANES; j++)
                weight[j] += dot(query[c], from_lane(mine, j));
        }

        float before = most;
        [[unroll]] for (int j = 0; j < LANES; j++)
            most = max(most, weight[j]);
        float shrink = exp(before - most);
        total *= shrink;
        [[unroll]] for (int j = 0; j < LANES; j++) {
            weight[j] = exp(weight[j] - most);
            total += weight[j];
        }

        [[unroll]] for (int c = 0; c < DIM4; c++) {
            vec4 mine = load_v(v_at, c);
            sum[c] *= shrink;
            [[unroll]] for (int j = 0; j < LANES; j++)
                sum[c] += weight[j] * from_lane(mine, j);
        }
    }

    if (row >= p.rows)
        return;
    int start = (row * p.heads + head) * p.dim;
    [[unroll]] for (int c = 0; c < DIM4; c++)
        for (int i = 0; i < 4; i++)
            if (c * 4 + i < p.dim)
                y[start + c * 4 + i] = sum[c][i] / total;
}
