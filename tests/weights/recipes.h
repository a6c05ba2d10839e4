/* A small checkpoint, the recipes for its weights, and what must come of them: shared by
 * the tests of recipes and of the cache. One include a program. */
#ifndef RECIPES_H
#define RECIPES_H

#include "weights/convert.h"
#include "weights/weights.h"

#include "graph/half.h"
#include "scratch.h"
#include "tensor-file.h"
#include "test.h"

enum { ROWS = 6, COLS = 10, CHANNELS = 4, TAPS = 3 };

/* The checkpoint: values that rounding shows on. */
static float upper[ROWS * COLS], lower[ROWS * COLS], conv[ROWS * CHANNELS * TAPS];
static float bias[ROWS];
static uint16_t table_f16[2 * COLS], matrix_bf16[ROWS * COLS];
static int32_t numbers[ROWS * COLS];

static const tensor_of checkpoint[] = {
    {{"upper", ASR_F32, 2, {ROWS, COLS}}, upper},
    {{"lower", ASR_F32, 2, {ROWS, COLS}}, lower},
    {{"conv", ASR_F32, 3, {ROWS, CHANNELS, TAPS}}, conv},
    {{"bias", ASR_F32, 1, {ROWS}}, bias},
    {{"numbers", ASR_I32, 2, {ROWS, COLS}}, numbers},
    {{"table", ASR_F16, 2, {2, COLS}}, table_f16},
    {{"bf16", ASR_BF16, 2, {ROWS, COLS}}, matrix_bf16},
};

static float made_up(int seed, int i)
{
    return (float)sin(seed * 12.9898 + i * 78.233) * (float)(1 + (i * 7 + seed) % 5);
}

static void make_checkpoint(void)
{
    for (int i = 0; i < ROWS * COLS; i++) {
        upper[i] = made_up(1, i);
        lower[i] = i / COLS == 2 ? 0 : 1e-3f * made_up(2, i);
        numbers[i] = i;
        matrix_bf16[i] = asr_f32_to_bf16(made_up(3, i));
    }
    for (int i = 0; i < ROWS * CHANNELS * TAPS; i++)
        conv[i] = made_up(4, i);
    for (int i = 0; i < ROWS; i++)
        bias[i] = made_up(5, i);
    for (int i = 0; i < 2 * COLS; i++)
        table_f16[i] = asr_f32_to_f16(made_up(6, i));
    write_tensors("model/model.safetensors", checkpoint,
                  sizeof(checkpoint) / sizeof(checkpoint[0]));
}

/* Static, so that no byte of padding differs from run to run. */
static asr_weight_recipe recipes[] = {
    {.name = "stacked",
     .kind = ASR_WEIGHT_MATRIX,
     .rows = 2 * ROWS,
     .cols = COLS,
     .taps = 1,
     .n_parts = 2,
     .parts = {{"upper", false}, {"lower", false}}},
    {.name = "conv",
     .kind = ASR_WEIGHT_CONV1D,
     .rows = ROWS,
     .cols = TAPS * CHANNELS,
     .taps = TAPS,
     .n_parts = 1,
     .parts = {{"conv", false}}},
    {.name = "bias",
     .kind = ASR_WEIGHT_VECTOR,
     .rows = 1,
     .cols = 3 * ROWS,
     .taps = 1,
     .n_parts = 3,
     .parts = {{"bias", true}, {"none", true}, {"bias", false}}},
    {.name = "table",
     .kind = ASR_WEIGHT_TABLE,
     .rows = 2,
     .cols = COLS,
     .taps = 1,
     .n_parts = 1,
     .parts = {{"table", false}}},
    {.name = "bf16",
     .kind = ASR_WEIGHT_MATRIX,
     .rows = ROWS,
     .cols = COLS,
     .taps = 1,
     .n_parts = 1,
     .parts = {{"bf16", false}}},
};
#define N_RECIPES (sizeof(recipes) / sizeof(recipes[0]))

static asr_weights *open_model(const char *model, const char *cache, asr_dtype dtype,
                               asr_error *error)
{
    asr_weights_params params = {
        .directory = scratch_path("%s", model),
        .cache_directory = cache ? scratch_path("%s", cache) : NULL,
        .matrix_dtype = dtype,
        .recipes = recipes,
        .n_recipes = N_RECIPES,
    };
    error->message[0] = '\0';
    return asr_weights_open(&params, error);
}

static asr_weights *open_cached(const char *cache, asr_dtype dtype)
{
    asr_error error;
    asr_weights *weights = open_model("model", cache, dtype, &error);
    if (!weights)
        printf("# %s\n", error.message);
    return weights;
}

static float value_at(const asr_matrix *matrix, int row, int col)
{
    size_t i = (size_t)row * (size_t)matrix->cols + (size_t)col;
    switch (matrix->dtype) {
    case ASR_F16:
        return asr_f16_to_f32(((const uint16_t *)matrix->data)[i]);
    case ASR_BF16:
        return asr_bf16_to_f32(((const uint16_t *)matrix->data)[i]);
    case ASR_I8:
        return matrix->scales[row] * ((const int8_t *)matrix->data)[i];
    default:
        return ((const float *)matrix->data)[i];
    }
}

/* What a recipe's matrix must be, before it is rounded. */
static float wanted(size_t recipe, int row, int col)
{
    switch (recipe) {
    case 0:
        return row < ROWS ? upper[row * COLS + col] : lower[(row - ROWS) * COLS + col];
    case 1:
        return conv[(row * CHANNELS + col % CHANNELS) * TAPS + col / CHANNELS];
    case 2:
        return col / ROWS == 1 ? 0 : bias[col % ROWS];
    case 3:
        return asr_f16_to_f32(table_f16[row * COLS + col]);
    default:
        return asr_bf16_to_f32(matrix_bf16[row * COLS + col]);
    }
}

/* Half a step of the dtype around a value of a row whose largest is `max`. */
static double half_step(asr_dtype dtype, double x, double max)
{
    switch (dtype) {
    case ASR_F16:
        return fmax(fabs(x) * 0x1p-11, 0x1p-25);
    case ASR_BF16:
        return fabs(x) * 0x1p-8;
    case ASR_I8:
        return max / 254 * (1 + 1e-5);
    default:
        return 0;
    }
}

static void check_matrix(const asr_weights *weights, size_t index, asr_dtype dtype)
{
    const asr_weight_recipe *recipe = &recipes[index];
    asr_matrix matrix = asr_weights_matrix(weights, recipe->name);
    bool rounded = recipe->kind == ASR_WEIGHT_MATRIX || recipe->kind == ASR_WEIGHT_CONV1D;
    EXPECT_INT(matrix.dtype, rounded ? dtype : ASR_F32);
    REQUIRE(matrix.rows == recipe->rows && matrix.cols == recipe->cols);
    EXPECT((matrix.scales != NULL) == (matrix.dtype == ASR_I8));
    for (int r = 0; r < matrix.rows; r++) {
        double max = 0;
        for (int c = 0; c < matrix.cols; c++)
            max = fmax(max, fabs(wanted(index, r, c)));
        if (matrix.scales)
            EXPECT_NEAR(matrix.scales[r], max / 127, max * 1e-6);
        for (int c = 0; c < matrix.cols; c++) {
            float x = wanted(index, r, c);
            EXPECT_NEAR(value_at(&matrix, r, c), x, half_step(matrix.dtype, x, max));
        }
    }
}

static void check_weights(const asr_weights *weights, asr_dtype dtype)
{
    REQUIRE(weights);
    for (size_t i = 0; i < N_RECIPES; i++)
        check_matrix(weights, i, dtype);
}

#endif
