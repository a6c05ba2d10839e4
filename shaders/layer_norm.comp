// (x − mean) / √(variance + eps) · gain + bias, a workgroup for each row.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const int LOCAL_SIZE = 8;

#include "shader_params.h"
#include "reduce.glsl"

layout(push_constant) uniform Params { layer_norm_params p; };

layout(binding = 0) readonly buffer X { float x[]; };
layout(binding = 1) readonly buffer Gain { float gain[]; };
layout(binding = 2) readonly buffer Bias { float bias[]; };
layout(binding = 3) writeonly buffer Y { float y[]; };

void main()
{
    int row = int(gl_WorkGroupID.x);
    int start = p.x_offset + row * p.x_stride;
    int me = int(gl_LocalInvocationIndex);

    float sum = 0.0;
    for (int c = me; c < p.cols; c += LOCAL_SIZE)
        sum += x[start + c];
    float guess = reduce_sum(sum) / float(p.cols);

    // The sum's rounding would show where a row is nearly constant: what it lacks comes
    // from the second pass.
    float rest = 0.0, squares = 0.0;
    for (int c = me; c < p.cols; c += LOCAL_SIZE) {
        float d = x[start + c] - guess;
        rest += d;
        squares += d * d;
    }
    rest = reduce_sum(rest) / float(p.cols);
    float variance = max(reduce_sum(squares) / float(p.cols) - rest * rest, 0.0);
    float scale = 1.0 / sqrt(variance + p.eps);

    for (int c = me; c < p.cols; c += LOCAL_SIZE)
        y[row * p.cols + c] = (x[start + c] - guess - rest) * scale * gain[c] + bias[c];
}
