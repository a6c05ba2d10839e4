/* What is special to the cpu backend: exact int8 sums where instructions could saturate,
 * weights packed once and never read again, plans that share working memory. That every
 * operation computes the right thing is checked in tests/kernels. */
#include "cpu/cpu.h"
#include "test.h"

#include <stdint.h>

enum { COLS = 259, OUTPUTS = 83, MANY = 40, MOST_COLS = 2048 };

static const asr_cpu_isa isas[] = {
    ASR_CPU_ISA_AUTO,   ASR_CPU_ISA_BASELINE,    ASR_CPU_ISA_AVX2, ASR_CPU_ISA_AVX_VNNI,
    ASR_CPU_ISA_AVX512, ASR_CPU_ISA_AVX512_VNNI, ASR_CPU_ISA_AMX};
#define N_ISAS (int)(sizeof(isas) / sizeof(isas[0]))

/* A linear layer with i8 weights, from a buffer to a buffer. */
typedef struct layer {
    asr_backend *backend;
    int8_t *values;
    float *scales;
    asr_buffer *weight, *input, *output;
    asr_plan *plan;
} layer;

static int8_t plus_minus(int n, int k)
{
    return (n * 7 + k * 13) % 5 < 2 ? -127 : 127;
}

static int8_t any_value(int n, int k)
{
    return (int8_t)((n * 31 + k * 17 + n * k) % 255 - 127);
}

static bool make_layer(layer *l, asr_backend *backend, int rows, int cols,
                       int8_t (*value)(int n, int k), asr_error *error)
{
    *l = (layer){.backend = backend};
    l->values = calloc((size_t)OUTPUTS * (size_t)cols, 1);
    l->scales = calloc(OUTPUTS, sizeof(*l->scales));
    asr_graph *graph = asr_graph_create();
    if (!l->values || !l->scales || !graph)
        return false;
    for (int n = 0; n < OUTPUTS; n++) {
        l->scales[n] = 1;
        for (int k = 0; k < cols; k++)
            l->values[n * cols + k] = value(n, k);
    }
    asr_matrix matrix = {ASR_I8, OUTPUTS, cols, l->values, l->scales};
    l->weight = asr_weight_create(backend, &matrix, error);
    l->input = asr_buffer_create(backend, ASR_F32, rows, cols, ASR_USAGE_HOST, error);
    l->output = asr_buffer_create(backend, ASR_F32, rows, OUTPUTS, ASR_USAGE_HOST, error);
    if (!l->weight || !l->input || !l->output)
        return false;
    asr_tensor *y =
        asr_graph_linear(graph, asr_graph_leaf(graph, l->input),
                         asr_graph_leaf(graph, l->weight), NULL, ASR_ACT_NONE, NULL);
    asr_graph_store(graph, y, asr_graph_leaf(graph, l->output), NULL);
    l->plan = asr_plan_create(backend, &graph, error);
    return l->plan != NULL;
}

static void destroy_layer(layer *l)
{
    asr_plan_destroy(&l->plan);
    asr_buffer_destroy(&l->output);
    asr_buffer_destroy(&l->input);
    asr_buffer_destroy(&l->weight);
    free(l->scales);
    free(l->values);
}

/* Runs the layer on x [rows, cols] into out [rows, OUTPUTS]. */
static bool run_layer(layer *l, int rows, const float *x, float *out)
{
    return asr_buffer_write(l->input, 0, rows, x, NULL) && asr_plan_run(l->plan, NULL) &&
           asr_buffer_read(l->output, 0, rows, out, NULL);
}

/* The backend held back to isas[i], or NULL where that is not to be had or not new. */
static asr_backend *open_isa(int i)
{
    asr_error error = {""};
    asr_cpu_params params = {.n_threads = 3, .isa = isas[i]};
    asr_backend *backend = asr_cpu_create(&params, &error);
    if (!backend)
        printf("# %s\n", error.message);
    return backend;
}

/* Rows whose largest value is 127, so that they are staged as they are. */
static void fill_rows(float *x, int rows, int cols, int8_t (*value)(int n, int k))
{
    for (int r = 0; r < rows; r++) {
        for (int k = 0; k < cols; k++)
            x[r * cols + k] = value(r + 3, k + 5);
        x[r * cols] = 127;
    }
}

static int count_wrong(const layer *l, const float *x, const float *y, int rows, int cols)
{
    int wrong = 0;
    for (int r = 0; r < rows; r++)
        for (int n = 0; n < OUTPUTS; n++) {
            int32_t sum = 0;
            for (int k = 0; k < cols; k++)
                sum += (int32_t)x[r * cols + k] * l->values[n * cols + k];
            wrong += y[r * OUTPUTS + n] != (float)sum;
        }
    return wrong;
}

static float x[MANY * MOST_COLS], y[MANY * OUTPUTS], z[MANY * OUTPUTS];

static void check_exact(asr_backend *backend, int rows, int cols,
                        int8_t (*value)(int n, int k))
{
    asr_error error = {""};
    layer l;
    bool made = make_layer(&l, backend, rows, cols, value, &error);
    EXPECT_STR(error.message, "");
    if (made) {
        fill_rows(x, rows, cols, value);
        EXPECT(run_layer(&l, rows, x, y));
        EXPECT_INT(count_wrong(&l, x, y, rows, cols), 0);
    }
    destroy_layer(&l);
}

TEST(extreme_int8_sums_are_exact)
{
    for (int i = 0; i < N_ISAS; i++) {
        asr_backend *backend = open_isa(i);
        REQUIRE(backend);
        for (int rows = 1; rows <= MANY; rows += 13) {
            check_exact(backend, rows, MOST_COLS, plus_minus);
            check_exact(backend, rows, COLS, plus_minus);
            check_exact(backend, rows, COLS, any_value);
        }
        asr_backend_destroy(&backend);
    }
}

/* Tiles, blocks and single rows agree to the last bit. */
TEST(a_row_does_not_depend_on_its_company)
{
    for (int i = 0; i < N_ISAS; i++) {
        asr_error error = {""};
        asr_backend *backend = open_isa(i);
        REQUIRE(backend);
        layer many, one;
        bool made = make_layer(&many, backend, MANY, COLS, any_value, &error);
        made &= make_layer(&one, backend, 1, COLS, any_value, &error);
        EXPECT(made);
        for (int j = 0; j < MANY * COLS; j++)
            x[j] = sinf((float)j) * 3;
        EXPECT(made && run_layer(&many, MANY, x, y));
        int different = 0;
        for (int r = 0; made && r < MANY; r++) {
            EXPECT(run_layer(&one, 1, x + r * COLS, z));
            different += memcmp(z, y + r * OUTPUTS, OUTPUTS * sizeof(*z)) != 0;
        }
        EXPECT_INT(different, 0);
        destroy_layer(&one);
        destroy_layer(&many);
        asr_backend_destroy(&backend);
    }
}

/* The caller may give the pages of a packed weight back to the system; what is still
 * read of it, as a table's rows, comes from the packed copy. */
TEST(a_packed_weight_is_not_read_again)
{
    asr_error error = {""};
    asr_backend *backend = asr_cpu_create(NULL, &error);
    REQUIRE(backend);
    layer l;
    REQUIRE(make_layer(&l, backend, 2, COLS, any_value, &error));
    asr_buffer *index = asr_buffer_create(backend, ASR_I32, 1, 1, ASR_USAGE_HOST, &error);
    asr_buffer *row =
        asr_buffer_create(backend, ASR_F32, 1, COLS, ASR_USAGE_HOST, &error);
    REQUIRE(index && row);
    asr_graph *graph = asr_graph_create();
    REQUIRE(graph);
    asr_tensor *picked = asr_graph_rows(graph, asr_graph_leaf(graph, l.weight),
                                        asr_graph_leaf(graph, index));
    asr_graph_store(graph, picked, asr_graph_leaf(graph, row), NULL);
    asr_plan *plan = asr_plan_create(backend, &graph, &error);
    REQUIRE(plan);
    fill_rows(x, 2, COLS, any_value);
    EXPECT(run_layer(&l, 2, x, y));
    memset(l.values, 1, (size_t)OUTPUTS * COLS);
    EXPECT(run_layer(&l, 2, x, z));
    EXPECT(memcmp(y, z, 2 * OUTPUTS * sizeof(*y)) == 0);

    EXPECT(asr_buffer_write(index, 0, 1, &(int32_t){OUTPUTS - 1}, &error));
    EXPECT(asr_plan_run(plan, &error));
    EXPECT(asr_buffer_read(row, 0, 1, z, &error));
    for (int k = 0; k < COLS; k++)
        EXPECT(z[k] == any_value(OUTPUTS - 1, k));
    asr_plan_destroy(&plan);
    asr_buffer_destroy(&row);
    asr_buffer_destroy(&index);
    destroy_layer(&l);
    asr_backend_destroy(&backend);
}

TEST(plans_take_turns_in_shared_memory)
{
    asr_error error = {""};
    asr_backend *backend = asr_cpu_create(NULL, &error);
    REQUIRE(backend);
    layer small, large;
    REQUIRE(make_layer(&small, backend, 2, COLS, any_value, &error));
    REQUIRE(make_layer(&large, backend, MANY, MOST_COLS, any_value, &error));
    fill_rows(x, MANY, MOST_COLS, any_value);
    for (int i = 0; i < 3; i++) {
        EXPECT(run_layer(&large, MANY, x, y));
        EXPECT_INT(count_wrong(&large, x, y, MANY, MOST_COLS), 0);
        fill_rows(x, 2, COLS, any_value);
        EXPECT(run_layer(&small, 2, x, y));
        EXPECT_INT(count_wrong(&small, x, y, 2, COLS), 0);
        fill_rows(x, MANY, MOST_COLS, any_value);
    }
    destroy_layer(&large);
    destroy_layer(&small);
    asr_backend_destroy(&backend);
}

TEST(describes_itself_and_its_weights)
{
    asr_error error = {""};
    asr_cpu_params params = {.n_threads = 3, .isa = ASR_CPU_ISA_BASELINE};
    asr_backend *backend = asr_cpu_create(&params, &error);
    REQUIRE(backend);
    EXPECT(strncmp(asr_backend_description(backend), "CPU, 3 threads, ", 16) == 0);
    EXPECT_INT(asr_backend_weight_dtype(backend, ASR_PRECISION_AUTO), ASR_I8);
    EXPECT_INT(asr_backend_weight_dtype(backend, ASR_PRECISION_INT8), ASR_I8);
    EXPECT_INT(asr_backend_weight_dtype(backend, ASR_PRECISION_F16), ASR_F16);
    EXPECT_INT(asr_backend_weight_dtype(backend, ASR_PRECISION_F32), ASR_F32);
    asr_backend_destroy(&backend);
}

int main(void)
{
    RUN(extreme_int8_sums_are_exact);
    RUN(a_row_does_not_depend_on_its_company);
    RUN(a_packed_weight_is_not_read_again);
    RUN(plans_take_turns_in_shared_memory);
    RUN(describes_itself_and_its_weights);
    return test_end();
}
