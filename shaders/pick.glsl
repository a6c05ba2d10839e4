// What both stages of picking tokens share.
//
// The first stage leaves for each row and chunk of the vocabulary PART_SIZE words: for
// each of the two intervals the largest logit and the sum of exponentials relative to it,
// the same over all logits without mask, and the K best (key, token) of each interval.

#include "shader_params.h"

layout(constant_id = 1) const int K = 1;
layout(constant_id = 2) const int CHUNK = 2048;

const int PART_BEST = 6; // where the first stage's lists begin
const int PART_SIZE = PART_BEST + 4 * K;

// The columns of a row of rules, and the flags: as in graph.h.
const int RULE_MASK = 0, RULE_LOW_0 = 1, RULE_HIGH_0 = 2, RULE_FLAGS = 5, RULE_SEED = 6;
const int RULE_TEMPERATURE = 7;
const int MASS_RULE = 1, NORMALISE_ALL = 2;

layout(push_constant) uniform Params { pick_params p; };

layout(binding = 0) readonly buffer Logits { float logits[]; };
layout(binding = 1) readonly buffer Mask { float mask[]; };
layout(binding = 2) readonly buffer Rules { int rules[]; };

#define MINUS_INFINITY uintBitsToFloat(0xFF800000u)

int rule(int row, int column)
{
    return rules[row * p.rules_stride + column];
}

float masked_logit(int row, int mask_row, int token)
{
    float x = logits[p.logits_offset + row * p.logits_stride + token];
    if (mask_row >= 0 && mask_row < p.mask_rows)
        x += mask[mask_row * p.mask_stride + token];
    return x;
}

// Whether (key, token) comes before (other_key, other) among the best.
bool is_better(float key, int token, float other_key, int other)
{
    return key > other_key || (key == other_key && token < other);
}

shared float best_keys[LOCAL_SIZE];
shared int best_tokens[LOCAL_SIZE];

// The best of all invocations' (key, token); every invocation gets it.
void reduce_best(inout float key, inout int token)
{
    barrier();
    best_keys[gl_LocalInvocationIndex] = key;
    best_tokens[gl_LocalInvocationIndex] = token;
    barrier();
    for (int i = 0; i < LOCAL_SIZE; i++)
        if (is_better(best_keys[i], best_tokens[i], key, token)) {
            key = best_keys[i];
            token = best_tokens[i];
        }
}
