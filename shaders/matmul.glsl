// What the matrix products share: operands and the end of every result.
//
// WEIGHT is the weights' dtype. int8 products take x as quantise.comp leaves it: packed
// int8 with a scale for each row, so that sums are exact integers.

#include "shader_params.h"
#include "activation.glsl"
#include "unpack.glsl"

layout(constant_id = 6) const int ACTIVATION = 0;
layout(constant_id = 7) const bool HAS_BIAS = false;
layout(constant_id = 8) const bool HAS_RESIDUAL = false;

#if WEIGHT == DTYPE_I8
#define VALUE int
#define VALUE4 ivec4

layout(push_constant) uniform Params { matmul_params p; };

layout(binding = 0) readonly buffer X { uint x[]; };
layout(binding = 1) readonly buffer W { uint w[]; };
layout(binding = 5) readonly buffer XScales { float x_scales[]; };
layout(binding = 6) readonly buffer WScales { float w_scales[]; };

int x_begin(int row)
{
    return (row * p.w_stride) >> 2;
}

ivec4 load_x(int begin, int k4)
{
    return unpack_i8(x[begin + k4]);
}

ivec4 load_w(int begin, int k4)
{
    return unpack_i8(w[begin + k4]);
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

vec4 load_w(int begin, int k4)
{
    return w[begin + k4];
}
#else
layout(binding = 1) readonly buffer W { uvec2 w[]; };

vec4 load_w(int begin, int k4)
{
    uvec2 words = w[begin + k4];
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

// Elements 4·k4 … 4·k4 + 3 of row `col` of w are load_w(w_begin(col), k4).
int w_begin(int col)
{
    return (col * p.w_stride) >> 2;
}

layout(binding = 2) readonly buffer Bias { float bias[]; };
layout(binding = 3) readonly buffer Residual { float residual[]; };
layout(binding = 4) writeonly buffer Y { float y[]; };

// To be read before the loop over a column's rows.
float bias_of(int col)
{
    return HAS_BIAS && col < p.cols ? bias[col] : 0.0;
}

void finish(int row, int col, VALUE sum, float column_bias)
{
    if (row >= p.rows || col >= p.cols)
        return;
    float result = activate(ACTIVATION, scaled(sum, row, col) + column_bias);
    if (HAS_RESIDUAL)
        result += residual[p.residual_offset + row * p.residual_stride + col];
    y[row * p.cols + col] = result;
}
