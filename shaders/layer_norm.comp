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
    float mean = reduce_sum(sum) / float(p.cols);

    float squares = 0.0;
    for (int c = me; c < p.cols; c += LOCAL_SIZE) {
        float d = x[start + c] - mean;
        squares += d * d;
    }
    float scale = 1.0 / sqrt(reduce_sum(squares) / float(p.cols) + p.eps);

    for (int c = me; c < p.cols; c += LOCAL_SIZE)
        y[row * p.cols + c] = (x[start + c] - mean) * scale * gain[c] + bias[c];
}
