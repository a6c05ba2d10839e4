/* Products on oneDNN: the shim itself, and large products of the cpu backend, which may
 * or may not go through it. Without oneDNN at build time only the latter. */
#include "cpu/cpu.h"
#include "cpu/dnnl.h"
#include "graph/half.h"
#include "test.h"

#include <stdint.h>

enum { THREADS = 2 };

static const cpu_dnnl_shape shapes[] = {
    {.rows = 128, .k = 512, .n = 96, .x_stride = 512},
    {.rows = 37, .k = 259, .n = 83, .x_stride = 272},
    {.rows = 1, .k = 7, .n = 1, .x_stride = 16},
    {.rows = 64, .k = 2048, .n = 48, .x_stride = 2048},
};
#define N_SHAPES (int)(sizeof(shapes) / sizeof(shapes[0]))

/* The best instruction set that oneDNN has here, or NULL without oneDNN. */
static cpu_dnnl *open_best(void)
{
    for (int isa = ASR_CPU_ISA_AMX; isa > ASR_CPU_ISA_AUTO; isa--) {
        cpu_dnnl *dnnl = cpu_dnnl_create((asr_cpu_isa)isa, false, THREADS);
        if (dnnl)
            return dnnl;
    }
    return NULL;
}

static size_t x_size(cpu_dnnl_type type)
{
    return type == CPU_DNNL_F32 ? 4 : type == CPU_DNNL_BF16 ? 2 : 1;
}

/* Values of a small pattern, of which i8 ones are the largest there are. */
static float value_at(cpu_dnnl_type type, bool is_weight, size_t i)
{
    if (type != CPU_DNNL_U8_I8)
        return (float)(i * 7919 % 257) / 256 - 0.5f;
    if (is_weight)
        return i * 7919 % 11 < 3 ? -127 : 127;
    return i * 31 % 7 < 1 ? 1 : 255;
}

static void store(cpu_dnnl_type type, bool is_weight, void *values, size_t i, float value)
{
    if (type == CPU_DNNL_F32)
        ((float *)values)[i] = value;
    else if (type == CPU_DNNL_BF16)
        ((uint16_t *)values)[i] = asr_f32_to_bf16(value);
    else if (is_weight)
        ((int8_t *)values)[i] = (int8_t)value;
    else
        ((uint8_t *)values)[i] = (uint8_t)value;
}

static float load(cpu_dnnl_type type, bool is_weight, const void *values, size_t i)
{
    if (type == CPU_DNNL_F32)
        return ((const float *)values)[i];
    if (type == CPU_DNNL_BF16)
        return asr_bf16_to_f32(((const uint16_t *)values)[i]);
    return is_weight ? ((const int8_t *)values)[i] : ((const uint8_t *)values)[i];
}

static void *make_values(const cpu_dnnl_shape *s, bool is_weight, size_t count)
{
    void *values = calloc(count, x_size(s->type));
    for (size_t i = 0; values && i < count; i++)
        store(s->type, is_weight, values, i, value_at(s->type, is_weight, i));
    return values;
}

/* How many sums differ from those in double: at all in i32, by more than rounding of
 * Σ|x·w| else. */
static int count_wrong(const cpu_dnnl_shape *s, const void *x, const void *weight,
                       const void *sums)
{
    int wrong = 0;
    for (int r = 0; r < s->rows; r++)
        for (int c = 0; c < s->n; c++) {
            double sum = 0, size = 0;
            for (int i = 0; i < s->k; i++) {
                double term =
                    (double)load(s->type, false, x, (size_t)r * s->x_stride + (size_t)i) *
                    (double)load(s->type, true, weight, (size_t)c * s->k + (size_t)i);
                sum += term;
                size += fabs(term);
            }
            size_t at = (size_t)r * (size_t)s->n + (size_t)c;
            if (s->type == CPU_DNNL_U8_I8)
                wrong += ((const int32_t *)sums)[at] != (int32_t)sum;
            else
                wrong += fabs((double)((const float *)sums)[at] - sum) > 1e-6 * size;
        }
    return wrong;
}

static void check_product(cpu_dnnl *dnnl, const cpu_dnnl_shape *s)
{
    size_t n_sums = (size_t)s->rows * (size_t)s->n;
    void *x = make_values(s, false, (size_t)s->rows * s->x_stride);
    void *weight = make_values(s, true, (size_t)s->n * (size_t)s->k);
    void *copy = make_values(s, true, (size_t)s->n * (size_t)s->k);
    int32_t *sums = calloc(n_sums + 1, sizeof(*sums));
    REQUIRE(x && weight && copy && sums);
    cpu_dnnl_product *product = cpu_dnnl_product_create(dnnl, s, weight);
    REQUIRE(product);
    void *scratch = aligned_alloc(64, cpu_dnnl_scratch_bytes(product) + 64);
    REQUIRE(scratch);
    memset(weight, 1, (size_t)s->n * (size_t)s->k * x_size(s->type));
    for (int thread = 0; thread < THREADS; thread++) {
        memset(sums, 0x55, (n_sums + 1) * sizeof(*sums));
        EXPECT(cpu_dnnl_run(product, thread, x, sums, scratch));
        EXPECT_INT(count_wrong(s, x, copy, sums), 0);
        EXPECT_INT(sums[n_sums], 0x55555555);
    }
    cpu_dnnl_product_destroy(&product);
    EXPECT(!product);
    free(scratch);
    free(sums);
    free(copy);
    free(weight);
    free(x);
}

static void check_type(cpu_dnnl_type type)
{
    cpu_dnnl *dnnl = open_best();
    if (!dnnl || !cpu_dnnl_is_exact(dnnl, type)) {
        printf("# not on this oneDNN\n");
        cpu_dnnl_destroy(&dnnl);
        return;
    }
    for (int i = 0; i < N_SHAPES; i++) {
        cpu_dnnl_shape shape = shapes[i];
        shape.type = type;
        check_product(dnnl, &shape);
    }
    cpu_dnnl_destroy(&dnnl);
}

TEST(f32_products)
{
    check_type(CPU_DNNL_F32);
}

TEST(bf16_products)
{
    check_type(CPU_DNNL_BF16);
}

TEST(extreme_int8_sums_are_exact)
{
    check_type(CPU_DNNL_U8_I8);
}

/* A limit comes too late once oneDNN was used with a better instruction set. */
TEST(a_late_limit_rules_it_out)
{
    cpu_dnnl *best = open_best();
    cpu_dnnl *limited = cpu_dnnl_create(ASR_CPU_ISA_BASELINE, true, 1);
    EXPECT(!limited);
    cpu_dnnl_destroy(&limited);
    cpu_dnnl_destroy(&best);
}

enum { ROWS = 300, COLS = 131, OUTPUTS = 83 };

/* x · weightᵀ + bias of one sinusoid each, in double. */
static float expected(int row, int output)
{
    double sum = output;
    for (int i = 0; i < COLS; i++)
        sum += (double)sinf((float)(row * COLS + i)) *
               (double)cosf((float)(output * COLS + i));
    return (float)sum;
}

static asr_tensor *leaf(asr_graph *graph, asr_buffer *buffer)
{
    return buffer ? asr_graph_leaf(graph, buffer) : NULL;
}

/* Rows beyond the last whole block, a weight that a plan of few rows uses too, before or
 * after. */
static void check_large(int first_rows, int second_rows)
{
    static float x[ROWS * COLS], weight[OUTPUTS * COLS], bias[OUTPUTS], y[ROWS * OUTPUTS];
    for (int i = 0; i < ROWS * COLS; i++)
        x[i] = sinf((float)i);
    for (int i = 0; i < OUTPUTS * COLS; i++)
        weight[i] = cosf((float)i);
    for (int i = 0; i < OUTPUTS; i++)
        bias[i] = (float)i;
    asr_error error = {""};
    asr_backend *backend = asr_cpu_create(&(asr_cpu_params){.n_threads = 2}, &error);
    REQUIRE(backend);
    asr_buffer *w = asr_weight_create(
        backend, &(asr_matrix){ASR_F32, OUTPUTS, COLS, weight, NULL}, &error);
    asr_buffer *b = asr_weight_create(
        backend, &(asr_matrix){ASR_F32, 1, OUTPUTS, bias, NULL}, &error);
    int rows[] = {first_rows, second_rows};
    asr_buffer *in[2], *out[2];
    asr_plan *plan[2];
    for (int p = 0; p < 2; p++) {
        in[p] =
            asr_buffer_create(backend, ASR_F32, rows[p], COLS, ASR_USAGE_HOST, &error);
        out[p] =
            asr_buffer_create(backend, ASR_F32, rows[p], OUTPUTS, ASR_USAGE_HOST, &error);
        asr_graph *graph = asr_graph_create();
        REQUIRE(graph && in[p] && out[p]);
        asr_tensor *result = asr_graph_linear(graph, leaf(graph, in[p]), leaf(graph, w),
                                              leaf(graph, b), ASR_ACT_NONE, NULL);
        asr_graph_store(graph, result, leaf(graph, out[p]), NULL);
        plan[p] = asr_plan_create(backend, &graph, &error);
        REQUIRE(plan[p]);
    }
    for (int p = 0; p < 2; p++) {
        int wrong = 0;
        EXPECT(asr_buffer_write(in[p], 0, rows[p], x, &error));
        EXPECT(asr_plan_run(plan[p], &error));
        EXPECT(asr_buffer_read(out[p], 0, rows[p], y, &error));
        for (int i = 0; i < rows[p] * OUTPUTS; i++)
            wrong += !(fabsf(y[i] - expected(i / OUTPUTS, i % OUTPUTS)) < 1e-4f);
        EXPECT_INT(wrong, 0);
    }
    for (int p = 0; p < 2; p++) {
        asr_plan_destroy(&plan[p]);
        asr_buffer_destroy(&in[p]);
        asr_buffer_destroy(&out[p]);
    }
    asr_buffer_destroy(&b);
    asr_buffer_destroy(&w);
    asr_backend_destroy(&backend);
}

TEST(large_products_beside_small_ones)
{
    check_large(ROWS, 5);
    check_large(5, ROWS);
    check_large(ROWS, ROWS - 1);
}

int main(void)
{
    RUN(f32_products);
    RUN(bf16_products);
    RUN(extreme_int8_sums_are_exact);
    RUN(a_late_limit_rules_it_out);
    RUN(large_products_beside_small_ones);
    return test_end();
}
