/* What the processor can do, and how many cores there are. */
#ifndef CPU_ISA_H
#define CPU_ISA_H

#include "cpu/cpu.h"
#include "cpu/kernels.h"

/* The best kernels that the processor runs, at most `limit`. Never NULL. */
const cpu_kernels *cpu_kernels_choose(asr_cpu_isa limit);

/* The instruction set that they are for. */
asr_cpu_isa cpu_kernels_isa(const cpu_kernels *kernels);

/* Physical cores that this process may run on, at least 1. */
int cpu_core_count(void);

#endif
