/* The backend that is obviously right: plain C loops in double accumulation, one thread.
 * Every kernel of the others is tested against it. */
#ifndef ASR_REFERENCE_H
#define ASR_REFERENCE_H

#include "graph/backend.h"

/* NULL with a message when memory is out. Destroy with asr_backend_destroy(). */
asr_backend *asr_reference_create(asr_error *error);

/* As asr_activation says, for one value. */
float asr_reference_activate(asr_activation act, double x);

#endif
