// Softmax(scale·q·kᵀ)·v for few rows of q: a workgroup for each row, head and part of the
// keys (at most CHUNK of them, all rows of k or those that a table lists). With one part
// it writes the result; with more, what attention_merge.comp puts together: the parts'
// maximum, sum of weights, and weighted sum of v.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const int LOCAL_SIZE = 8;

#include "attention.glsl"
#include "reduce.glsl"

layout(constant_id = 3) const int DIM4 = 16;
layout(constant_id = 4) const int CHUNK = 256;
layout(constant_id = 5) const bool TABLE = false;

layout(binding = 3) writeonly buffer Y { float y[]; };
layout(binding = 4) readonly buffer Table { int table[]; };
layout(binding = 5) readonly buffer Length { int lengths[]; };

shared vec4 query[DIM4];
shared float weight[CHUNK];

int key_count(int row)
{
    return TABLE ? clamp(lengths[row * p.length_stride], 0, p.table_cols) : p.keys;
}

int key_row(int row, int i)
{
    return TABLE ? clamp(table[row * p.table_stride + i], 0, p.keys - 1) : i;
}

float score(int row, int kv_head, int i)
{
    int key = key_row(row, i);
    vec4 sum = vec4(0.0);
    for (int c = 0; c < DIM4; c++)
        sum += query[c] * load_k(key, kv_head, c * 4);
    return sum.x + sum.y + sum.z + sum.w;
}

void main()
{
    int me = int(gl_LocalInvocationIndex);
    int split = int(gl_WorkGroupID.x), head = int(gl_WorkGroupID.y);
    int row = int(gl_WorkGroupID.z);
    int kv_head = head / p.heads_per_kv;
    int first = split * CHUNK;
    int count = clamp(key_count(row) - first, 0, CHUNK);

    for (int c = me; c < DIM4; c += LOCAL_SIZE)
        query[c] = load_q(row, head, c * 4) * p.scale;
    barrier();

    float most = MINUS_INFINITY;
    for (int i = me; i < count; i += LOCAL_SIZE) {
        float s = score(row, kv_head, first + i);
        weight[i] = s;
        most = max(most, s);
    }
    most = reduce_max(most);

    float total = 0.0;
    for (int i = me; i < count; i += LOCAL_SIZE) {
        weight[i] = exp(weight[i] - most);
        total += weight[i];
    }
    total = reduce_sum(total); // its barriers make the weights visible, too

    bool whole = p.splits == 1;
    float scale = whole && total > 0.0 ? 1.0 / total : 1.0;
    int result = (row * p.heads + head) * p.splits + split;
    int start = whole ? result * p.dim : result * (p.dim + 2) + 2;
    if (!whole && me == 0) {
        y[start - 2] = most;
        y[start - 1] = total;
    }
    for (int c = me; c < DIM4; c += LOCAL_SIZE) {
        vec4 sum = vec4(0.0);
        for (int i = 0; i < count; i++)
            sum += weight[i] * load_v(key_row(row, first + i), kv_head, c * 4);
        for (int i = 0; i < min(4, p.dim - c * 4); i++)
            y[start + c * 4 + i] = sum[i] * scale;
    }
}
