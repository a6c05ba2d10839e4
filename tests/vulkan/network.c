/* The graph of the small network, and its weights. */
#include "network.h"

#include "graph/half.h"

#include <math.h>
#include <stdlib.h>

#define VOCABULARY 2501
#define WIDTH 52
#define HIDDEN 101
#define HEADS 4
#define MAX_BUFFERS 32
#define MAX_KEPT 32

struct network {
    asr_backend *backend;
    asr_buffer *buffers[MAX_BUFFERS];
    int n_buffers;
    void *kept[MAX_KEPT];
    int n_kept;
    asr_buffer *token, *slot, *table, *length, *mask, *rules, *ids, *scores;
    asr_plan *plan;
    uint32_t random;
};

static uint32_t next_random(network *n)
{
    n->random = n->random * 1664525u + 1013904223u;
    return n->random >> 8;
}

/* Memory that lasts as long as the network: backends may borrow what weights are made of.
 */
static void *keep(network *n, size_t bytes)
{
    if (n->n_kept == MAX_KEPT)
        return NULL;
    return n->kept[n->n_kept++] = calloc(1, bytes);
}

/* Fills [count] with multiples of `scale`, −127 to 127 times; int8 leaves `scale` to the
 * rows' scales. */
static void fill(network *n, asr_dtype dtype, void *data, size_t count, float scale)
{
    for (size_t i = 0; i < count; i++) {
        int8_t q = (int8_t)(next_random(n) % 255 - 127);
        if (dtype == ASR_I8)
            ((int8_t *)data)[i] = q;
        else if (dtype == ASR_F16)
            ((uint16_t *)data)[i] = asr_f32_to_f16((float)q * scale);
        else
            ((float *)data)[i] = (float)q * scale;
    }
}

/* A weight in [−1/√cols, 1/√cols], so that activations keep their size. */
static asr_buffer *weight(network *n, asr_dtype dtype, int rows, int cols,
                          asr_error *error)
{
    size_t count = (size_t)rows * (size_t)cols;
    float scale = 1.0f / sqrtf((float)cols) / 127;
    void *data = keep(n, count * asr_dtype_size(dtype));
    float *scales = keep(n, (size_t)rows * sizeof(*scales));
    if (!data || !scales)
        return NULL;
    fill(n, dtype, data, count, scale);
    for (int r = 0; r < rows; r++)
        scales[r] = scale;
    asr_matrix matrix = {dtype, rows, cols, data, dtype == ASR_I8 ? scales : NULL};
    asr_buffer *w = asr_weight_create(n->backend, &matrix, error);
    if (w)
        n->buffers[n->n_buffers++] = w;
    return w;
}

static asr_buffer *buffer(network *n, asr_dtype dtype, int rows, int cols,
                          asr_usage usage, asr_error *error)
{
    asr_buffer *b = asr_buffer_create(n->backend, dtype, rows, cols, usage, error);
    if (b)
        n->buffers[n->n_buffers++] = b;
    return b;
}

static bool create_io(network *n, asr_error *error)
{
    int rules[ASR_RULE_COUNT] = {0, 0, VOCABULARY - 500, VOCABULARY - 400, VOCABULARY, 0};
    int table[NETWORK_STEPS];
    for (int i = 0; i < NETWORK_STEPS; i++)
        table[i] = i;
    n->token = buffer(n, ASR_I32, 1, 1, ASR_USAGE_HOST, error);
    n->slot = buffer(n, ASR_I32, 1, 1, ASR_USAGE_HOST, error);
    n->table = buffer(n, ASR_I32, 1, NETWORK_STEPS, ASR_USAGE_HOST, error);
    n->length = buffer(n, ASR_I32, 1, 1, ASR_USAGE_HOST, error);
    n->mask = buffer(n, ASR_F32, 1, VOCABULARY, ASR_USAGE_STATE, error);
    n->rules = buffer(n, ASR_I32, 1, ASR_RULE_COUNT, ASR_USAGE_HOST, error);
    n->ids = buffer(n, ASR_I32, 1, NETWORK_BEST, ASR_USAGE_HOST, error);
    n->scores = buffer(n, ASR_F32, 1, NETWORK_BEST, ASR_USAGE_HOST, error);
    return n->token && n->slot && n->table && n->length && n->mask && n->rules &&
           n->ids && n->scores && asr_buffer_write(n->rules, 0, 1, rules, error) &&
           asr_buffer_write(n->table, 0, 1, table, error);
}

/* One layer: attention over the cache, then an MLP, each added to what comes in. */
static asr_tensor *layer(network *n, asr_graph *g, asr_tensor *x, asr_dtype dtype,
                         asr_error *error)
{
    asr_buffer *qkv = weight(n, dtype, 3 * WIDTH, WIDTH, error);
    asr_buffer *out = weight(n, dtype, WIDTH, WIDTH, error);
    asr_buffer *up = weight(n, dtype, HIDDEN, WIDTH, error);
    asr_buffer *down = weight(n, dtype, WIDTH, HIDDEN, error);
    asr_buffer *gain = weight(n, ASR_F32, 1, WIDTH, error);
    asr_buffer *bias = weight(n, ASR_F32, 1, HIDDEN, error);
    asr_buffer *keys = buffer(n, ASR_F32, NETWORK_STEPS, WIDTH, ASR_USAGE_STATE, error);
    asr_buffer *values = buffer(n, ASR_F32, NETWORK_STEPS, WIDTH, ASR_USAGE_STATE, error);
    if (!qkv || !out || !up || !down || !gain || !bias || !keys || !values)
        return NULL;
    asr_tensor *k = asr_graph_leaf(g, keys), *v = asr_graph_leaf(g, values);
    asr_tensor *slot = asr_graph_leaf(g, n->slot);
    asr_tensor *gains = asr_graph_leaf(g, gain);
    asr_tensor *normed = asr_graph_layer_norm(g, x, gains, gains, 1e-5f);
    asr_tensor *h =
        asr_graph_linear(g, normed, asr_graph_leaf(g, qkv), NULL, ASR_ACT_NONE, NULL);
    asr_graph_store(g, asr_graph_columns(g, h, WIDTH, WIDTH), k, slot);
    asr_graph_store(g, asr_graph_columns(g, h, 2 * WIDTH, WIDTH), v, slot);
    asr_tensor *seen = asr_graph_attention_cached(
        g, asr_graph_columns(g, h, 0, WIDTH), k, v, asr_graph_leaf(g, n->table),
        asr_graph_leaf(g, n->length), HEADS, HEADS, 0.25f);
    x = asr_graph_linear(g, seen, asr_graph_leaf(g, out), NULL, ASR_ACT_NONE, x);
    h = asr_graph_linear(g, x, asr_graph_leaf(g, up), asr_graph_leaf(g, bias),
                         ASR_ACT_GELU, NULL);
    return asr_graph_linear(g, h, asr_graph_leaf(g, down), NULL, ASR_ACT_NONE, x);
}

static bool create_plan(network *n, asr_dtype dtype, asr_error *error)
{
    asr_graph *g = asr_graph_create();
    asr_buffer *embedding = weight(n, dtype, VOCABULARY, WIDTH, error);
    if (!g || !embedding) {
        asr_graph_destroy(&g);
        return false;
    }
    asr_tensor *table = asr_graph_leaf(g, embedding);
    asr_tensor *x = asr_graph_rows(g, table, asr_graph_leaf(g, n->token));
    for (int i = 0; i < 2 && x; i++)
        x = layer(n, g, x, dtype, error);
    if (!x) {
        asr_graph_destroy(&g);
        return false;
    }
    asr_tensor *logits = asr_graph_linear(g, x, table, NULL, ASR_ACT_NONE, NULL);
    asr_graph_pick(g, logits, asr_graph_leaf(g, n->mask), asr_graph_leaf(g, n->rules),
                   asr_graph_leaf(g, n->ids), asr_graph_leaf(g, n->scores));
    n->plan = asr_plan_create(n->backend, &g, error);
    return n->plan != NULL;
}

network *network_create(asr_backend *backend, asr_dtype weights, asr_error *error)
{
    network *n = calloc(1, sizeof(*n));
    if (!n)
        return NULL;
    n->backend = backend;
    n->random = 1;
    if (!create_io(n, error) || !create_plan(n, weights, error))
        network_destroy(&n);
    return n;
}

bool network_step(network *n, int step, int token, int ids[NETWORK_BEST],
                  float scores[NETWORK_BEST], asr_error *error)
{
    int length = step + 1;
    return asr_buffer_write(n->token, 0, 1, &token, error) &&
           asr_buffer_write(n->slot, 0, 1, &step, error) &&
           asr_buffer_write(n->length, 0, 1, &length, error) &&
           asr_plan_run(n->plan, error) && asr_buffer_read(n->ids, 0, 1, ids, error) &&
           asr_buffer_read(n->scores, 0, 1, scores, error);
}

void network_destroy(network **n)
{
    if (*n) {
        asr_plan_destroy(&(*n)->plan);
        for (int i = 0; i < (*n)->n_buffers; i++)
            asr_buffer_destroy(&(*n)->buffers[i]);
        for (int i = 0; i < (*n)->n_kept; i++)
            free((*n)->kept[i]);
        free(*n);
    }
    *n = NULL;
}
