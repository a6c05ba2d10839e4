/* Fuzzes the reading of safetensors: of whatever opens, every tensor must lie within the
 * file, in as many bytes as its shape says, and every byte must be readable. */
#include "weights/safetensors.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tensor(const asr_safetensors *file, const asr_stored_tensor *tensor)
{
    size_t size, n = asr_dtype_size(tensor->dtype);
    const char *bytes = asr_safetensors_bytes(file, &size), *at = tensor->data;
    if (tensor->n_dims < 0 || tensor->n_dims > ASR_SAFETENSORS_MAX_DIMS)
        abort();
    if (at < bytes || (size_t)(at - bytes) > size || (uintptr_t)at % n != 0)
        abort();
    for (int i = 0; i < tensor->n_dims; i++)
        if (tensor->dims[i] < 0 || __builtin_mul_overflow(n, (size_t)tensor->dims[i], &n))
            abort();
    if (n != tensor->n_elements * asr_dtype_size(tensor->dtype) ||
        n > size - (size_t)(at - bytes))
        abort();
    volatile char sum = 0;
    for (size_t i = 0; i < n; i++)
        sum = (char)(sum ^ at[i]);
    if (asr_safetensors_find(file, tensor->name) != tensor)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    asr_error error = {""};
    int fd = memfd_create("safetensors", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    asr_safetensors *file = asr_safetensors_open(path, &error);
    if (!file && !error.message[0])
        abort();
    for (size_t i = 0; file && i < asr_safetensors_count(file); i++)
        check_tensor(file, asr_safetensors_at(file, i));
    if (file) {
        asr_safetensors_metadata(file, "format");
        asr_safetensors_release_pages(file);
    }
    asr_safetensors_destroy(&file);
    close(fd);
    return 0;
}
