/* Small safetensors files in the temporary folder of scratch.h. */
#ifndef TENSOR_FILE_H
#define TENSOR_FILE_H

#include "weights/safetensors.h"

#include "scratch.h"

/* A tensor and its bytes. */
typedef struct tensor_of {
    asr_tensor_spec spec;
    const void *data;
} tensor_of;

static inline size_t tensor_bytes(const asr_tensor_spec *spec)
{
    size_t n = asr_dtype_size(spec->dtype);
    for (int i = 0; i < spec->n_dims; i++)
        n *= (size_t)spec->dims[i];
    return n;
}

/* Writes FOLDER/name; larger elements must come first. */
static inline void write_tensors(const char *name, const tensor_of *tensors, size_t n)
{
    asr_tensor_spec *specs = calloc(n + 1, sizeof(*specs));
    scratch_check(specs != NULL, "calloc");
    for (size_t i = 0; i < n; i++)
        specs[i] = tensors[i].spec;
    scratch_text(name, "");
    FILE *out = fopen(scratch_path("%s", name), "wb");
    scratch_check(out && asr_safetensors_write_header(out, specs, n, NULL, NULL), name);
    for (size_t i = 0; i < n; i++)
        scratch_check(fwrite(tensors[i].data, 1, tensor_bytes(&specs[i]), out) ==
                          tensor_bytes(&specs[i]),
                      name);
    scratch_check(fclose(out) == 0, name);
    free(specs);
}

#endif
