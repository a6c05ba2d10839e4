// Reading x of LINEAR and CONV1D, four elements at a time: load_x(row, k) is elements
// k … k + 3 of row `row`'s patch, zero outside x and beyond `depth`.
//
// ALIGNED: every row of x begins at a multiple of four elements and a multiple of four
// of them is read, so that a patch is a run of vec4.
// CONVOLUTION: a patch may reach outside x.

layout(constant_id = 1) const bool ALIGNED = false;
layout(constant_id = 2) const bool CONVOLUTION = false;

layout(push_constant) uniform Params { matmul_params p; };

layout(binding = 0) readonly buffer X { float x[]; };
layout(binding = 0) readonly buffer X4 { vec4 x4[]; };

float load_x_element(int first_row, int k)
{
    int row = first_row + k / p.x_cols;
    if (k >= p.depth || row < 0 || row >= p.x_rows)
        return 0.0;
    return x[p.x_offset + row * p.x_stride + k % p.x_cols];
}

vec4 load_x(int row, int k)
{
    if (!ALIGNED) {
        int first_row = row * p.step - p.pad;
        return vec4(load_x_element(first_row, k), load_x_element(first_row, k + 1),
                    load_x_element(first_row, k + 2), load_x_element(first_row, k + 3));
    }
    if (!CONVOLUTION)
        return x4[(p.x_offset + row * p.x_stride + k) >> 2];
    int i = (row * p.step - p.pad) * p.x_stride + k;
    if (i < 0 || i >= p.x_rows * p.x_stride)
        return vec4(0.0);
    return x4[(p.x_offset + i) >> 2];
}
