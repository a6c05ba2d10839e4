/* Plans of the cpu backend: what backend.c puts into its table. */
#ifndef CPU_PLAN_H
#define CPU_PLAN_H

#include "graph/backend.h"

asr_plan *cpu_plan_create(asr_backend *backend, const asr_graph *graph, asr_error *error);
bool cpu_plan_run(asr_plan *plan, asr_error *error);
void cpu_plan_destroy(asr_plan *plan);

#endif
