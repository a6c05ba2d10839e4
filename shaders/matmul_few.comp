// Matrix product with at most ROWS rows, on GPUs: bound by reading w, so a workgroup goes
// along COLS rows of w side by side and adds up at the end.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const int LOCAL_SIZE = 64;
layout(constant_id = 3) const int ROWS = 1;
layout(constant_id = 4) const int COLS = 2;

#include "matmul.glsl"

shared VALUE partial[LOCAL_SIZE * ROWS * COLS];

void main()
{
    int me = int(gl_LocalInvocationIndex);
    int first_row = int(gl_WorkGroupID.y) * ROWS;
    int first_col = int(gl_WorkGroupID.x) * COLS;

    VALUE sum[ROWS * COLS];
    [[unroll]] for (int i = 0; i < ROWS * COLS; i++)
        sum[i] = VALUE(0);

    int depth4 = (p.depth + 3) / 4;
    for (int k4 = me; k4 < depth4; k4 += LOCAL_SIZE) {
        VALUE4 row[ROWS];
        [[unroll]] for (int r = 0; r < ROWS; r++)
            row[r] = load_x(x_begin(min(first_row + r, p.rows - 1)), k4);
        [[unroll]] for (int c = 0; c < COLS; c++) {
            VALUE4 column = load_w(w_begin(min(first_col + c, p.cols - 1)), k4);
            [[unroll]] for (int r = 0; r < ROWS; r++)
                sum[r * COLS + c] += dot4(row[r], column);
        }
    }
    [[unroll]] for (int i = 0; i < ROWS * COLS; i++)
        partial[i * LOCAL_SIZE + me] = sum[i];

    for (int width = LOCAL_SIZE / 2; width > 0; width /= 2) {
        barrier();
        for (int i = me; i < ROWS * COLS * width; i += LOCAL_SIZE) {
            int at = i / width * LOCAL_SIZE + i % width;
            partial[at] += partial[at + width];
        }
    }
    barrier();
    for (int i = me; i < ROWS * COLS; i += LOCAL_SIZE)
        finish(first_row + i / COLS, first_col + i % COLS, partial[i * LOCAL_SIZE],
               bias_of(first_col + i % COLS));
}
