// Rows of a table of any dtype, picked by index; four columns an invocation. A row of the
// table begins at a multiple of four elements.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const int DTYPE = 0;

#include "shader_params.h"
#include "unpack.glsl"

layout(push_constant) uniform Params { rows_params p; };

layout(binding = 0) readonly buffer Table32 { vec4 table_f32[]; };
layout(binding = 0) readonly buffer Table16 { uvec2 table_f16[]; };
layout(binding = 0) readonly buffer Table8 { uint table_i8[]; };
layout(binding = 1) readonly buffer Index { int index[]; };
layout(binding = 2) readonly buffer Scales { float scales[]; };
layout(binding = 3) writeonly buffer Y { float y[]; };

vec4 load_table(int row, int col)
{
    int i = (row * p.table_stride + col) >> 2;
    if (DTYPE == DTYPE_I8)
        return vec4(unpack_i8(table_i8[i])) * scales[row];
    if (DTYPE == DTYPE_F16)
        return unpack_f16(table_f16[i]);
    if (DTYPE == DTYPE_BF16)
        return unpack_bf16(table_f16[i]);
    return table_f32[i];
}

void main()
{
    int col = int(gl_GlobalInvocationID.x) * 4, row = int(gl_WorkGroupID.y);
    if (col >= p.cols)
        return;
    int source = index[row * p.index_stride];
    vec4 v = vec4(0.0);
    if (source >= 0 && source < p.table_rows)
        v = load_table(source, col);
    for (int i = 0; i < min(4, p.cols - col); i++)
        y[row * p.cols + col + i] = v[i];
}
