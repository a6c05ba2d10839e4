/* Building graphs: shapes, views, and the plan of the arena. */
#include "test.h"
#include "workbench.h"

#include <stdint.h>

#define ALIGNMENT 256

TEST(shapes_follow_from_sources)
{
    workbench w = workbench_open();
    static float weight_data[7 * 12];
    asr_tensor *x = workbench_leaf(&w, ASR_F32, 5, 4, NULL);
    asr_tensor *weight = workbench_weight(&w, ASR_F32, 7, 12, weight_data, NULL);
    asr_tensor *conv = asr_graph_conv1d(w.graph, x, weight, NULL, 3, 2, 1, ASR_ACT_NONE);
    EXPECT_INT(conv->rows, 3); /* (5 + 2 − 3)/2 + 1 */
    EXPECT_INT(conv->cols, 7);
    EXPECT_INT(conv->row_stride, 7);
    asr_tensor *index = workbench_leaf(&w, ASR_I32, 2, 1, NULL);
    asr_tensor *rows = asr_graph_rows(w.graph, weight, index);
    EXPECT_INT(rows->rows, 2);
    EXPECT_INT(rows->cols, 12);
    asr_tensor *linear =
        asr_graph_linear(w.graph, rows, weight, NULL, ASR_ACT_RELU, NULL);
    EXPECT_INT(linear->rows, 2);
    EXPECT_INT(linear->cols, 7);
    asr_tensor *heads = workbench_leaf(&w, ASR_I32, 3, 1, NULL);
    asr_tensor *weights = asr_graph_attention_weights(w.graph, x, x, heads, 2, 2, 1);
    EXPECT_INT(weights->rows, 15);
    EXPECT_INT(weights->cols, 5);
    EXPECT(linear->dtype == ASR_F32 && weights->dtype == ASR_F32);
    workbench_close(&w);
}

TEST(a_view_of_a_view_is_one_view)
{
    workbench w = workbench_open();
    static const float data[] = {0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15};
    asr_tensor *leaf = workbench_leaf(&w, ASR_F32, 2, 6, data);
    asr_tensor *sum = asr_graph_add(w.graph, leaf, leaf);
    asr_tensor *outer = asr_graph_columns(w.graph, sum, 1, 4);
    asr_tensor *inner = asr_graph_columns(w.graph, outer, 2, 2);
    EXPECT(inner->view_of == sum);
    EXPECT_INT(inner->first_col, 3);
    EXPECT_INT(inner->row_stride, 6);
    EXPECT_INT(inner->cols, 2);
    float out[4];
    workbench_result(&w, inner, out);
    EXPECT(out[0] == 6 && out[1] == 8 && out[2] == 26 && out[3] == 28);
    workbench_close(&w);
}

TEST(nodes_come_in_the_order_they_were_added)
{
    workbench w = workbench_open();
    asr_tensor *a = workbench_leaf(&w, ASR_F32, 1, 1, NULL);
    asr_tensor *b = asr_graph_add(w.graph, a, a), *c = asr_graph_add(w.graph, b, a);
    REQUIRE(asr_graph_finish(w.graph, &w.error));
    EXPECT_INT(asr_graph_node_count(w.graph), 3);
    EXPECT(asr_graph_node(w.graph, 0) == a);
    EXPECT(asr_graph_node(w.graph, 1) == b);
    EXPECT(asr_graph_node(w.graph, 2) == c);
    workbench_close(&w);
}

/* A chain needs room for a value and the one made from it, however long it is. */
TEST(a_chain_reuses_its_room)
{
    workbench w = workbench_open();
    asr_tensor *x = workbench_leaf(&w, ASR_F32, 10, 64, NULL);
    for (int i = 0; i < 50; i++)
        x = asr_graph_add(w.graph, x, x);
    REQUIRE(asr_graph_finish(w.graph, &w.error));
    EXPECT_INT(asr_graph_arena_bytes(w.graph), 2 * 10 * 64 * 4);
    workbench_close(&w);
}

TEST(leaves_views_and_outputs_take_no_room)
{
    workbench w = workbench_open();
    asr_tensor *x = workbench_leaf(&w, ASR_F32, 3, 5, NULL);
    asr_tensor *out = workbench_leaf(&w, ASR_F32, 3, 5, NULL);
    asr_graph_store(w.graph, x, out, NULL);
    REQUIRE(asr_graph_finish(w.graph, &w.error));
    EXPECT_INT(asr_graph_arena_bytes(w.graph), 0);
    workbench_close(&w);
}

TEST(no_graph_is_no_memory)
{
    asr_error error = {""};
    asr_graph *none = NULL;
    EXPECT(!asr_graph_finish(NULL, &error));
    EXPECT(strlen(error.message) > 0);
    asr_graph_destroy(&none);
}

/* The linker sends the engine's allocations here (meson.build), where one can fail. */
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static int allocations_left = -1; /* below 0: any number */

static bool may_allocate(void)
{
    if (allocations_left > 0)
        allocations_left--;
    return allocations_left != 0;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return may_allocate() ? __real_calloc(count, size) : NULL;
}

void *__wrap_realloc(void *memory, size_t size)
{
    return may_allocate() ? __real_realloc(memory, size) : NULL;
}

/* Whichever allocation fails, building goes on with sources of any shape, and the end
 * reports it. */
TEST(lack_of_memory_is_reported_once_at_the_end)
{
    bool finished = false;
    for (int n = 1; !finished && n < 40; n++) {
        workbench w = workbench_open();
        static float gain[24];
        asr_buffer *input = workbench_buffer(&w, ASR_F32, 5, 24, NULL);
        asr_buffer *vector = workbench_buffer(&w, ASR_F32, 1, 24, gain);
        asr_buffer *scores = workbench_buffer(&w, ASR_F32, 5, 1, NULL);
        allocations_left = n;
        asr_tensor *x = asr_graph_leaf(w.graph, input);
        asr_tensor *ones = asr_graph_leaf(w.graph, vector);
        asr_tensor *y = asr_graph_layer_norm(w.graph, x, ones, ones, 1e-5f);
        asr_tensor *half = asr_graph_columns(w.graph, y, 12, 12);
        asr_graph_attention(w.graph, half, half, half, 4, 4, 1);
        asr_tensor *one = asr_graph_linear(w.graph, y, ones, NULL, ASR_ACT_NONE, NULL);
        asr_graph_add(w.graph, one, one);
        y = asr_graph_conv1d(w.graph, y, ones, NULL, 1, 1, 0, ASR_ACT_NONE);
        asr_graph_store(w.graph, y, asr_graph_leaf(w.graph, scores), NULL);
        finished = asr_graph_finish(w.graph, &w.error);
        allocations_left = -1;
        EXPECT(finished || strstr(w.error.message, "memory"));
        workbench_close(&w);
    }
    EXPECT(finished);
}

static uint32_t state;

static int draw(int n)
{
    state = state * 1664525u + 1013904223u;
    return (int)((uint64_t)state * (uint32_t)n >> 32);
}

#define MOST_VALUES 80

/* A random graph over values of 1 to 40 rows and 24 columns, some seen through views. */
static int build_random(workbench *w, asr_tensor **values)
{
    static float gain[24], weight[24 * 24];
    asr_tensor *ones = workbench_weight(w, ASR_F32, 1, 24, gain, NULL);
    asr_tensor *head = workbench_leaf(w, ASR_I32, 1, 1, NULL);
    asr_tensor *square = workbench_weight(w, ASR_F32, 24, 24, weight, NULL);
    int n = 0;
    for (int i = 0; i < 3; i++)
        values[n++] = workbench_leaf(w, ASR_F32, 1 + draw(40), 24, NULL);
    while (n < MOST_VALUES) {
        asr_tensor *x = values[draw(n)], *y = values[draw(n)];
        switch (draw(4)) {
        case 0:
            x = asr_graph_layer_norm(w->graph, x, ones, ones, 1e-5f);
            break;
        case 1:
            x = asr_graph_linear(w->graph, x, square, NULL, ASR_ACT_NONE,
                                 y->rows == x->rows ? y : NULL);
            break;
        case 2:
            x = asr_graph_attention(w->graph, x, y, y, 2, 2, 1);
            break;
        default:
            if (x->op == ASR_OP_LEAF)
                continue;
            asr_tensor *left = asr_graph_columns(w->graph, x, 0, 16);
            asr_tensor *inner = asr_graph_columns(w->graph, left, 4, 12);
            asr_tensor *right = asr_graph_columns(w->graph, x, 12, 12);
            x = asr_graph_attention_weights(w->graph, inner, right, head, 1, 1, 1);
            continue;
        }
        values[n++] = x;
    }
    return n;
}

typedef struct lifetime {
    size_t start, end;
    int first, last; /* nodes that write and read it */
} lifetime;

/* From the sources alone, not from what the plan noted down. */
static lifetime lifetime_of(const asr_graph *graph, int node)
{
    const asr_tensor *t = asr_graph_node(graph, node);
    lifetime life = {t->arena_offset,
                     t->arena_offset + (size_t)t->rows * (size_t)t->cols * sizeof(float),
                     node, node};
    for (int i = node + 1; i < asr_graph_node_count(graph); i++)
        for (int s = 0; s < ASR_MAX_SRC; s++) {
            const asr_tensor *source = asr_graph_node(graph, i)->src[s];
            if (source && (source == t || source->view_of == t))
                life.last = i;
        }
    return life;
}

static bool is_computed(const asr_tensor *t)
{
    return t->op != ASR_OP_LEAF && t->op != ASR_OP_COLUMNS && t->op != ASR_OP_STORE &&
           t->op != ASR_OP_PICK;
}

/* A result may not even share room with what it is made from. */
static void expect_disjoint(const asr_graph *graph)
{
    int n = asr_graph_node_count(graph);
    lifetime *lives = calloc((size_t)n, sizeof(*lives));
    REQUIRE(lives);
    int n_lives = 0;
    for (int i = 0; i < n; i++)
        if (is_computed(asr_graph_node(graph, i)))
            lives[n_lives++] = lifetime_of(graph, i);
    for (int i = 0; i < n_lives; i++) {
        EXPECT(lives[i].start % ALIGNMENT == 0);
        EXPECT(lives[i].end <= asr_graph_arena_bytes(graph));
        for (int j = 0; j < i; j++) {
            bool together =
                lives[i].first <= lives[j].last && lives[j].first <= lives[i].last;
            bool overlap = lives[i].start < lives[j].end && lives[j].start < lives[i].end;
            EXPECT(!(together && overlap));
        }
    }
    free(lives);
}

TEST(values_needed_together_never_overlap)
{
    for (state = 0; state < 3000000000u; state += 37000000u) {
        uint32_t seed = state;
        workbench w = workbench_open();
        asr_tensor *values[MOST_VALUES];
        int n = build_random(&w, values);
        REQUIRE(asr_graph_finish(w.graph, &w.error));
        expect_disjoint(w.graph);
        size_t all = 0;
        for (int i = 0; i < n; i++)
            all +=
                is_computed(values[i]) ? (size_t)values[i]->rows * 24 * sizeof(float) : 0;
        EXPECT(asr_graph_arena_bytes(w.graph) < all);
        workbench_close(&w);
        if (test_case_failed)
            printf("# the graph of seed %u\n", seed);
        state = seed;
    }
}

int main(void)
{
    RUN(shapes_follow_from_sources);
    RUN(a_view_of_a_view_is_one_view);
    RUN(nodes_come_in_the_order_they_were_added);
    RUN(a_chain_reuses_its_room);
    RUN(leaves_views_and_outputs_take_no_room);
    RUN(no_graph_is_no_memory);
    RUN(lack_of_memory_is_reported_once_at_the_end);
    RUN(values_needed_together_never_overlap);
    return test_end();
}
