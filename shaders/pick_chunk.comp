// First stage of picking tokens: a workgroup finds the best of CHUNK tokens of one row,
// and their share of the sums that log-probabilities need.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const int LOCAL_SIZE = 8;

#include "pick.glsl"
#include "reduce.glsl"

layout(binding = 3) writeonly buffer Parts { float parts[]; };

shared float keys[CHUNK];

// PCG's output permutation (O'Neill 2014, RXS-M-XS 32), as asr_pick_noise().
uint pcg_hash(uint x)
{
    uint state = x * 747796405u + 2891336453u;
    uint word = ((state >> ((state >> 28) + 4u)) ^ state) * 277803737u;
    return (word >> 22) ^ word;
}

// The natural logarithm of x > 0 to the last bits: log() may be coarse, and two devices
// must not draw different tokens. x = m·2^e with m in [1/√2, √2), and log m as the series
// of artanh((m − 1)/(m + 1)).
float exact_log(float x)
{
    int e;
    float m = frexp(x, e);
    if (m < 0.70710678) {
        m *= 2.0;
        e--;
    }
    float s = (m - 1.0) / (m + 1.0), s2 = s * s;
    float tail = 1.0 / 3.0 + s2 * (1.0 / 5.0 + s2 * (1.0 / 7.0 + s2 * (1.0 / 9.0)));
    return float(e) * 0.69314718 + 2.0 * (s + s * s2 * tail);
}

float noise(uint seed, uint token)
{
    uint bits = pcg_hash(pcg_hash(seed) ^ token);
    float u = (float(bits >> 9) + 0.5) * (1.0 / 8388608.0);
    return -exact_log(-exact_log(u));
}

// The largest logit of tokens [first, last) and the sum of exponentials relative to it,
// into parts[at] and parts[at + 1].
void sum_logits(int at, int row, int mask_row, int first, int last)
{
    int me = int(gl_LocalInvocationIndex);
    float most = MINUS_INFINITY, sum = 0.0;
    for (int i = first + me; i < last; i += LOCAL_SIZE)
        most = max(most, masked_logit(row, mask_row, i));
    most = reduce_max(most);
    if (most > MINUS_INFINITY)
        for (int i = first + me; i < last; i += LOCAL_SIZE)
            sum += exp(masked_logit(row, mask_row, i) - most);
    sum = reduce_sum(sum);
    if (me == 0) {
        parts[at] = most;
        parts[at + 1] = sum;
    }
}

// The K best of keys[first − start … last − start), into parts[at …].
void list_best(int at, int start, int first, int last)
{
    float last_key = -MINUS_INFINITY;
    int last_token = -1;
    for (int n = 0; n < K; n++) {
        float key = MINUS_INFINITY;
        int token = p.vocabulary;
        for (int i = first + int(gl_LocalInvocationIndex); i < last; i += LOCAL_SIZE) {
            float candidate = keys[i - start];
            if (is_better(last_key, last_token, candidate, i) &&
                is_better(candidate, i, key, token)) {
                key = candidate;
                token = i;
            }
        }
        reduce_best(key, token);
        last_key = key;
        last_token = token;
        if (gl_LocalInvocationIndex == 0) {
            parts[at + 2 * n] = key;
            parts[at + 2 * n + 1] = intBitsToFloat(token);
        }
    }
}

void main()
{
    int me = int(gl_LocalInvocationIndex);
    int chunk = int(gl_WorkGroupID.x), row = int(gl_WorkGroupID.y);
    int start = chunk * CHUNK, end = min(start + CHUNK, p.vocabulary);
    int at = (row * p.chunks + chunk) * PART_SIZE;
    int mask_row = rule(row, RULE_MASK);
    float temperature = intBitsToFloat(rule(row, RULE_TEMPERATURE));
    uint seed = uint(rule(row, RULE_SEED));

    for (int i = start + me; i < end; i += LOCAL_SIZE) {
        float key = masked_logit(row, mask_row, i);
        if (temperature > 0.0)
            key = key / temperature + noise(seed, uint(i));
        keys[i - start] = key;
    }
    for (int interval = 0; interval < 2; interval++) {
        int first = max(rule(row, RULE_LOW_0 + 2 * interval), start);
        int last = min(rule(row, RULE_HIGH_0 + 2 * interval), end);
        sum_logits(at + 2 * interval, row, mask_row, first, last);
        list_best(at + PART_BEST + 2 * K * interval, start, first, last);
    }
    if ((rule(row, RULE_FLAGS) & NORMALISE_ALL) != 0)
        sum_logits(at + 4, row, -1, start, end);
}
