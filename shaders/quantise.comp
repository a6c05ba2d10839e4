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
    int me = int(gl_LocalInvocationIndex);
    int depth4 = (p.depth + 3) / 4;
    int begin = x_begin(row);

    vec4 most = vec4(0.0);
    for (int k4 = me; k4 < depth4; k4 += LOCAL_SIZE)
        most = max(most, abs(load_x(begin, k4)));
    float largest = reduce_max(max(max(most.x, most.y), max(most.z, most.w)));

    float inverse = largest > 0.0 ? 127.0 / largest : 0.0;
    for (int k4 = me; k4 < depth4; k4 += LOCAL_SIZE)
        y[((row * p.w_stride) >> 2) + k4] =
            pack_i8(ivec4(roundEven(load_x(begin, k4) * inverse)));
    if (me == 0)
        scales[row] = largest / 127.0;
}
