// Matrix product for GPUs: a workgroup of SIDE × SIDE invocations computes a tile of
// SIDE·ROWS rows and SIDE·COLS columns, ROWS × COLS an invocation, from slices of x and w
// that it brings into shared memory together.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const int LOCAL_SIZE = 256;
layout(constant_id = 3) const int ROWS = 4;
layout(constant_id = 4) const int COLS = 4;
layout(constant_id = 5) const int SIDE = 16;

#include "matmul.glsl"

// A slice is SLICE groups of four elements of each row; a group's rows are side by side,
// so that neighbours read neighbours.
const int SLICE = 4;
shared VALUE4 x_slice[SLICE * SIDE * ROWS];
shared VALUE4 w_slice[SLICE * SIDE * COLS];

void load_slices(int first_row, int first_col, int first_k4, int depth4)
{
    for (int i = int(gl_LocalInvocationIndex); i < SLICE * SIDE * ROWS; i += LOCAL_SIZE) {
        int k4 = first_k4 + i % SLICE;
        int row = min(first_row + i / SLICE, p.rows - 1);
        x_slice[i % SLICE * SIDE * ROWS + i / SLICE] =
            k4 < depth4 ? load_x(x_begin(row), k4) : VALUE4(0);
    }
    for (int i = int(gl_LocalInvocationIndex); i < SLICE * SIDE * COLS; i += LOCAL_SIZE) {
        int k4 = first_k4 + i % SLICE;
        int col = min(first_col + i / SLICE, p.cols - 1);
        w_slice[i % SLICE * SIDE * COLS + i / SLICE] =
            k4 < depth4 ? load_w(w_begin(col), k4) : VALUE4(0);
    }
}

void main()
{
    int first_row = int(gl_WorkGroupID.y) * SIDE * ROWS;
    int first_col = int(gl_WorkGroupID.x) * SIDE * COLS;
    int me = int(gl_LocalInvocationIndex);
    int tx = me % SIDE, ty = me / SIDE;

    VALUE sum[ROWS * COLS];
    [[unroll]] for (int i = 0; i < ROWS * COLS; i++)
        sum[i] = VALUE(0);

    int depth4 = (p.depth + 3) / 4;
    for (int k4 = 0; k4 < depth4; k4 += SLICE) {
        barrier();
        load_slices(first_row, first_col, k4, depth4);
        barrier();
        for (int s = 0; s < SLICE; s++) {
            VALUE4 row[ROWS];
            [[unroll]] for (int r = 0; r < ROWS; r++)
                row[r] = x_slice[(s * ROWS + r) * SIDE + ty];
            [[unroll]] for (int c = 0; c < COLS; c++) {
                VALUE4 column = w_slice[(s * COLS + c) * SIDE + tx];
                [[unroll]] for (int r = 0; r < ROWS; r++)
                    sum[r * COLS + c] += dot4(row[r], column);
            }
        }
    }

    [[unroll]] for (int c = 0; c < COLS; c++) {
        int col = first_col + c * SIDE + tx;
        float column_bias = bias_of(col);
        [[unroll]] for (int r = 0; r < ROWS; r++)
            finish(first_row + r * SIDE + ty, col, sum[r * COLS + c], column_bias);
    }
}
