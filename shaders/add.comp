// a + b, element by element; a workgroup does a run of columns of one row.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;

#include "shader_params.h"

layout(push_constant) uniform Params { add_params p; };

layout(binding = 0) readonly buffer A { float a[]; };
layout(binding = 1) readonly buffer B { float b[]; };
layout(binding = 2) writeonly buffer Y { float y[]; };

void main()
{
    int col = int(gl_GlobalInvocationID.x), row = int(gl_WorkGroupID.y);
    if (col < p.cols)
        y[row * p.cols + col] = a[p.a_offset + row * p.a_stride + col] +
                                b[p.b_offset + row * p.b_stride + col];
}
