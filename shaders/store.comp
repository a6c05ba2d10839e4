// Writes rows into a matrix of f32 or f16, at slots; four columns an invocation. A row of
// the matrix begins at a multiple of four elements, and what lies between its last column
// and the next row is kept zero.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const int DTYPE = 0;

#include "shader_params.h"

layout(push_constant) uniform Params { store_params p; };

layout(binding = 0) readonly buffer X { float x[]; };
layout(binding = 1) readonly buffer Slot { int slots[]; };
layout(binding = 2) writeonly buffer Leaf32 { vec4 leaf_f32[]; };
layout(binding = 2) writeonly buffer Leaf16 { uvec2 leaf_f16[]; };

float load_x(int row, int col)
{
    return col < p.cols ? x[p.x_offset + row * p.x_stride + col] : 0.0;
}

void main()
{
    int col = int(gl_GlobalInvocationID.x) * 4, row = int(gl_WorkGroupID.y);
    int slot = p.slot_stride > 0 ? slots[row * p.slot_stride] : row;
    if (col >= p.cols || slot < 0 || slot >= p.leaf_rows)
        return;
    vec4 v = vec4(load_x(row, col), load_x(row, col + 1), load_x(row, col + 2),
                  load_x(row, col + 3));
    int i = (slot * p.leaf_stride + col) >> 2;
    if (DTYPE == DTYPE_F16)
        leaf_f16[i] = uvec2(packHalf2x16(v.xy), packHalf2x16(v.zw));
    else
        leaf_f32[i] = v;
}
