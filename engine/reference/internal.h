/* What the reference backend's files share: how an operation finds its
 * operands. */
#ifndef ASR_REFERENCE_INTERNAL_H
#define ASR_REFERENCE_INTERNAL_H

#include "graph/host.h"
#include "reference/reference.h"

/* An operation's view of one operand: element (r, c) is loaded as f32 whatever its type.
 */
typedef struct reference_operand {
    asr_dtype dtype;
    int rows, cols, row_stride;
    const void *data;
    const float *scales;
} reference_operand;

/* `t`'s operand, with computed values in `arena`; all zero when t is NULL. */
reference_operand reference_operand_of(const asr_tensor *t, char *arena);
float reference_load(const reference_operand *x, int row, int col);
int32_t reference_load_int(const reference_operand *x, int row, int col);

/* Runs one node. */
void reference_run_node(const asr_tensor *t, char *arena);

#endif
