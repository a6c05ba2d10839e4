// What the matrix products share: operands and the end of every result.
//
// WEIGHT is the weights' dtype. int8 products take x as quantise.comp leaves it: packed
// int8 with a scale for each row, so that sums are exact integers.

#include "shader_params.h"
#include "activation.glsl"
#include "unpack.glsl"

#if WEIGHT == DTYPE_I8
#define VALUE int
#define VALUE4 ivec4

layout(push_constant) uniform Params { matmul_params p; };

layout(binding = 0) readonly buffer X { uint x[]; };
layout(binding = 1) readonly buffer W { uint w[]; };
layout(binding = 5) readonly buffer XScales { float x_scales[]; };
layout(binding = 6) readonly buffer WScales { float w_scales[]; };

ivec4 load_x(int row, int k)
{
    return unpack_i8(x[(row * p.w_stride + k) >> 2]);
}

ivec4 load_w(int col, int k)
{
    return unpack_i8(w[(col * p.w_stride + k) >> 2]);
}

int dot4(ivec4 a, ivec4 b)
{
    ivec4 c = a * b;
    return c.x + c.y + c.z + c.w;
}

float scaled(int sum, int row, int col)
{
    return float(sum) * (x_scales[row] * w_scales[col]);
}

#else
#define VALUE float
#define VALUE4 vec4

#include "patch.glsl"

#if WEIGHT == DTYPE_F32
layout(binding = 1) readonly buffer W { vec4 w[]; };

vec4 load_w(int col, int k)
{
    return w[(col * p.w_stride + k) >> 2];
}
#else
layout(binding = 1) readonly buffer W { uvec2 w[]; };

vec4 load_w(int col, int k)
{
    uvec2 words = w[(col * p.w_stride + k) >> 2];
#if WEIGHT == DTYPE_F16
    return unpack_f16(words);
#else
    return unpack_bf16(words);
#endif
}
#endif

float dot4(vec4 a, vec4 b)
{
    return dot(a, b);
}

float scaled(float sum, int row, int col)
{
    return sum;
}
#endif

layout(binding = 2) readonly buffer Bias { float bias[]; };
layout(binding = 3) readonly buffer Residual { float residual[]; };
layout(binding = 4) writeonly buffer Y { float y[]; };

void finish(int row, int col, VALUE sum)
{
    if (row >= p.rows || col >= p.cols)
        return;
    float result = scaled(sum, row, col);
    if ((p.flags & MATMUL_BIAS) != 0)
        result += bias[col];
    result = activate(p.act, result);
    if ((p.flags & MATMUL_RESIDUAL) != 0)
        result += residual[p.residual_offset + row * p.residual_stride + col];
    y[row * p.cols + col] = result;
}
