/* The backend for processors: int8, bf16, f16 or f32 products, own SIMD kernels chosen at
 * run time, oneDNN for large products where it was found at build time. */
#ifndef ASR_CPU_H
#define ASR_CPU_H

#include "graph/backend.h"

/* Instruction sets that kernels are built for, each including those before it on the
 * processors that have it. */
typedef enum asr_cpu_isa {
    ASR_CPU_ISA_AUTO, /* the best that the processor has */
    ASR_CPU_ISA_BASELINE,
    ASR_CPU_ISA_AVX2,
    ASR_CPU_ISA_AVX_VNNI,
    ASR_CPU_ISA_AVX512,
    ASR_CPU_ISA_AVX512_VNNI,
    ASR_CPU_ISA_AMX,
} asr_cpu_isa;

typedef struct asr_cpu_params {
    int n_threads;   /* the caller's thread among them; 0: one for each physical core */
    asr_cpu_isa isa; /* other than AUTO: at most this, also in oneDNN; for tests */
} asr_cpu_params;

/* `params` may be NULL: all zero. Starts n_threads − 1 threads, which sleep while no plan
 * runs. NULL with a message when memory or threads cannot be had. Destroy with
 * asr_backend_destroy(). */
asr_backend *asr_cpu_create(const asr_cpu_params *params, asr_error *error);

#endif
