// Softmax(scale·q·kᵀ) of chosen heads: a workgroup for each row of q and chosen head.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const int LOCAL_SIZE = 8;

#include "attention.glsl"
#include "reduce.glsl"

layout(constant_id = 3) const int DIM4 = 16;

layout(binding = 3) buffer Y { float y[]; };
layout(binding = 4) readonly buffer Heads { int chosen[]; };

void main()
{
    int me = int(gl_LocalInvocationIndex);
    int row = int(gl_WorkGroupID.x), choice = int(gl_WorkGroupID.y);
    int head = clamp(chosen[choice * p.table_stride], 0, p.heads - 1);
    int kv_head = head / p.heads_per_kv, keys = p.keys;
    int start = (choice * p.rows + row) * keys;

    vec4 query[DIM4];
    [[unroll]] for (int c = 0; c < DIM4; c++)
        query[c] = load_q(q_begin(row, head), c) * p.scale;

    float most = MINUS_INFINITY;
    for (int i = me; i < keys; i += LOCAL_SIZE) {
        int k_at = k_begin(i, kv_head);
        vec4 sum = vec4(0.0);
        [[unroll]] for (int c = 0; c < DIM4; c++)
            sum += query[c] * load_k(k_at, c);
        float s = sum.x + sum.y + sum.z + sum.w;
        y[start + i] = s;
        most = max(most, s);
    }
    most = reduce_max(most);

    float total = 0.0;
    for (int i = me; i < keys; i += LOCAL_SIZE)
        total += exp(y[start + i] - most);
    float inverse = 1.0 / reduce_sum(total);
    for (int i = me; i < keys; i += LOCAL_SIZE)
        y[start + i] = exp(y[start + i] - most) * inverse;
}
