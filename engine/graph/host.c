/* Host buffers: allocation and copying of rows. */
#include "graph/host.h"

#include <stdlib.h>
#include <string.h>

void asr_host_weight_init(asr_host_buffer *buffer, asr_backend *backend,
                          const asr_matrix *matrix)
{
    buffer->base = (asr_buffer){backend, matrix->dtype, matrix->rows, matrix->cols};
    buffer->data = matrix->data;
    buffer->scales = matrix->scales;
}

bool asr_host_buffer_init(asr_host_buffer *buffer, asr_backend *backend, asr_dtype dtype,
                          int rows, int cols, asr_error *error)
{
    buffer->base = (asr_buffer){backend, dtype, rows, cols};
    buffer->owned = calloc((size_t)rows * (size_t)cols, asr_dtype_size(dtype));
    buffer->data = buffer->owned;
    return buffer->owned || asr_fail_memory(error);
}

void asr_host_buffer_clear(asr_host_buffer *buffer)
{
    free(buffer->owned);
}

static size_t row_bytes(const asr_buffer *buffer)
{
    return (size_t)buffer->cols * asr_dtype_size(buffer->dtype);
}

bool asr_host_buffer_write(asr_buffer *base, int first_row, int n_rows, const void *data,
                           asr_error *error)
{
    (void)error;
    asr_host_buffer *buffer = (asr_host_buffer *)base;
    memcpy((char *)buffer->owned + (size_t)first_row * row_bytes(base), data,
           (size_t)n_rows * row_bytes(base));
    return true;
}

bool asr_host_buffer_read(asr_buffer *base, int first_row, int n_rows, void *data,
                          asr_error *error)
{
    (void)error;
    const asr_host_buffer *buffer = (const asr_host_buffer *)base;
    memcpy(data, (const char *)buffer->data + (size_t)first_row * row_bytes(base),
           (size_t)n_rows * row_bytes(base));
    return true;
}
