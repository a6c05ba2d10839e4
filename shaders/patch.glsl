// Reading x of LINEAR and CONV1D, four elements at a time: load_x(x_begin(row), k4) is
// elements 4·k4 … 4·k4 + 3 of row `row`'s patch, zero outside x and beyond `depth`.
//
// ALIGNED: every row of x begins at a multiple of four elements and a multiple of four
// of them is read, so that a patch is a run of vec4.
// CONVOLUTION: a patch may reach outside x.
//
// What does not change along k is in x_begin() and in globals, since some compilers leave
// everything that is written in a loop there.

layout(constant_id = 1) const bool ALIGNED = false;
layout(constant_id = 2) const bool CONVOLUTION = false;

layout(push_constant) uniform Params { matmul_params p; };

layout(binding = 0) readonly buffer X { float x[]; };
layout(binding = 0) readonly buffer X4 { vec4 x4[]; };

int x_first4 = p.x_offset >> 2, x_end4 = (p.x_offset + p.x_rows * p.x_stride) >> 2;

int x_begin(int row)
{
    int first_row = row * p.step - p.pad;
    return ALIGNED ? (p.x_offset + first_row * p.x_stride) >> 2 : first_row;
}

float load_x_element(int first_row, int k)
{
    int row = first_row + k / p.x_cols;
    if (k >= p.depth || row < 0 || row >= p.x_rows)
        return 0.0;
    return x[p.x_offset + row * p.x_stride + k % p.x_cols];
}

vec4 load_x(int begin, int k4)
{
    if (!ALIGNED)
        return vec4(load_x_element(begin, 4 * k4), load_x_element(begin, 4 * k4 + 1),
                    load_x_element(begin, 4 * k4 + 2), load_x_element(begin, 4 * k4 + 3));
    if (CONVOLUTION && (begin + k4 < x_first4 || begin + k4 >= x_end4))
        return vec4(0.0);
    return x4[begin + k4];
}
