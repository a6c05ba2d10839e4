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

static asr_host_buffer *new_buffer(asr_error *error)
{
    asr_host_buffer *buffer = calloc(1, sizeof(*buffer));
    if (!buffer)
        asr_fail_memory(error);
    return buffer;
}

static asr_buffer *weight_create(asr_backend *backend, const asr_matrix *matrix,
                                 asr_error *error)
{
    asr_host_buffer *buffer = new_buffer(error);
    if (!buffer)
        return NULL;
    asr_host_weight_init(buffer, backend, matrix);
    return &buffer->base;
}

static void buffer_destroy(asr_buffer *buffer)
{
    asr_host_buffer_clear((asr_host_buffer *)buffer);
    free(buffer);
}

static asr_buffer *buffer_create(asr_backend *backend, asr_dtype dtype, int rows,
                                 int cols, asr_usage usage, asr_error *error)
{
    (void)usage;
    asr_host_buffer *buffer = new_buffer(error);
    if (buffer && asr_host_buffer_init(buffer, backend, dtype, rows, cols, error))
        return &buffer->base;
    free(buffer);
    return NULL;
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
    .buffer_write = asr_host_buffer_write,
    .buffer_read = asr_host_buffer_read,
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
