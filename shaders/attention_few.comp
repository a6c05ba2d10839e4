// Softmax(scale·q·kᵀ)·v for few rows of q: a workgroup for ROWS rows, a head and a part
// of the keys: at most CHUNK of them, of all rows of k or, one row of q at a time, of
// those that a table lists. With one part it writes the result; with more, what
// attention_merge.comp puts together: the part's maximum, sum of weights, and weighted
// sum of v.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const int LOCAL_SIZE = 8;

#include "attention.glsl"
#include "reduce.glsl"

layout(constant_id = 3) const int DIM4 = 16;
layout(constant_id = 4) const int CHUNK = 256;
layout(constant_id = 5) const bool TABLE = false;
layout(constant_id = 6) const int ROWS = 1;

// For the sum over v, GROUPS groups of SPAN invocations take turns at the keys; an
// invocation has PER of the head's columns, SPAN apart.
const int GROUPS = LOCAL_SIZE >= DIM4 ? LOCAL_SIZE / DIM4 : 1;
const int SPAN = LOCAL_SIZE / GROUPS;
const int PER = (DIM4 + SPAN - 1) / SPAN;

layout(binding = 3) writeonly buffer Y { float y[]; };
layout(binding = 4) readonly buffer Table { int table[]; };
layout(binding = 5) readonly buffer Length { int lengths[]; };

shared float weights[ROWS * CHUNK];
shared vec4 partial[LOCAL_SIZE];

int me = int(gl_LocalInvocationIndex);
int head = int(gl_WorkGroupID.y);
int kv_head = head / p.heads_per_kv;
int first_row = int(gl_WorkGroupID.z) * ROWS;
int first_key = int(gl_WorkGroupID.x) * CHUNK;
int keys = p.keys, table_at = first_row * p.table_stride + first_key;

int key_count()
{
    int all = TABLE ? clamp(lengths[first_row * p.length_stride], 0, p.table_cols) : keys;
    return clamp(all - first_key, 0, CHUNK);
}

int key_row(int i)
{
    return TABLE ? clamp(table[table_at + i], 0, keys - 1) : first_key + i;
}

void score(int count)
{
    vec4 query[ROWS * DIM4];
    [[unroll]] for (int r = 0; r < ROWS; r++) {
        int at = q_begin(min(first_row + r, p.rows - 1), head);
        [[unroll]] for (int c = 0; c < DIM4; c++)
            query[r * DIM4 + c] = load_q(at, c) * p.scale;
    }
    for (int i = me; i < count; i += LOCAL_SIZE) {
        int at = k_begin(key_row(i), kv_head);
        vec4 products[ROWS];
        [[unroll]] for (int r = 0; r < ROWS; r++)
            products[r] = vec4(0.0);
        [[unroll]] for (int c = 0; c < DIM4; c++) {
            vec4 key = load_k(at, c);
            [[unroll]] for (int r = 0; r < ROWS; r++)
                products[r] += query[r * DIM4 + c] * key;
        }
        [[unroll]] for (int r = 0; r < ROWS; r++)
            weights[r * CHUNK + i] = dot(products[r], vec4(1.0));
    }
}

// Turns a row's scores into weights relative to their maximum.
void exponentiate(int at, int count, out float most, out float total)
{
    most = MINUS_INFINITY;
    for (int i = me; i < count; i += LOCAL_SIZE)
        most = max(most, weights[at + i]);
    most = reduce_max(most);
    total = 0.0;
    for (int i = me; i < count; i += LOCAL_SIZE) {
        float weight = exp(weights[at + i] - most);
        weights[at + i] = weight;
        total += weight;
    }
    total = reduce_sum(total); // its barriers show the weights to all invocations
}

// The weighted sums of v: for row r and this invocation's column j, sum[r·PER + j].
vec4 sum[ROWS * PER];

void add_values(int count)
{
    [[unroll]] for (int i = 0; i < ROWS * PER; i++)
        sum[i] = vec4(0.0);
    int group = me / SPAN;
    for (int i = group; i < (group < GROUPS ? count : 0); i += GROUPS) {
        int at = v_begin(key_row(i), kv_head);
        float weight[ROWS];
        [[unroll]] for (int r = 0; r < ROWS; r++)
            weight[r] = weights[r * CHUNK + i];
        [[unroll]] for (int j = 0; j < PER; j++) {
            vec4 value = load_v(at, min(me % SPAN + j * SPAN, DIM4 - 1));
            [[unroll]] for (int r = 0; r < ROWS; r++)
                sum[r * PER + j] += weight[r] * value;
        }
    }
}

// Adds up the groups' sums of one row and column, for the first group.
vec4 gather(vec4 mine)
{
    if (GROUPS == 1)
        return mine;
    barrier();
    partial[me] = mine;
    barrier();
    vec4 all = vec4(0.0);
    [[unroll]] for (int g = 0; g < GROUPS; g++)
        all += partial[g * SPAN + me % SPAN];
    return all;
}

void main()
{
    int count = key_count();
    score(count);
    float most[ROWS], total[ROWS];
    [[unroll]] for (int r = 0; r < ROWS; r++)
        exponentiate(r * CHUNK, count, most[r], total[r]);
    add_values(count);

    bool whole = p.splits == 1;
    [[unroll]] for (int r = 0; r < ROWS; r++) {
        int row = first_row + r;
        int result = (row * p.heads + head) * p.splits + int(gl_WorkGroupID.x);
        int start = whole ? result * dim : result * (dim + 2) + 2;
        float scale = whole && total[r] > 0.0 ? 1.0 / total[r] : 1.0;
        if (!whole && me == 0 && row < p.rows) {
            y[start - 2] = most[r];
            y[start - 1] = total[r];
        }
        [[unroll]] for (int j = 0; j < PER; j++) {
            vec4 all = gather(sum[r * PER + j]) * scale;
            int c = me + j * SPAN;
            if (me < SPAN && row < p.rows)
                for (int i = 0; i < min(4, dim - c * 4); i++)
                    y[start + c * 4 + i] = all[i];
        }
    }
}
