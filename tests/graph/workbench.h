/* What the tests of graphs stand on: leaves of the reference backend with given contents,
 * and the run of a graph. Failures here end the program: nothing after them means much.
 */
#ifndef WORKBENCH_H
#define WORKBENCH_H

#include "graph/backend.h"
#include "reference/reference.h"

#include <stdio.h>
#include <stdlib.h>

#define WORKBENCH_LEAVES 16

typedef struct workbench {
    asr_backend *backend;
    asr_graph *graph;
    asr_plan *plan;
    asr_buffer *buffers[WORKBENCH_LEAVES];
    int n_buffers;
    asr_error error;
} workbench;

static inline void workbench_require(const workbench *w, bool ok)
{
    if (!ok) {
        printf("Bail out! %s\n", w->error.message);
        exit(EXIT_FAILURE);
    }
}

static inline workbench workbench_open(void)
{
    workbench w = {.error = {"no room in the workbench"}};
    w.backend = asr_reference_create(&w.error);
    w.graph = asr_graph_create();
    workbench_require(&w, w.backend && w.graph);
    return w;
}

static inline void workbench_close(workbench *w)
{
    asr_plan_destroy(&w->plan);
    asr_graph_destroy(&w->graph);
    for (int i = 0; i < w->n_buffers; i++)
        asr_buffer_destroy(&w->buffers[i]);
    asr_backend_destroy(&w->backend);
}

static inline asr_buffer *workbench_keep(workbench *w, asr_buffer *buffer)
{
    workbench_require(w, buffer && w->n_buffers < WORKBENCH_LEAVES);
    w->buffers[w->n_buffers++] = buffer;
    return buffer;
}

/* A buffer with contents; zeros when data is NULL. */
static inline asr_buffer *workbench_buffer(workbench *w, asr_dtype dtype, int rows,
                                           int cols, const void *data)
{
    asr_buffer *buffer = workbench_keep(
        w, asr_buffer_create(w->backend, dtype, rows, cols, ASR_USAGE_HOST, &w->error));
    workbench_require(w, !data || asr_buffer_write(buffer, 0, rows, data, &w->error));
    return buffer;
}

static inline asr_tensor *workbench_leaf(workbench *w, asr_dtype dtype, int rows,
                                         int cols, const void *data)
{
    return asr_graph_leaf(w->graph, workbench_buffer(w, dtype, rows, cols, data));
}

/* A weight; `data` and `scales` must live until workbench_close(). */
static inline asr_tensor *workbench_weight(workbench *w, asr_dtype dtype, int rows,
                                           int cols, const void *data,
                                           const float *scales)
{
    asr_matrix matrix = {dtype, rows, cols, data, scales};
    return asr_graph_leaf(
        w->graph, workbench_keep(w, asr_weight_create(w->backend, &matrix, &w->error)));
}

/* Compiles the graph at the first call; runs it. */
static inline void workbench_run(workbench *w)
{
    if (!w->plan)
        w->plan = asr_plan_create(w->backend, &w->graph, &w->error);
    workbench_require(w, w->plan && asr_plan_run(w->plan, &w->error));
}

static inline void workbench_read(workbench *w, asr_buffer *buffer, void *data)
{
    workbench_require(w, asr_buffer_read(buffer, 0, buffer->rows, data, &w->error));
}

/* Stores y, runs the graph and reads what y became. */
static inline void workbench_result(workbench *w, asr_tensor *y, float *data)
{
    asr_buffer *out = workbench_buffer(w, ASR_F32, y->rows, y->cols, NULL);
    asr_graph_store(w->graph, y, asr_graph_leaf(w->graph, out), NULL);
    workbench_run(w);
    workbench_read(w, out, data);
}

#endif
