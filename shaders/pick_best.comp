// Second stage of picking tokens: a workgroup for each row puts the chunks' results
// together, applies the mass rule and writes the K best tokens with log-probabilities.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const int LOCAL_SIZE = 8;

#include "pick.glsl"
#include "reduce.glsl"

layout(binding = 3) readonly buffer Parts { float parts[]; };
layout(binding = 4) writeonly buffer Ids { int ids[]; };
layout(binding = 5) writeonly buffer Scores { float scores[]; };

// log Σ exp from the pairs (maximum, sum) at `at` of every chunk; `most` is the largest.
float log_sum(int at, out float most)
{
    most = MINUS_INFINITY;
    for (int c = int(gl_LocalInvocationIndex); c < p.chunks; c += LOCAL_SIZE)
        most = max(most, parts[at + c * PART_SIZE]);
    most = reduce_max(most);
    float sum = 0.0;
    for (int c = int(gl_LocalInvocationIndex); c < p.chunks; c += LOCAL_SIZE)
        if (parts[at + c * PART_SIZE] > MINUS_INFINITY)
            sum += parts[at + c * PART_SIZE + 1] * exp(parts[at + c * PART_SIZE] - most);
    sum = reduce_sum(sum);
    return sum > 0.0 ? most + log(sum) : MINUS_INFINITY;
}

float log_add(float a, float b)
{
    float most = max(a, b);
    return most > MINUS_INFINITY ? most + log(exp(a - most) + exp(b - most)) : most;
}

// The best candidate of intervals [first_interval, 2) that comes after (key, token).
void find_next(int start, int first_interval, inout float key, inout int token)
{
    float last_key = key;
    int last_token = token;
    key = MINUS_INFINITY;
    token = p.vocabulary;
    int me = int(gl_LocalInvocationIndex);
    int per_chunk = (2 - first_interval) * K;
    for (int i = me; i < p.chunks * per_chunk; i += LOCAL_SIZE) {
        int at = start + i / per_chunk * PART_SIZE + PART_BEST +
                 2 * (first_interval * K + i % per_chunk);
        float candidate = parts[at];
        int id = floatBitsToInt(parts[at + 1]);
        if (is_better(last_key, last_token, candidate, id) &&
            is_better(candidate, id, key, token)) {
            key = candidate;
            token = id;
        }
    }
    reduce_best(key, token);
}

void main()
{
    int row = int(gl_WorkGroupID.x);
    int start = row * p.chunks * PART_SIZE;
    int flags = rule(row, RULE_FLAGS);
    int mask_row = rule(row, RULE_MASK);

    float most_0, most_1;
    float sum_0 = log_sum(start, most_0), sum_1 = log_sum(start + 2, most_1);
    int first_interval = 0;
    if ((flags & MASS_RULE) != 0 && sum_1 > most_0) {
        first_interval = 1;
        sum_0 = MINUS_INFINITY;
    }
    float norm = log_add(sum_0, sum_1);
    if ((flags & NORMALISE_ALL) != 0)
        norm = log_sum(start + 4, most_0);

    float key = -MINUS_INFINITY;
    int token = -1;
    for (int n = 0; n < K; n++) {
        find_next(start, first_interval, key, token);
        if (gl_LocalInvocationIndex == 0) {
            bool found = key > MINUS_INFINITY;
            ids[row * p.ids_stride + n] = found ? token : -1;
            scores[row * p.scores_stride + n] =
                found ? masked_logit(row, mask_row, token) - norm : MINUS_INFINITY;
        }
    }
}
