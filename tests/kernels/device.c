/* Which devices there are: the reference itself, whose check shows that the checks work;
 * the processor, as it is and held back to each instruction set; every Vulkan device,
 * watched by the validation layer. */
#include "device.h"

#include "cpu/cpu.h"
#include "reference/reference.h"
#include "vulkan/vulkan.h"

#include <stdio.h>
#include <stdlib.h>

static asr_backend *open_reference(const device *d, asr_error *error)
{
    (void)d;
    return asr_reference_create(error);
}

/* Three threads, so that work never divides evenly, but the best instruction set as it
 * will run. */
static asr_backend *open_cpu(const device *d, asr_error *error)
{
    asr_cpu_params params = {.n_threads = d->index == ASR_CPU_ISA_AUTO ? 0 : 3,
                             .isa = (asr_cpu_isa)d->index};
    return asr_cpu_create(&params, error);
}

static asr_backend *open_vulkan(const device *d, asr_error *error)
{
    asr_vulkan_params params = {
        .device_index = d->index, .as_gpu = d->as_gpu, .validation = d->validation};
    return asr_vulkan_create(&params, error);
}

/* A software device twice: with the kernels that suit it, and with those of a GPU. */
static int list_vulkan(device *devices, int room, asr_vulkan_validation *validation)
{
    asr_error error = {""};
    asr_vulkan_device found[DEVICE_MOST];
    int n_found = asr_vulkan_devices(found, DEVICE_MOST, &error), n = 0;
    if (n_found <= 0) { /* opening it says why there is none */
        devices[0] = (device){"vulkan", open_vulkan, -1, .may_be_absent = true};
        return 1;
    }
    for (int i = 0; i < n_found && i < DEVICE_MOST; i++)
        for (int as_gpu = 0; as_gpu < 2; as_gpu++) {
            if (n == room || (as_gpu && found[i].type != ASR_VULKAN_SOFTWARE))
                continue;
            device *d = &devices[n++];
            *d = (device){"", open_vulkan, i, .may_be_absent = !found[i].usable};
            d->as_gpu = d->for_tests = as_gpu;
            d->validation = validation;
            snprintf(d->name, sizeof(d->name), "vulkan-%d%s", i, as_gpu ? "-as-gpu" : "");
        }
    return n;
}

int device_list(device devices[DEVICE_MOST], asr_vulkan_validation *validation)
{
    static const device own[] = {
        {"reference", open_reference, 0, .for_tests = true},
        {"cpu", open_cpu, ASR_CPU_ISA_AUTO, .for_tests = false},
        {"isa-baseline", open_cpu, ASR_CPU_ISA_BASELINE, .for_tests = true},
        {"isa-avx2", open_cpu, ASR_CPU_ISA_AVX2, .for_tests = true},
        {"isa-avxvnni", open_cpu, ASR_CPU_ISA_AVX_VNNI, .for_tests = true},
        {"isa-avx512", open_cpu, ASR_CPU_ISA_AVX512, .for_tests = true},
        {"isa-avx512vnni", open_cpu, ASR_CPU_ISA_AVX512_VNNI, .for_tests = true},
        {"isa-amx", open_cpu, ASR_CPU_ISA_AMX, .for_tests = true},
    };
    int n = 0;
    for (; n < (int)(sizeof(own) / sizeof(own[0])); n++)
        devices[n] = own[n];
    return n + list_vulkan(devices + n, DEVICE_MOST - n, validation);
}
