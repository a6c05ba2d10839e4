/* Turning a checkpoint's tensors into a recipe's matrix. */
#ifndef ASR_CONVERT_H
#define ASR_CONVERT_H

#include "weights/weights.h"

/* The dtype a recipe's matrix is kept in. */
asr_dtype asr_recipe_dtype(const asr_weight_recipe *recipe,
                           const asr_weights_params *params);

/* Whether the checkpoint has what the recipe takes. False with a message naming the
 * tensor and `directory` when one is missing or of another shape. */
bool asr_recipe_check(const asr_weight_recipe *recipe, const asr_checkpoint *checkpoint,
                      const char *directory, asr_error *error);

/* The recipe's matrix as f32 [rows, cols] into `out`, from a checkpoint that was checked.
 */
void asr_recipe_load(const asr_weight_recipe *recipe, const asr_checkpoint *checkpoint,
                     float *out);

/* Rows of f32 to `dtype`; for i8, `scales` [rows] receives max|x|/127 of each row, so
 * that x ≈ scale·q with q in [−127, 127]. */
void asr_matrix_convert(const float *x, int rows, int cols, asr_dtype dtype, void *out,
                        float *scales);

#endif
