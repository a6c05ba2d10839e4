/* Choosing kernels: one row of tables for each instruction set that was built. */
#include "cpu/isa.h"

#include <sched.h>
#include <stdio.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#endif

#define DECLARE(isa)                                                                     \
    extern const cpu_product cpu_i8_kernels_##isa, cpu_bf16_kernels_##isa,               \
        cpu_f16_kernels_##isa, cpu_f32_kernels_##isa;                                    \
    extern const cpu_row_kernels cpu_row_kernels_##isa;                                  \
    extern const cpu_attention_kernels cpu_attention_kernels_##isa;                      \
    extern const cpu_pick_kernels cpu_pick_kernels_##isa

#define TABLE(text, isa)                                                                 \
    {                                                                                    \
        .name = text, .i8 = &cpu_i8_kernels_##isa, .bf16 = &cpu_bf16_kernels_##isa,      \
        .f16 = &cpu_f16_kernels_##isa, .f32 = &cpu_f32_kernels_##isa,                    \
        .row = &cpu_row_kernels_##isa, .attention = &cpu_attention_kernels_##isa,        \
        .pick = &cpu_pick_kernels_##isa                                                  \
    }

DECLARE(baseline);
#if defined(__x86_64__)
DECLARE(avx2);
DECLARE(avxvnni);
DECLARE(avx512);
DECLARE(avx512vnni);
DECLARE(amx);
#endif

static const cpu_kernels tables[] = {
#if defined(__x86_64__)
    [ASR_CPU_ISA_BASELINE] = TABLE("SSE4", baseline),
    [ASR_CPU_ISA_AVX2] = TABLE("AVX2", avx2),
    [ASR_CPU_ISA_AVX_VNNI] = TABLE("AVX-VNNI", avxvnni),
    [ASR_CPU_ISA_AVX512] = TABLE("AVX-512", avx512),
    [ASR_CPU_ISA_AVX512_VNNI] = TABLE("AVX-512 VNNI", avx512vnni),
    [ASR_CPU_ISA_AMX] = TABLE("AMX", amx),
#else
    [ASR_CPU_ISA_BASELINE] = TABLE("portable kernels", baseline),
#endif
};

#if defined(__x86_64__)

/* Features that __builtin_cpu_supports() of the oldest compilers does not know: bits of
 * CPUID leaf 7 (Intel's Software Developer's Manual, volume 2A). */
typedef struct leaf_7 {
    unsigned avx512_vnni, avx_vnni, amx;
} leaf_7;

static leaf_7 read_leaf_7(void)
{
    leaf_7 bits = {0};
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        bits.avx512_vnni = c >> 11 & 1;
        bits.amx = d >> 22 & d >> 24 & d >> 25 & 1; /* bf16, tiles, int8 */
    }
    if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d))
        bits.avx_vnni = a >> 4 & 1;
    return bits;
}

/* Linux gives a process the large state of tiles only when asked to
 * (Documentation/arch/x86/xstate.rst). */
static bool request_tiles(void)
{
    const int request_permission = 0x1023, tile_data = 18;
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

static bool is_supported(asr_cpu_isa isa)
{
    leaf_7 bits = read_leaf_7();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    bool avx512 =
        avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    switch (isa) {
    case ASR_CPU_ISA_AVX2:
        return avx2;
    case ASR_CPU_ISA_AVX_VNNI:
        return avx2 && bits.avx_vnni;
    case ASR_CPU_ISA_AVX512:
        return avx512;
    case ASR_CPU_ISA_AVX512_VNNI:
        return avx512 && bits.avx512_vnni;
    case ASR_CPU_ISA_AMX:
        return avx512 && bits.avx512_vnni && bits.amx && request_tiles();
    default:
        return true;
    }
}

#else

static bool is_supported(asr_cpu_isa isa)
{
    return isa == ASR_CPU_ISA_BASELINE;
}

#endif

const cpu_kernels *cpu_kernels_choose(asr_cpu_isa limit)
{
    int best = (int)(sizeof(tables) / sizeof(tables[0])) - 1;
    if (limit != ASR_CPU_ISA_AUTO && (int)limit < best)
        best = (int)limit;
    while (best > ASR_CPU_ISA_BASELINE && !is_supported((asr_cpu_isa)best))
        best--;
    return &tables[best];
}

asr_cpu_isa cpu_kernels_isa(const cpu_kernels *kernels)
{
    return (asr_cpu_isa)(kernels - tables);
}

/* Whether `cpu` is the first of those that share its core. */
static bool is_first_of_core(int cpu)
{
    char path[96];
    snprintf(path, sizeof(path),
             "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
    FILE *file = fopen(path, "r");
    if (!file)
        return true;
    int first = cpu;
    bool known = fscanf(file, "%d", &first) == 1;
    fclose(file);
    return !known || first == cpu;
}

int cpu_core_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) != 0) {
        long n = sysconf(_SC_NPROCESSORS_ONLN);
        return n > 0 ? (int)n : 1;
    }
    int count = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        count += CPU_ISSET(cpu, &set) && is_first_of_core(cpu);
    return count > 0 ? count : 1;
}
