/* What recipes make of a checkpoint, and what they refuse. */
#include "recipes.h"

static const asr_dtype dtypes[] = {ASR_F32, ASR_F16, ASR_BF16, ASR_I8};

TEST(recipes_are_followed_in_memory)
{
    for (size_t i = 0; i < 4; i++) {
        asr_weights *weights = open_cached(NULL, dtypes[i]);
        check_weights(weights, dtypes[i]);
        if (weights)
            asr_weights_release_pages(weights);
        check_weights(weights, dtypes[i]);
        asr_weights_destroy(&weights);
        EXPECT(weights == NULL);
        asr_weights_destroy(&weights);
    }
}

TEST(recipes_are_followed_in_the_cache)
{
    for (int run = 0; run < 2; run++)
        for (size_t i = 0; i < 4; i++) {
            asr_weights *weights = open_cached("new/deep/cache", dtypes[i]);
            check_weights(weights, dtypes[i]);
            asr_weights_destroy(&weights);
        }
    EXPECT_INT(scratch_count("new/deep/cache", NULL), 4);
}

TEST(int8_keeps_what_a_row_can_hold)
{
    const float x[] = {-127, 0.4f, 126.6f, 0, 0, 0, 1e-30f, -1e-30f, 5e-31f, NAN, 1, -1};
    int8_t q[12];
    float scales[4];
    asr_matrix_convert(x, 4, 3, ASR_I8, q, scales);
    const int8_t expected[] = {-127, 0, 127, 0, 0, 0, 127, -127, 64, 0, 127, -127};
    for (int i = 0; i < 12; i++)
        EXPECT_INT(q[i], expected[i]);
    EXPECT_NEAR(scales[0], 1, 1e-6);
    EXPECT_NEAR(scales[1], 0, 0);
}

/* Whether opening fails with a sentence that names the model, the tensor, and says
 * `what`. The recipe is put back afterwards. */
static bool recipe_refused(size_t index, asr_weight_recipe changed, const char *tensor,
                           const char *what)
{
    asr_error error;
    asr_weight_recipe kept = recipes[index];
    recipes[index] = changed;
    bool ok = true;
    for (int cached = 0; cached < 2; cached++) {
        asr_weights *weights =
            open_model("model", cached ? "refused" : NULL, ASR_I8, &error);
        ok = ok && !weights && strstr(error.message, tensor) &&
             strstr(error.message, scratch_path("model")) && strstr(error.message, what);
        asr_weights_destroy(&weights);
    }
    recipes[index] = kept;
    return ok && scratch_count("refused", NULL) == 0;
}

TEST(models_that_do_not_fit_are_refused)
{
    asr_weight_recipe recipe = recipes[0];
    strcpy(recipe.parts[1].name, "absent");
    EXPECT(recipe_refused(0, recipe, "absent", "lacks the tensor"));
    recipe = recipes[0];
    recipe.cols = COLS + 1;
    EXPECT(recipe_refused(0, recipe, "upper", "does not fit"));
    recipe = recipes[0];
    recipe.rows = 2 * COLS, recipe.cols = ROWS;
    EXPECT(recipe_refused(0, recipe, "upper", "does not fit"));
    recipe = recipes[0];
    strcpy(recipe.parts[1].name, "bias");
    EXPECT(recipe_refused(0, recipe, "bias", "does not fit"));
    recipe = recipes[0];
    strcpy(recipe.parts[0].name, "numbers");
    EXPECT(recipe_refused(0, recipe, "numbers", "does not fit"));
    recipe = recipes[1];
    recipe.taps = CHANNELS;
    EXPECT(recipe_refused(1, recipe, "conv", "does not fit"));
    recipe = recipes[2];
    recipe.cols = 3;
    EXPECT(recipe_refused(2, recipe, "bias", "does not fit"));
    /* An optional part that is there must fit as well. */
    recipe = recipes[2];
    strcpy(recipe.parts[1].name, "upper");
    EXPECT(recipe_refused(2, recipe, "upper", "does not fit"));
    /* No room is made for what the model does not have. */
    recipe = recipes[0];
    recipe.rows = recipe.cols = 1 << 30;
    EXPECT(recipe_refused(0, recipe, "upper", "does not fit"));
}

TEST(model_that_is_missing_is_named)
{
    asr_error error;
    asr_weights *weights = open_model("no-model", "unused", ASR_F32, &error);
    EXPECT(weights == NULL);
    EXPECT(strstr(error.message, "no-model/model.safetensors cannot be opened") != NULL);
    asr_weights_destroy(&weights);
    EXPECT_INT(scratch_count("unused", NULL), 0);
}

int main(void)
{
    make_checkpoint();
    RUN(recipes_are_followed_in_memory);
    RUN(recipes_are_followed_in_the_cache);
    RUN(int8_keeps_what_a_row_can_hold);
    RUN(models_that_do_not_fit_are_refused);
    RUN(model_that_is_missing_is_named);
    scratch_remove();
    return test_end();
}
