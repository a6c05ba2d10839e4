/* What the reference backend's files share: its buffers, and how an operation finds its
 * operands. */
#ifndef ASR_REFERENCE_INTERNAL_H
#define ASR_REFERENCE_INTERNAL_H

#include "reference/reference.h"

typedef struct reference_buffer {
    asr_buffer base;
    const void *data;    /* [rows, cols]; a weight's is borrowed */
    const float *scales; /* i8 weights */
    void *owned;         /* `data` where it is not borrowed */
} reference_buffer;

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
