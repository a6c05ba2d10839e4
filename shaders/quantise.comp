// Rows of x (or the patches of a convolution) as packed int8, one scale for each row, as
// int8 products take them: q = round(x / s), s = max |x| / 127. A workgroup a row.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const int LOCAL_SIZE = 8;

#include "shader_params.h"
#include "patch.glsl"
#include "reduce.glsl"
#include "unpack.glsl"

layout(binding = 1) writeonly buffer Y { uint y[]; };
layout(binding = 2) writeonly buffer Scales { float scales[]; };

void main()
{
    int row = int(gl_WorkGroupID.x);
    int first = int(gl_LocalInvocationIndex) * 4;

    vec4 most = vec4(0.0);
    for (int k = first; k < p.depth; k += LOCAL_SIZE * 4)
        most = max(most, abs(load_x(row, k)));
    float largest = reduce_max(max(max(most.x, most.y), max(most.z, most.w)));

    float inverse = largest > 0.0 ? 127.0 / largest : 0.0;
    for (int k = first; k < p.depth; k += LOCAL_SIZE * 4)
        y[(row * p.w_stride + k) >> 2] = pack_i8(ivec4(roundEven(load_x(row, k) * inverse)));
    if (gl_LocalInvocationIndex == 0)
        scales[row] = largest / 127.0;
}
