/* Buffers in the host's memory, for the backends that compute there. */
#ifndef ASR_HOST_H
#define ASR_HOST_H

#include "graph/backend.h"

/* A backend's own buffer begins with this. */
typedef struct asr_host_buffer {
    asr_buffer base;
    const void *data;    /* [rows, cols]; a weight's is borrowed */
    const float *scales; /* i8 weights; borrowed */
    void *owned;         /* `data` where it is not borrowed */
} asr_host_buffer;

/* A weight whose matrix is borrowed. */
void asr_host_weight_init(asr_host_buffer *buffer, asr_backend *backend,
                          const asr_matrix *matrix);

/* A zeroed buffer; false with a message when memory is out. */
bool asr_host_buffer_init(asr_host_buffer *buffer, asr_backend *backend, asr_dtype dtype,
                          int rows, int cols, asr_error *error);

/* Frees what the buffer owns, not the struct. */
void asr_host_buffer_clear(asr_host_buffer *buffer);

/* buffer_write and buffer_read of asr_backend_ops. Never fail. */
bool asr_host_buffer_write(asr_buffer *buffer, int first_row, int n_rows,
                           const void *data, asr_error *error);
bool asr_host_buffer_read(asr_buffer *buffer, int first_row, int n_rows, void *data,
                          asr_error *error);

#endif
