/* The contract between graphs and what runs them.
 *
 * A backend owns buffers and plans. Three implement it: reference (plain C, what the
 * others are tested against), cpu (oneDNN and SIMD) and vulkan. Nothing above this header
 * knows which one runs, and no backend knows a model.
 *
 * Thread safety: a backend and all that was made from it is used by one thread at a time;
 * two backends of one kind are independent. */
#ifndef ASR_BACKEND_H
#define ASR_BACKEND_H

#include "graph/graph.h"

typedef enum asr_precision {
    ASR_PRECISION_AUTO, /* what is fastest on the device at no loss worth naming */
    ASR_PRECISION_F32,
    ASR_PRECISION_F16, /* or bf16 where the processor computes with that */
    ASR_PRECISION_INT8,
} asr_precision;

/* A matrix in the host's memory, as weights come from a file or the cache. */
typedef struct asr_matrix {
    asr_dtype dtype;
    int rows, cols;
    const void *data;    /* [rows, cols], contiguous */
    const float *scales; /* [rows] for i8, else NULL */
} asr_matrix;

typedef enum asr_usage {
    ASR_USAGE_STATE, /* lives on the device: KV caches, encoder output */
    ASR_USAGE_HOST,  /* small; written or read by the host around every run */
} asr_usage;

typedef struct asr_backend asr_backend;
typedef struct asr_plan asr_plan;

/* What graph.c and models may look at; each backend's own struct begins with it. */
struct asr_buffer {
    asr_backend *backend;
    asr_dtype dtype;
    int rows, cols;
};

typedef struct asr_backend_ops {
    const char *name; /* "reference", "cpu", "vulkan" */
    void (*destroy)(asr_backend *backend);
    const char *(*description)(const asr_backend *backend);
    asr_dtype (*weight_dtype)(const asr_backend *backend, asr_precision precision);
    asr_buffer *(*weight_create)(asr_backend *backend, const asr_matrix *matrix,
                                 asr_error *error);
    asr_buffer *(*buffer_create)(asr_backend *backend, asr_dtype dtype, int rows,
                                 int cols, asr_usage usage, asr_error *error);
    void (*buffer_destroy)(asr_buffer *buffer);
    bool (*buffer_write)(asr_buffer *buffer, int first_row, int n_rows, const void *data,
                         asr_error *error);
    bool (*buffer_read)(asr_buffer *buffer, int first_row, int n_rows, void *data,
                        asr_error *error);
    asr_plan *(*plan_create)(asr_backend *backend, const asr_graph *graph,
                             asr_error *error);
    bool (*plan_run)(asr_plan *plan, asr_error *error);
    void (*plan_destroy)(asr_plan *plan);
} asr_backend_ops;

/* Each backend's own struct begins with this. */
struct asr_backend {
    const asr_backend_ops *ops;
};

/* Each backend's own plan begins with this; asr_plan_create() fills it in. */
struct asr_plan {
    asr_backend *backend;
    asr_graph *graph; /* owned */
};

/* The device in words, for people: "AMD Radeon 780M (Vulkan)". Owned by the backend. */
const char *asr_backend_description(const asr_backend *backend);
void asr_backend_destroy(asr_backend **backend);

/* How the backend wants the weights of matrix products at `precision`; AUTO is resolved
 * here. */
asr_dtype asr_backend_weight_dtype(const asr_backend *backend, asr_precision precision);

/* A constant matrix. `matrix->data` and `->scales` are borrowed for the buffer's whole
 * life (a mapped file, usually): a backend may use them in place or copy them. */
asr_buffer *asr_weight_create(asr_backend *backend, const asr_matrix *matrix,
                              asr_error *error);

/* A zeroed matrix of f32, f16 or i32. */
asr_buffer *asr_buffer_create(asr_backend *backend, asr_dtype dtype, int rows, int cols,
                              asr_usage usage, asr_error *error);
void asr_buffer_destroy(asr_buffer **buffer);

/* Copies whole rows, in the buffer's dtype. Not for weights. */
bool asr_buffer_write(asr_buffer *buffer, int first_row, int n_rows, const void *data,
                      asr_error *error);
bool asr_buffer_read(asr_buffer *buffer, int first_row, int n_rows, void *data,
                     asr_error *error);

/* Finishes the graph and compiles it. The plan takes the graph over, also when this
 * fails: *graph is NULL afterwards. The buffers that it names must outlive the plan. */
asr_plan *asr_plan_create(asr_backend *backend, asr_graph **graph, asr_error *error);
bool asr_plan_run(asr_plan *plan, asr_error *error);
void asr_plan_destroy(asr_plan **plan);

#endif
