// Puts together the parts of attention_few.comp: a workgroup for each head and row.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const int LOCAL_SIZE = 8;

#include "shader_params.h"

layout(push_constant) uniform Params { attention_params p; };

layout(binding = 0) readonly buffer Parts { float parts[]; };
layout(binding = 1) writeonly buffer Y { float y[]; };

void main()
{
    int head = int(gl_WorkGroupID.x), row = int(gl_WorkGroupID.y);
    int step = p.dim + 2;
    int start = (row * p.heads + head) * p.splits * step;

    float most = parts[start];
    for (int s = 1; s < p.splits; s++)
        most = max(most, parts[start + s * step]);
    float total = 0.0;
    for (int s = 0; s < p.splits; s++)
        if (parts[start + s * step + 1] > 0.0)
            total += parts[start + s * step + 1] * exp(parts[start + s * step] - most);
    float inverse = total > 0.0 ? 1.0 / total : 0.0;

    for (int d = int(gl_LocalInvocationIndex); d < p.dim; d += LOCAL_SIZE) {
        float sum = 0.0;
        for (int s = 0; s < p.splits; s++) {
            int part = start + s * step;
            if (parts[part + 1] > 0.0)
                sum += parts[part + 2 + d] * exp(parts[part] - most);
        }
        y[(row * p.heads + head) * p.dim + d] = sum * inverse;
    }
}
