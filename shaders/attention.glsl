// Operands of the attentions. q is f32; k and v are f32 or f16 (KV_DTYPE), four elements
// of a head at a time. ALIGNED: heads begin at multiples of four elements and have a
// multiple of four of them; otherwise elements are read singly, zero beyond the head.

#include "shader_params.h"
#include "unpack.glsl"

layout(constant_id = 1) const bool ALIGNED = false;
layout(constant_id = 2) const int KV_DTYPE = 0;

layout(push_constant) uniform Params { attention_params p; };

layout(binding = 0) readonly buffer Q { float q[]; };
layout(binding = 0) readonly buffer Q4 { vec4 q4[]; };

#define LOAD_FUNCTION(name, n)                                                           \
    layout(binding = n) readonly buffer name##_1 { float name##_f32[]; };                \
    layout(binding = n) readonly buffer name##_2 { uint name##_f16[]; };                 \
    layout(binding = n) readonly buffer name##_3 { vec4 name##_f32x4[]; };               \
    layout(binding = n) readonly buffer name##_4 { uvec2 name##_f16x4[]; };              \
                                                                                         \
    float name##_element(int i)                                                          \
    {                                                                                    \
        if (KV_DTYPE == DTYPE_F16)                                                       \
            return unpackHalf2x16(name##_f16[i >> 1])[i & 1];                            \
        return name##_f32[i];                                                            \
    }                                                                                    \
                                                                                         \
    vec4 load_##name(int row, int head, int d)                                           \
    {                                                                                    \
        int i = p.name##_offset + row * p.name##_stride + head * p.dim + d;              \
        if (!ALIGNED)                                                                    \
            return vec4(d < p.dim ? name##_element(i) : 0.0,                             \
                        d + 1 < p.dim ? name##_element(i + 1) : 0.0,                     \
                        d + 2 < p.dim ? name##_element(i + 2) : 0.0,                     \
                        d + 3 < p.dim ? name##_element(i + 3) : 0.0);                    \
        if (KV_DTYPE == DTYPE_F16)                                                       \
            return unpack_f16(name##_f16x4[i >> 2]);                                     \
        return name##_f32x4[i >> 2];                                                     \
    }

LOAD_FUNCTION(k, 1)
LOAD_FUNCTION(v, 2)

float q_element(int row, int head, int d)
{
    return d < p.dim ? q[p.q_offset + row * p.q_stride + head * p.dim + d] : 0.0;
}

vec4 load_q(int row, int head, int d)
{
    if (ALIGNED)
        return q4[(p.q_offset + row * p.q_stride + head * p.dim + d) >> 2];
    return vec4(q_element(row, head, d), q_element(row, head, d + 1),
                q_element(row, head, d + 2), q_element(row, head, d + 3));
}

#define MINUS_INFINITY uintBitsToFloat(0xFF800000u)
