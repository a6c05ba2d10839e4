/* Plans: every node is prepared once, then run in order. */
#include "cpu/plan.h"

#include "cpu/internal.h"

#include <stdlib.h>

typedef struct operation {
    bool (*prepare)(cpu_plan *plan, const asr_tensor *t, asr_error *error); /* or NULL */
    void (*run)(cpu_plan *plan, const asr_tensor *t); /* NULL: nothing to do */
} operation;

static const operation operations[ASR_OP_COUNT] = {
    [ASR_OP_LINEAR] = {cpu_linear_prepare, cpu_linear_run},
    [ASR_OP_CONV1D] = {cpu_linear_prepare, cpu_linear_run},
    [ASR_OP_LAYER_NORM] = {NULL, cpu_layer_norm_run},
    [ASR_OP_ADD] = {NULL, cpu_add_run},
    [ASR_OP_ROWS] = {NULL, cpu_rows_run},
    [ASR_OP_STORE] = {NULL, cpu_store_run},
    [ASR_OP_ATTENTION] = {cpu_attention_prepare, cpu_attention_run},
    [ASR_OP_ATTENTION_CACHED] = {cpu_attention_prepare, cpu_attention_run},
    [ASR_OP_ATTENTION_WEIGHTS] = {cpu_attention_weights_prepare,
                                  cpu_attention_weights_run},
    [ASR_OP_PICK] = {cpu_pick_prepare, cpu_pick_run},
};

/* Whether a matrix product of the graph has weights of fewer bits than f32. */
static bool has_reduced_weights(const asr_graph *graph)
{
    for (int i = 0; i < asr_graph_node_count(graph); i++) {
        const asr_tensor *t = asr_graph_node(graph, i);
        if ((t->op == ASR_OP_LINEAR || t->op == ASR_OP_CONV1D) &&
            t->src[1]->dtype != ASR_F32)
            return true;
    }
    return false;
}

asr_plan *cpu_plan_create(asr_backend *base, const asr_graph *graph, asr_error *error)
{
    cpu_backend *backend = (cpu_backend *)base;
    cpu_plan *plan = calloc(1, sizeof(*plan));
    if (!plan) {
        asr_fail_memory(error);
        return NULL;
    }
    plan->backend = backend;
    plan->graph = graph;
    plan->is_reduced = has_reduced_weights(graph);
    if (!cpu_backend_reserve_arena(backend, asr_graph_arena_bytes(graph), error))
        goto fail;
    for (int i = 0; i < asr_graph_node_count(graph); i++) {
        const asr_tensor *t = asr_graph_node(graph, i);
        if (operations[t->op].prepare && !operations[t->op].prepare(plan, t, error))
            goto fail;
    }
    return &plan->base;
fail:
    free(plan);
    return NULL;
}

bool cpu_plan_run(asr_plan *base, asr_error *error)
{
    cpu_plan *plan = (cpu_plan *)base;
    plan->failed = false;
    for (int i = 0; i < asr_graph_node_count(plan->graph); i++) {
        const asr_tensor *t = asr_graph_node(plan->graph, i);
        if (operations[t->op].run)
            operations[t->op].run(plan, t);
    }
    return plan->failed ? asr_fail_memory(error) : true;
}

void cpu_plan_destroy(asr_plan *base)
{
    free(base);
}
