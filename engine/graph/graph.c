/* Building a graph: shapes, views, and room in the arena for every computed matrix.
 *
 * The arena is planned once, when the graph is finished: walking the nodes in order, each
 * result takes the lowest gap that no value still needed overlaps. */
#include "graph/graph.h"

#include "graph/backend.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

/* Every matrix in the arena begins at a multiple of this: a cache line, a full AVX-512
 * register, and at least every device's storage-buffer alignment. */
#define ARENA_ALIGNMENT 256

struct asr_graph {
    asr_tensor **nodes;
    int n_nodes, capacity;
    size_t arena_bytes;
    bool out_of_memory;
    asr_tensor spare; /* what builders return once memory has run out */
};

size_t asr_dtype_size(asr_dtype dtype)
{
    switch (dtype) {
    case ASR_F32:
    case ASR_I32:
        return 4;
    case ASR_F16:
    case ASR_BF16:
        return 2;
    case ASR_I8:
        return 1;
    }
    return 0;
}

/* What a builder's caller must see to; of the spare node nothing can be expected. */
#define REQUIRE(graph, condition) assert((graph)->out_of_memory || (condition))

asr_graph *asr_graph_create(void)
{
    asr_graph *graph = calloc(1, sizeof(*graph));
    return graph;
}

void asr_graph_destroy(asr_graph **graph)
{
    if (*graph) {
        for (int i = 0; i < (*graph)->n_nodes; i++)
            free((*graph)->nodes[i]);
        free((*graph)->nodes);
        free(*graph);
    }
    *graph = NULL;
}

static bool reserve_node(asr_graph *graph)
{
    if (graph->n_nodes < graph->capacity)
        return true;
    int capacity = graph->capacity ? graph->capacity * 2 : 64;
    asr_tensor **nodes = realloc(graph->nodes, (size_t)capacity * sizeof(*nodes));
    if (!nodes)
        return false;
    graph->nodes = nodes;
    graph->capacity = capacity;
    return true;
}

/* A new node for op with result [rows, cols] f32; the spare one when memory is out. */
static asr_tensor *add_node(asr_graph *graph, asr_op op, int rows, int cols)
{
    REQUIRE(graph, rows > 0 && cols > 0);
    asr_tensor *t = NULL;
    if (!graph->out_of_memory && reserve_node(graph))
        t = calloc(1, sizeof(*t));
    if (t) {
        graph->nodes[graph->n_nodes++] = t;
    } else {
        graph->out_of_memory = true;
        t = &graph->spare;
    }
    t->op = op;
    t->dtype = ASR_F32;
    t->rows = rows;
    t->cols = cols;
    t->row_stride = cols;
    return t;
}

static bool is_leaf(const asr_tensor *t, asr_dtype dtype)
{
    return t->op == ASR_OP_LEAF && t->dtype == dtype;
}

static bool is_vector(const asr_tensor *t, int cols)
{
    return is_leaf(t, ASR_F32) && t->rows == 1 && t->cols == cols;
}

asr_tensor *asr_graph_leaf(asr_graph *graph, asr_buffer *buffer)
{
    asr_tensor *t = add_node(graph, ASR_OP_LEAF, buffer->rows, buffer->cols);
    t->dtype = buffer->dtype;
    t->buffer = buffer;
    return t;
}

asr_tensor *asr_graph_columns(asr_graph *graph, asr_tensor *x, int first, int count)
{
    REQUIRE(graph, x->op != ASR_OP_LEAF && first >= 0 && first + count <= x->cols);
    asr_tensor *t = add_node(graph, ASR_OP_COLUMNS, x->rows, count);
    t->view_of = x->view_of ? x->view_of : x;
    t->first_col = x->first_col + first;
    t->row_stride = x->row_stride;
    return t;
}

asr_tensor *asr_graph_linear(asr_graph *graph, asr_tensor *x, asr_tensor *weight,
                             asr_tensor *bias, asr_activation act, asr_tensor *residual)
{
    REQUIRE(graph, weight->op == ASR_OP_LEAF && weight->cols == x->cols);
    REQUIRE(graph, !bias || is_vector(bias, weight->rows));
    REQUIRE(graph,
            !residual || (residual->rows == x->rows && residual->cols == weight->rows));
    asr_tensor *t = add_node(graph, ASR_OP_LINEAR, x->rows, weight->rows);
    t->src[0] = x;
    t->src[1] = weight;
    t->src[2] = bias;
    t->src[3] = residual;
    t->act = act;
    return t;
}

asr_tensor *asr_graph_conv1d(asr_graph *graph, asr_tensor *x, asr_tensor *weight,
                             asr_tensor *bias, int kernel, int stride, int pad,
                             asr_activation act)
{
    REQUIRE(graph, weight->op == ASR_OP_LEAF && weight->cols == kernel * x->cols);
    REQUIRE(graph, !bias || is_vector(bias, weight->rows));
    REQUIRE(graph, kernel > 0 && stride > 0 && pad >= 0 && pad < kernel);
    REQUIRE(graph, x->rows + 2 * pad >= kernel && x->row_stride == x->cols);
    int rows = (x->rows + 2 * pad - kernel) / stride + 1;
    asr_tensor *t = add_node(graph, ASR_OP_CONV1D, rows, weight->rows);
    t->src[0] = x;
    t->src[1] = weight;
    t->src[2] = bias;
    t->kernel = kernel;
    t->stride = stride;
    t->pad = pad;
    t->act = act;
    return t;
}

asr_tensor *asr_graph_layer_norm(asr_graph *graph, asr_tensor *x, asr_tensor *gain,
                                 asr_tensor *bias, float eps)
{
    REQUIRE(graph, is_vector(gain, x->cols) && is_vector(bias, x->cols));
    asr_tensor *t = add_node(graph, ASR_OP_LAYER_NORM, x->rows, x->cols);
    t->src[0] = x;
    t->src[1] = gain;
    t->src[2] = bias;
    t->eps = eps;
    return t;
}

asr_tensor *asr_graph_add(asr_graph *graph, asr_tensor *a, asr_tensor *b)
{
    REQUIRE(graph, b->cols == a->cols);
    REQUIRE(graph, b->rows == a->rows || (is_leaf(b, ASR_F32) && b->rows > a->rows));
    asr_tensor *t = add_node(graph, ASR_OP_ADD, a->rows, a->cols);
    t->src[0] = a;
    t->src[1] = b;
    return t;
}

asr_tensor *asr_graph_rows(asr_graph *graph, asr_tensor *table, asr_tensor *index)
{
    REQUIRE(graph, table->op == ASR_OP_LEAF && table->dtype != ASR_I32);
    REQUIRE(graph, is_leaf(index, ASR_I32) && index->cols == 1);
    asr_tensor *t = add_node(graph, ASR_OP_ROWS, index->rows, table->cols);
    t->src[0] = table;
    t->src[1] = index;
    return t;
}

void asr_graph_store(asr_graph *graph, asr_tensor *x, asr_tensor *leaf, asr_tensor *slot)
{
    REQUIRE(graph, is_leaf(leaf, ASR_F32) || is_leaf(leaf, ASR_F16));
    REQUIRE(graph, leaf->cols == x->cols && (slot || leaf->rows >= x->rows));
    REQUIRE(graph, !slot || (is_leaf(slot, ASR_I32) && slot->rows == x->rows));
    asr_tensor *t = add_node(graph, ASR_OP_STORE, x->rows, x->cols);
    t->src[0] = x;
    t->src[1] = leaf;
    t->src[2] = slot;
}

static void set_heads(const asr_graph *graph, asr_tensor *t, int n_heads, int n_kv_heads,
                      float scale)
{
    const asr_tensor *q = t->src[0], *k = t->src[1];
    REQUIRE(graph, n_heads > 0 && n_kv_heads > 0 && n_heads % n_kv_heads == 0);
    REQUIRE(graph, q->cols % n_heads == 0 && k->cols == q->cols / n_heads * n_kv_heads);
    (void)graph, (void)q, (void)k;
    t->n_heads = n_heads;
    t->n_kv_heads = n_kv_heads;
    t->scale = scale;
}

asr_tensor *asr_graph_attention(asr_graph *graph, asr_tensor *q, asr_tensor *k,
                                asr_tensor *v, int n_heads, int n_kv_heads, float scale)
{
    REQUIRE(graph, k->rows == v->rows && k->cols == v->cols);
    asr_tensor *t = add_node(graph, ASR_OP_ATTENTION, q->rows, q->cols);
    t->src[0] = q;
    t->src[1] = k;
    t->src[2] = v;
    set_heads(graph, t, n_heads, n_kv_heads, scale);
    return t;
}

asr_tensor *asr_graph_attention_cached(asr_graph *graph, asr_tensor *q, asr_tensor *k,
                                       asr_tensor *v, asr_tensor *table,
                                       asr_tensor *length, int n_heads, int n_kv_heads,
                                       float scale)
{
    REQUIRE(graph, k->op == ASR_OP_LEAF && v->op == ASR_OP_LEAF && k->rows == v->rows);
    REQUIRE(graph, is_leaf(table, ASR_I32) && table->rows == q->rows);
    REQUIRE(graph,
            is_leaf(length, ASR_I32) && length->rows == q->rows && length->cols == 1);
    asr_tensor *t = add_node(graph, ASR_OP_ATTENTION_CACHED, q->rows, q->cols);
    t->src[0] = q;
    t->src[1] = k;
    t->src[2] = v;
    t->src[3] = table;
    t->src[4] = length;
    set_heads(graph, t, n_heads, n_kv_heads, scale);
    return t;
}

asr_tensor *asr_graph_attention_weights(asr_graph *graph, asr_tensor *q, asr_tensor *k,
                                        asr_tensor *heads, int n_heads, int n_kv_heads,
                                        float scale)
{
    REQUIRE(graph, is_leaf(heads, ASR_I32) && heads->cols == 1);
    asr_tensor *t =
        add_node(graph, ASR_OP_ATTENTION_WEIGHTS, heads->rows * q->rows, k->rows);
    t->src[0] = q;
    t->src[1] = k;
    t->src[2] = heads;
    set_heads(graph, t, n_heads, n_kv_heads, scale);
    return t;
}

void asr_graph_pick(asr_graph *graph, asr_tensor *logits, asr_tensor *mask,
                    asr_tensor *rules, asr_tensor *ids, asr_tensor *scores)
{
    REQUIRE(graph, is_leaf(mask, ASR_F32) && mask->cols == logits->cols);
    REQUIRE(graph, is_leaf(rules, ASR_I32) && rules->cols == ASR_RULE_COUNT);
    REQUIRE(graph, rules->rows == logits->rows && ids->rows == logits->rows);
    REQUIRE(graph, is_leaf(ids, ASR_I32) && ids->cols <= ASR_PICK_MAX);
    REQUIRE(graph, is_leaf(scores, ASR_F32) && scores->rows == ids->rows &&
                       scores->cols == ids->cols);
    asr_tensor *t = add_node(graph, ASR_OP_PICK, logits->rows, ids->cols);
    t->src[0] = logits;
    t->src[1] = mask;
    t->src[2] = rules;
    t->src[3] = ids;
    t->src[4] = scores;
    t->k = ids->cols;
}

/* PCG's output permutation (O'Neill 2014, RXS-M-XS 32) of one linear congruential step.
 */
static uint32_t pcg_hash(uint32_t x)
{
    uint32_t state = x * 747796405u + 2891336453u;
    uint32_t word = ((state >> ((state >> 28) + 4)) ^ state) * 277803737u;
    return (word >> 22) ^ word;
}

float asr_pick_noise(uint32_t seed, uint32_t token)
{
    uint32_t bits = pcg_hash(pcg_hash(seed) ^ token);
    /* 23 bits, centred in their interval: never 0 or 1, exact in f32. */
    float u = ((float)(bits >> 9) + 0.5f) * (1.0f / 8388608.0f);
    return -logf(-logf(u));
}

/* The node whose memory t's elements live in. */
static asr_tensor *storage_of(asr_tensor *t)
{
    return t->view_of ? t->view_of : t;
}

/* Whether a node's result is placed in the arena. */
static bool is_computed(const asr_tensor *t)
{
    return t->op != ASR_OP_LEAF && t->op != ASR_OP_COLUMNS && t->op != ASR_OP_STORE &&
           t->op != ASR_OP_PICK;
}

static size_t arena_size_of(const asr_tensor *t)
{
    size_t bytes = (size_t)t->rows * (size_t)t->row_stride * asr_dtype_size(t->dtype);
    return (bytes + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
}

static void find_last_uses(asr_graph *graph)
{
    for (int i = 0; i < graph->n_nodes; i++) {
        graph->nodes[i]->last_use = i;
        for (int s = 0; s < ASR_MAX_SRC; s++)
            if (graph->nodes[i]->src[s])
                storage_of(graph->nodes[i]->src[s])->last_use = i;
    }
}

/* The lowest offset where `size` bytes fit beside the live values [0, n_live), which are
 * sorted by offset. */
static size_t lowest_gap(asr_tensor *const *live, int n_live, size_t size)
{
    size_t offset = 0;
    for (int i = 0; i < n_live; i++) {
        if (live[i]->arena_offset >= offset + size)
            break;
        size_t end = live[i]->arena_offset + arena_size_of(live[i]);
        if (end > offset)
            offset = end;
    }
    return offset;
}

static void insert_by_offset(asr_tensor **live, int *n_live, asr_tensor *t)
{
    int i = (*n_live)++;
    for (; i > 0 && live[i - 1]->arena_offset > t->arena_offset; i--)
        live[i] = live[i - 1];
    live[i] = t;
}

bool asr_graph_finish(asr_graph *graph, asr_error *error)
{
    if (!graph || graph->out_of_memory)
        return asr_fail_memory(error);
    asr_tensor **live = calloc((size_t)graph->n_nodes + 1, sizeof(*live));
    if (!live)
        return asr_fail_memory(error);
    find_last_uses(graph);
    int n_live = 0;
    for (int i = 0; i < graph->n_nodes; i++) {
        asr_tensor *t = graph->nodes[i];
        if (!is_computed(t))
            continue;
        int kept = 0;
        for (int j = 0; j < n_live; j++)
            if (live[j]->last_use >= i)
                live[kept++] = live[j];
        n_live = kept;
        t->arena_offset = lowest_gap(live, n_live, arena_size_of(t));
        insert_by_offset(live, &n_live, t);
        if (t->arena_offset + arena_size_of(t) > graph->arena_bytes)
            graph->arena_bytes = t->arena_offset + arena_size_of(t);
    }
    free(live);
    return true;
}

int asr_graph_node_count(const asr_graph *graph)
{
    return graph->n_nodes;
}

const asr_tensor *asr_graph_node(const asr_graph *graph, int index)
{
    return graph->nodes[index];
}

size_t asr_graph_arena_bytes(const asr_graph *graph)
{
    return graph->arena_bytes;
}
