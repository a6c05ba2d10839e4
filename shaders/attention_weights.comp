// Softmax(scale·q·kᵀ) of chosen heads: a workgroup for each row of q and chosen head.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const int LOCAL_SIZE = 8;

#include "attention.glsl"
#include "reduce.glsl"

layout(constant_id = 3) const int DIM4 = 16;

layout(binding = 3) buffer Y { float y[]; };
layout(binding = 4) readonly buffer Heads { int chosen[]; };

shared vec4 query[DIM4];

void main()
{
    int me = int(gl_LocalInvocationIndex);
    int row = int(gl_WorkGroupID.x), choice = int(gl_WorkGroupID.y);
    int head = clamp(chosen[choice * p.table_stride], 0, p.heads - 1);
    int start = (choice * p.rows + row) * p.keys;

    for (int c = me; c < DIM4; c += LOCAL_SIZE)
        query[c] = load_q(row, head, c * 4) * p.scale;
    barrier();

    float most = MINUS_INFINITY;
    for (int i = me; i < p.keys; i += LOCAL_SIZE) {
        vec4 sum = vec4(0.0);
        for (int c = 0; c < DIM4; c++)
            sum += query[c] * load_k(i, head / p.heads_per_kv, c * 4);
        float s = sum.x + sum.y + sum.z + sum.w;
        y[start + i] = s;
        most = max(most, s);
    }
    most = reduce_max(most);

    float total = 0.0;
    for (int i = me; i < p.keys; i += LOCAL_SIZE)
        total += exp(y[start + i] - most);
    float inverse = 1.0 / reduce_sum(total);
    for (int i = me; i < p.keys; i += LOCAL_SIZE)
        y[start + i] = exp(y[start + i] - most) * inverse;
}
