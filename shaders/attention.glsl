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

// Elements 4·c … 4·c + 3 of a head of k are load_k(k_begin(row, head), c); the same of v
// and q. What does not change from row to row is in globals, since some compilers leave
// everything that is written in a loop there.
int dim = p.dim;
int q_stride = p.q_stride, k_stride = p.k_stride, v_stride = p.v_stride;

#define LOAD_FUNCTIONS(name, n)                                                          \
    layout(binding = n) readonly buffer name##_1 { float name##_f32[]; };                \
    layout(binding = n) readonly buffer name##_2 { uint name##_f16[]; };                 \
    layout(binding = n) readonly buffer name##_3 { vec4 name##_f32x4[]; };               \
    layout(binding = n) readonly buffer name##_4 { uvec2 name##_f16x4[]; };              \
                                                                                         \
    int name##_begin(int row, int head)                                                  \
    {                                                                                    \
        return p.name##_offset + row * name##_stride + head * dim;                       \
    }                                                                                    \
                                                                                         \
    float name##_element(int begin, int d)                                               \
    {                                                                                    \
        if (d >= dim)                                                                    \
            return 0.0;                                                                  \
        if (KV_DTYPE == DTYPE_F16)                                                       \
            return unpackHalf2x16(name##_f16[(begin + d) >> 1])[(begin + d) & 1];        \
        return name##_f32[begin + d];                                                    \
    }                                                                                    \
                                                                                         \
    vec4 load_##name(int begin, int c)                                                   \
    {                                                                                    \
        if (!ALIGNED)                                                                    \
            return vec4(name##_element(begin, 4 * c), name##_element(begin, 4 * c + 1),  \
                        name##_element(begin, 4 * c + 2),                                \
                        name##_element(begin, 4 * c + 3));                               \
        if (KV_DTYPE == DTYPE_F16)                                                       \
            return unpack_f16(name##_f16x4[(begin >> 2) + c]);                           \
        return name##_f32x4[(begin >> 2) + c];                                           \
    }

LOAD_FUNCTIONS(k, 1)
LOAD_FUNCTIONS(v, 2)

int q_begin(int row, int head)
{
    return p.q_offset + row * q_stride + head * dim;
}

float q_element(int begin, int d)
{
    return d < dim ? q[begin + d] : 0.0;
}

vec4 load_q(int begin, int c)
{
    if (ALIGNED)
        return q4[(begin >> 2) + c];
    return vec4(q_element(begin, 4 * c), q_element(begin, 4 * c + 1),
                q_element(begin, 4 * c + 2), q_element(begin, 4 * c + 3));
}

#define MINUS_INFINITY uintBitsToFloat(0xFF800000u)
