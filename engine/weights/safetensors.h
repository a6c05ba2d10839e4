/* The safetensors format: eight bytes of header length, a JSON header that places every
 * tensor, and the tensors' bytes.
 *
 * A file is mapped, not read. Whatever it says is checked against its size before it is
 * believed. Thread safety: an open file is read-only and may be shared. */
#ifndef ASR_SAFETENSORS_H
#define ASR_SAFETENSORS_H

#include "error.h"
#include "graph/graph.h"

#include <stdio.h>

#define ASR_SAFETENSORS_MAX_DIMS 5

/* One tensor of an open file. Everything is borrowed from the file. */
typedef struct asr_stored_tensor {
    const char *name;
    asr_dtype dtype;
    int n_dims;
    int64_t dims[ASR_SAFETENSORS_MAX_DIMS];
    size_t n_elements;
    const void *data; /* aligned for its dtype */
} asr_stored_tensor;

typedef struct asr_safetensors asr_safetensors;

/* Maps a file. Tensors of a dtype the engine has no use for are left out. NULL with a
 * message that names the file when it is missing, cut short, or not what it claims. */
asr_safetensors *asr_safetensors_open(const char *path, asr_error *error);
void asr_safetensors_destroy(asr_safetensors **file);

size_t asr_safetensors_count(const asr_safetensors *file);
const asr_stored_tensor *asr_safetensors_at(const asr_safetensors *file, size_t index);

/* NULL when there is none of that name. */
const asr_stored_tensor *asr_safetensors_find(const asr_safetensors *file,
                                              const char *name);

/* The text under `key` in the header's "__metadata__", or NULL. */
const char *asr_safetensors_metadata(const asr_safetensors *file, const char *key);

/* The whole mapped file. */
const void *asr_safetensors_bytes(const asr_safetensors *file, size_t *size);

/* Tells the system that the mapped pages are not needed for now: they leave the resident
 * set and are read again when touched. */
void asr_safetensors_release_pages(const asr_safetensors *file);

/* A tensor to be written. */
typedef struct asr_tensor_spec {
    const char *name;
    asr_dtype dtype;
    int n_dims;
    int64_t dims[ASR_SAFETENSORS_MAX_DIMS];
} asr_tensor_spec;

/* Writes the header for tensors whose bytes the caller then writes in the same order,
 * without gaps: larger elements first, so that each is aligned. `key`, `value`: one
 * metadata entry, or NULL. False when a write fails; errno says why. */
bool asr_safetensors_write_header(FILE *out, const asr_tensor_spec *specs, size_t n_specs,
                                  const char *key, const char *value);

#endif
