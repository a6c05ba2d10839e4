// Matrix product for software Vulkan, and for few rows on it: one subgroup is one SIMD
// register, shared memory is slow, and a load costs as much as ten products.
//
// A subgroup computes ROWS rows and COLS columns for each lane. Four elements of a row
// of w are loaded by the lane whose column it is; rows of x are loaded one by each lane,
// and handed round with shuffles.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const int LANES = 8;
layout(constant_id = 3) const int ROWS = 8;
layout(constant_id = 4) const int COLS = 2;

#include "matmul.glsl"

VALUE4 from_lane(VALUE4 v, int lane)
{
    return VALUE4(subgroupShuffle(v.x, lane), subgroupShuffle(v.y, lane),
                  subgroupShuffle(v.z, lane), subgroupShuffle(v.w, lane));
}

void main()
{
    int lane = int(gl_SubgroupInvocationID);
    int first_row = int(gl_WorkGroupID.y) * ROWS;
    int first_col = int(gl_WorkGroupID.x) * COLS * LANES + lane;

    const int GROUPS = (ROWS + LANES - 1) / LANES;
    int x_at[GROUPS], w_at[COLS];
    [[unroll]] for (int g = 0; g < GROUPS; g++)
        x_at[g] = x_begin(min(first_row + g * LANES + lane, p.rows - 1));
    [[unroll]] for (int c = 0; c < COLS; c++)
        w_at[c] = w_begin(min(first_col + c * LANES, p.cols - 1));
    int depth4 = (p.depth + 3) / 4;

    VALUE sum[ROWS * COLS];
    [[unroll]] for (int i = 0; i < ROWS * COLS; i++)
        sum[i] = VALUE(0);

    for (int k4 = 0; k4 < depth4; k4++) {
        VALUE4 column[COLS];
        [[unroll]] for (int c = 0; c < COLS; c++)
            column[c] = load_w(w_at[c], k4);
        [[unroll]] for (int g = 0; g < GROUPS; g++) {
            VALUE4 mine = load_x(x_at[g], k4);
            [[unroll]] for (int i = 0; i < min(LANES, ROWS - g * LANES); i++) {
                VALUE4 row = from_lane(mine, i);
                [[unroll]] for (int c = 0; c < COLS; c++)
                    sum[(g * LANES + i) * COLS + c] += dot4(row, column[c]);
            }
        }
    }

    [[unroll]] for (int c = 0; c < COLS; c++) {
        float column_bias = bias_of(first_col + c * LANES);
        [[unroll]] for (int r = 0; r < ROWS; r++)
            finish(first_row + r, first_col + c * LANES, sum[r * COLS + c], column_bias);
    }
}
