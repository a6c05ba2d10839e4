/* Buffers and plans of the reference backend: host memory, and the nodes in order. */
#include "reference/internal.h"

#include <stdlib.h>
#include <string.h>

typedef struct reference_plan {
    asr_plan base;
    const asr_graph *graph;
    char *arena;
} reference_plan;

static void destroy(asr_backend *backend)
{
    free(backend);
}

static const char *description(const asr_backend *backend)
{
    (void)backend;
    return "Reference (plain C)";
}

static asr_dtype weight_dtype(const asr_backend *backend, asr_precision precision)
{
    (void)backend;
    switch (precision) {
    case ASR_PRECISION_INT8:
        return ASR_I8;
    case ASR_PRECISION_F16:
        return ASR_F16;
    default:
        return ASR_F32;
    }
}

static reference_buffer *new_buffer(asr_backend *backend, asr_dtype dtype, int rows,
                                    int cols, asr_error *error)
{
    reference_buffer *buffer = calloc(1, sizeof(*buffer));
    if (!buffer) {
        asr_fail_memory(error);
        return NULL;
    }
    buffer->base = (asr_buffer){backend, dtype, rows, cols};
    return buffer;
}

static asr_buffer *weight_create(asr_backend *backend, const asr_matrix *matrix,
                                 asr_error *error)
{
    reference_buffer *buffer =
        new_buffer(backend, matrix->dtype, matrix->rows, matrix->cols, error);
    if (!buffer)
        return NULL;
    buffer->data = matrix->data;
    buffer->scales = matrix->scales;
    return &buffer->base;
}

static void buffer_destroy(asr_buffer *base)
{
    reference_buffer *buffer = (reference_buffer *)base;
    free(buffer->owned);
    free(buffer);
}

static asr_buffer *buffer_create(asr_backend *backend, asr_dtype dtype, int rows,
                                 int cols, asr_usage usage, asr_error *error)
{
    (void)usage;
    reference_buffer *buffer = new_buffer(backend, dtype, rows, cols, error);
    if (!buffer)
        return NULL;
    buffer->owned = calloc((size_t)rows * (size_t)cols, asr_dtype_size(dtype));
    buffer->data = buffer->owned;
    if (!buffer->owned) {
        asr_fail_memory(error);
        buffer_destroy(&buffer->base);
        return NULL;
    }
    return &buffer->base;
}

static size_t row_bytes(const asr_buffer *buffer)
{
    return (size_t)buffer->cols * asr_dtype_size(buffer->dtype);
}

static bool buffer_write(asr_buffer *base, int first_row, int n_rows, const void *data,
                         asr_error *error)
{
    (void)error;
    reference_buffer *buffer = (reference_buffer *)base;
    memcpy((char *)buffer->owned + (size_t)first_row * row_bytes(base), data,
           (size_t)n_rows * row_bytes(base));
    return true;
}

static bool buffer_read(asr_buffer *base, int first_row, int n_rows, void *data,
                        asr_error *error)
{
    (void)error;
    const reference_buffer *buffer = (const reference_buffer *)base;
    memcpy(data, (const char *)buffer->data + (size_t)first_row * row_bytes(base),
           (size_t)n_rows * row_bytes(base));
    return true;
}

static asr_plan *plan_create(asr_backend *backend, const asr_graph *graph,
                             asr_error *error)
{
    (void)backend;
    reference_plan *plan = calloc(1, sizeof(*plan));
    char *arena = malloc(asr_graph_arena_bytes(graph) + 1);
    if (!plan || !arena) {
        free(plan);
        free(arena);
        asr_fail_memory(error);
        return NULL;
    }
    plan->graph = graph;
    plan->arena = arena;
    return &plan->base;
}

static bool plan_run(asr_plan *base, asr_error *error)
{
    (void)error;
    reference_plan *plan = (reference_plan *)base;
    for (int i = 0; i < asr_graph_node_count(plan->graph); i++)
        reference_run_node(asr_graph_node(plan->graph, i), plan->arena);
    return true;
}

static void plan_destroy(asr_plan *base)
{
    reference_plan *plan = (reference_plan *)base;
    free(plan->arena);
    free(plan);
}

static const asr_backend_ops reference_ops = {
    .name = "reference",
    .destroy = destroy,
    .description = description,
    .weight_dtype = weight_dtype,
    .weight_create = weight_create,
    .buffer_create = buffer_create,
    .buffer_destroy = buffer_destroy,
    .buffer_write = buffer_write,
    .buffer_read = buffer_read,
    .plan_create = plan_create,
    .plan_run = plan_run,
    .plan_destroy = plan_destroy,
};

asr_backend *asr_reference_create(asr_error *error)
{
    asr_backend *backend = calloc(1, sizeof(*backend));
    if (!backend) {
        asr_fail_memory(error);
        return NULL;
    }
    backend->ops = &reference_ops;
    return backend;
}
