/* Calls through a backend's table, with what is common to all of them: NULL-safe
 * destruction and bounds. */
#include "graph/backend.h"

#include <assert.h>

const char *asr_backend_description(const asr_backend *backend)
{
    return backend->ops->description(backend);
}

void asr_backend_destroy(asr_backend **backend)
{
    if (*backend)
        (*backend)->ops->destroy(*backend);
    *backend = NULL;
}

asr_dtype asr_backend_weight_dtype(const asr_backend *backend, asr_precision precision)
{
    return backend->ops->weight_dtype(backend, precision);
}

asr_buffer *asr_weight_create(asr_backend *backend, const asr_matrix *matrix,
                              asr_error *error)
{
    assert(matrix->rows > 0 && matrix->cols > 0);
    assert((matrix->dtype == ASR_I8) == (matrix->scales != NULL));
    return backend->ops->weight_create(backend, matrix, error);
}

asr_buffer *asr_buffer_create(asr_backend *backend, asr_dtype dtype, int rows, int cols,
                              asr_usage usage, asr_error *error)
{
    assert(rows > 0 && cols > 0);
    assert(dtype == ASR_F32 || dtype == ASR_F16 || dtype == ASR_I32);
    return backend->ops->buffer_create(backend, dtype, rows, cols, usage, error);
}

void asr_buffer_destroy(asr_buffer **buffer)
{
    if (*buffer)
        (*buffer)->backend->ops->buffer_destroy(*buffer);
    *buffer = NULL;
}

bool asr_buffer_write(asr_buffer *buffer, int first_row, int n_rows, const void *data,
                      asr_error *error)
{
    assert(first_row >= 0 && n_rows >= 0 && n_rows <= buffer->rows - first_row);
    return buffer->backend->ops->buffer_write(buffer, first_row, n_rows, data, error);
}

bool asr_buffer_read(asr_buffer *buffer, int first_row, int n_rows, void *data,
                     asr_error *error)
{
    assert(first_row >= 0 && n_rows >= 0 && n_rows <= buffer->rows - first_row);
    return buffer->backend->ops->buffer_read(buffer, first_row, n_rows, data, error);
}

asr_plan *asr_plan_create(asr_backend *backend, asr_graph **graph, asr_error *error)
{
    asr_plan *plan = NULL;
    if (asr_graph_finish(*graph, error))
        plan = backend->ops->plan_create(backend, *graph, error);
    if (plan) {
        plan->backend = backend;
        plan->graph = *graph;
        *graph = NULL;
    } else {
        asr_graph_destroy(graph);
    }
    return plan;
}

bool asr_plan_run(asr_plan *plan, asr_error *error)
{
    return plan->backend->ops->plan_run(plan, error);
}

void asr_plan_destroy(asr_plan **plan)
{
    if (*plan) {
        asr_graph *graph = (*plan)->graph;
        (*plan)->backend->ops->plan_destroy(*plan);
        asr_graph_destroy(&graph);
    }
    *plan = NULL;
}
