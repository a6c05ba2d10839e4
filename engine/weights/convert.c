/* Loading, stacking and quantising weights. */
#include "weights/convert.h"

#include "graph/half.h"

#include <math.h>
#include <string.h>

asr_dtype asr_recipe_dtype(const asr_weight_recipe *recipe,
                           const asr_weights_params *params)
{
    if (recipe->kind != ASR_WEIGHT_MATRIX && recipe->kind != ASR_WEIGHT_CONV1D)
        return ASR_F32;
    return recipe->sensitive && params->matrix_dtype == ASR_I8 ? params->sensitive_dtype
                                                               : params->matrix_dtype;
}

/* The shape a part must have; returns the number of dimensions. */
static int part_shape(const asr_weight_recipe *recipe, int64_t *dims)
{
    switch (recipe->kind) {
    case ASR_WEIGHT_VECTOR:
        dims[0] = recipe->cols / recipe->n_parts;
        return 1;
    case ASR_WEIGHT_CONV1D:
        dims[0] = recipe->rows;
        dims[1] = recipe->cols / recipe->taps;
        dims[2] = recipe->taps;
        return 3;
    default:
        dims[0] = recipe->rows / recipe->n_parts;
        dims[1] = recipe->cols;
        return 2;
    }
}

static bool has_shape(const asr_stored_tensor *tensor, const int64_t *dims, int n_dims)
{
    if (tensor->n_dims != n_dims)
        return false;
    for (int i = 0; i < n_dims; i++)
        if (tensor->dims[i] != dims[i])
            return false;
    return true;
}

/* Element i of a stored tensor as f32. */
static void load_elements(const asr_stored_tensor *tensor, float *out)
{
    const uint16_t *half = tensor->data;
    switch (tensor->dtype) {
    case ASR_F16:
        for (size_t i = 0; i < tensor->n_elements; i++)
            out[i] = asr_f16_to_f32(half[i]);
        break;
    case ASR_BF16:
        for (size_t i = 0; i < tensor->n_elements; i++)
            out[i] = asr_bf16_to_f32(half[i]);
        break;
    default:
        memcpy(out, tensor->data, tensor->n_elements * sizeof(*out));
        break;
    }
}

/* [out, in, taps] → [out, taps, in]. */
static void load_conv1d(const asr_weight_recipe *recipe, const asr_stored_tensor *tensor,
                        float *out)
{
    const uint16_t *half = tensor->data;
    const float *full = tensor->data;
    size_t taps = (size_t)recipe->taps, channels = (size_t)recipe->cols / taps;
    for (size_t n = 0; n < (size_t)recipe->rows; n++)
        for (size_t tap = 0; tap < taps; tap++)
            for (size_t c = 0; c < channels; c++) {
                size_t i = (n * channels + c) * taps + tap;
                *out++ = tensor->dtype == ASR_F16    ? asr_f16_to_f32(half[i])
                         : tensor->dtype == ASR_BF16 ? asr_bf16_to_f32(half[i])
                                                     : full[i];
            }
}

bool asr_recipe_check(const asr_weight_recipe *recipe, const asr_checkpoint *checkpoint,
                      const char *directory, asr_error *error)
{
    int64_t dims[3];
    int n_dims = part_shape(recipe, dims);
    for (int i = 0; i < recipe->n_parts; i++) {
        const asr_weight_part *part = &recipe->parts[i];
        const asr_stored_tensor *tensor = asr_checkpoint_find(checkpoint, part->name);
        if (!tensor && part->optional)
            continue;
        if (!tensor)
            return asr_fail(error,
                            "The model in %s lacks the tensor %s; download it again.",
                            directory, part->name);
        if (!has_shape(tensor, dims, n_dims) || tensor->dtype == ASR_I8 ||
            tensor->dtype == ASR_I32)
            return asr_fail(error,
                            "The tensor %s of the model in %s does not fit its "
                            "config.json; download the model again.",
                            part->name, directory);
    }
    return true;
}

void asr_recipe_load(const asr_weight_recipe *recipe, const asr_checkpoint *checkpoint,
                     float *out)
{
    int64_t dims[3];
    int n_dims = part_shape(recipe, dims);
    size_t part_elements = 1;
    for (int i = 0; i < n_dims; i++)
        part_elements *= (size_t)dims[i];
    for (int i = 0; i < recipe->n_parts; i++, out += part_elements) {
        const asr_stored_tensor *tensor =
            asr_checkpoint_find(checkpoint, recipe->parts[i].name);
        if (!tensor)
            memset(out, 0, part_elements * sizeof(*out));
        else if (recipe->kind == ASR_WEIGHT_CONV1D)
            load_conv1d(recipe, tensor, out);
        else
            load_elements(tensor, out);
    }
}

static void quantise_row(const float *x, int cols, int8_t *out, float *scale)
{
    float max = 0;
    for (int c = 0; c < cols; c++)
        max = fmaxf(max, fabsf(x[c]));
    *scale = max / 127.0f;
    float inverse = max > 0 ? 127.0f / max : 0;
    for (int c = 0; c < cols; c++) {
        float q = nearbyintf(x[c] * inverse);
        /* The comparison is false for NaN as well, which becomes 0. */
        out[c] = q >= -127.0f && q <= 127.0f ? (int8_t)q : 0;
    }
}

void asr_matrix_convert(const float *x, int rows, int cols, asr_dtype dtype, void *out,
                        float *scales)
{
    size_t n = (size_t)rows * (size_t)cols;
    switch (dtype) {
    case ASR_I8:
        for (int r = 0; r < rows; r++)
            quantise_row(x + (size_t)r * (size_t)cols, cols,
                         (int8_t *)out + (size_t)r * (size_t)cols, &scales[r]);
        break;
    case ASR_F16:
        for (size_t i = 0; i < n; i++)
            ((uint16_t *)out)[i] = asr_f32_to_f16(x[i]);
        break;
    case ASR_BF16:
        for (size_t i = 0; i < n; i++)
            ((uint16_t *)out)[i] = asr_f32_to_bf16(x[i]);
        break;
    default:
        memcpy(out, x, n * sizeof(*x));
        break;
    }
}
