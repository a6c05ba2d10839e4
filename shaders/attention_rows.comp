// Softmax(scale·q·kᵀ)·v where many rows of q see the same keys, on GPUs: each invocation
// has one row of q and keeps a running maximum and sum, while the workgroup brings blocks
// of keys, then of values, into shared memory.
// (Online softmax: Milakov and Gimelshein, 2018.)
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const int LOCAL_SIZE = 64;

#include "attention.glsl"

layout(constant_id = 3) const int DIM4 = 16; // groups of four elements in a head
layout(constant_id = 4) const int KEYS = 16; // of a block

layout(binding = 3) writeonly buffer Y { float y[]; };

shared vec4 block[KEYS * DIM4];
shared float weights[KEYS * LOCAL_SIZE]; // an invocation's own are LOCAL_SIZE apart

#define BRING_BLOCK(name, first_key, head)                                               \
    barrier();                                                                           \
    for (int i = int(gl_LocalInvocationIndex); i < KEYS * DIM4; i += LOCAL_SIZE) {       \
        int key = min(first_key + i / DIM4, p.keys - 1);                                 \
        block[i] = load_##name(name##_begin(key, head), i % DIM4);                       \
    }                                                                                    \
    barrier()

void main()
{
    int me = int(gl_LocalInvocationIndex);
    int row = int(gl_GlobalInvocationID.x);
    int head = int(gl_WorkGroupID.y);
    int kv_head = head / p.heads_per_kv;

    int q_at = q_begin(min(row, p.rows - 1), head);
    vec4 query[DIM4], sum[DIM4];
    [[unroll]] for (int c = 0; c < DIM4; c++) {
        query[c] = load_q(q_at, c) * p.scale;
        sum[c] = vec4(0.0);
    }
    float most = MINUS_INFINITY, total = 0.0;

    for (int first = 0; first < p.keys; first += KEYS) {
        int count = min(KEYS, p.keys - first);
        float before = most;
        BRING_BLOCK(k, first, kv_head);
        for (int j = 0; j < count; j++) {
            vec4 products = vec4(0.0);
            [[unroll]] for (int c = 0; c < DIM4; c++)
                products += query[c] * block[j * DIM4 + c];
            float score = products.x + products.y + products.z + products.w;
            weights[j * LOCAL_SIZE + me] = score;
            most = max(most, score);
        }

        float shrink = exp(before - most);
        total *= shrink;
        [[unroll]] for (int c = 0; c < DIM4; c++)
            sum[c] *= shrink;
        BRING_BLOCK(v, first, kv_head);
        for (int j = 0; j < count; j++) {
            float weight = exp(weights[j * LOCAL_SIZE + me] - most);
            total += weight;
            [[unroll]] for (int c = 0; c < DIM4; c++)
                sum[c] += weight * block[j * DIM4 + c];
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
