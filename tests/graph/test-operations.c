/* What the reference makes of each operation, on inputs small enough to work out by hand.
 */
#include "graph/half.h"
#include "test.h"
#include "workbench.h"

#include <limits.h>

#define EXPECT_ALL(actual, ...)                                                          \
    do {                                                                                 \
        const double test_right[] = {__VA_ARGS__};                                       \
        for (size_t test_i = 0; test_i < sizeof(test_right) / sizeof(double); test_i++)  \
            EXPECT_NEAR((actual)[test_i], test_right[test_i],                            \
                        1e-6 * (1 + fabs(test_right[test_i])));                          \
    } while (0)

TEST(activations)
{
    static const struct {
        double x, gelu, silu;
    } known[] = {
        {-3, -0.00404969409, -0.14227761953},
        {-1, -0.15865525393, -0.26894142137},
        {-0.5, -0.15426876936, -0.1887703344},
        {0, 0, 0},
        {0.5, 0.34573123064, 0.31122966560},
        {1, 0.84134474607, 0.73105857863},
        {3, 2.99595030591, 2.85772238047},
        {50, 50, 50},
        {-50, 0, 0},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        double x = known[i].x;
        EXPECT_NEAR(asr_reference_activate(ASR_ACT_GELU, x), known[i].gelu, 2e-7);
        EXPECT_NEAR(asr_reference_activate(ASR_ACT_SILU, x), known[i].silu, 2e-7);
        EXPECT_NEAR(asr_reference_activate(ASR_ACT_RELU, x), x > 0 ? x : 0, 0);
        EXPECT_NEAR(asr_reference_activate(ASR_ACT_NONE, x), x, 0);
    }
}

TEST(linear_adds_bias_then_activates_then_adds_the_residual)
{
    workbench w = workbench_open();
    static const float x[] = {1, 2, 3, 0, 0, 1}, bias[] = {0.5f, 0},
                       weight[] = {1, 1, 1, -1, -1, -1}, residual[] = {10, 20, 30, 40};
    asr_tensor *y =
        asr_graph_linear(w.graph, workbench_leaf(&w, ASR_F32, 2, 3, x),
                         workbench_weight(&w, ASR_F32, 2, 3, weight, NULL),
                         workbench_weight(&w, ASR_F32, 1, 2, bias, NULL), ASR_ACT_RELU,
                         workbench_leaf(&w, ASR_F32, 2, 2, residual));
    float out[4];
    workbench_result(&w, y, out);
    EXPECT_ALL(out, 16.5, 20, 31.5, 40);
    workbench_close(&w);
}

/* Rows: scale 1 with ties on both sides of zero; scale 1/127 with a tie; zeros; a row so
 * small that its scale is denormal. */
TEST(int8_weights_quantise_each_row)
{
    workbench w = workbench_open();
    static const float x[] = {127, 1.5f, -2.5f, 0.5f, 1, 0.5f,   0,      0,
                              0,   0,    0,     0,    0, 1e-40f, 1e-41f, 0};
    static const int8_t weight[] = {1, 2, 3, 4, -127, 127, 0, -1};
    static const float scales[] = {0.5f, 2}, bias[] = {0.25f, 0};
    asr_tensor *y = asr_graph_linear(w.graph, workbench_leaf(&w, ASR_F32, 4, 4, x),
                                     workbench_weight(&w, ASR_I8, 2, 4, weight, scales),
                                     workbench_weight(&w, ASR_F32, 1, 2, bias, NULL),
                                     ASR_ACT_NONE, NULL);
    float out[8];
    workbench_result(&w, y, out);
    EXPECT_ALL(out, (127 + 4 - 6) * 0.5 + 0.25, 2 * (127 * -127 + 2 * 127),
               (127 + 2 * 64) / 127.0 * 0.5 + 0.25, 2 * (-127 * 127 + 64 * 127) / 127.0,
               0.25, 0, 0.25, 0);
    workbench_close(&w);
}

static void run_conv1d(const float *x, int rows, int channels, const float *weight,
                       const int k[3], float *out)
{
    workbench w = workbench_open();
    asr_tensor *y =
        asr_graph_conv1d(w.graph, workbench_leaf(&w, ASR_F32, rows, channels, x),
                         workbench_weight(&w, ASR_F32, 1, k[0] * channels, weight, NULL),
                         NULL, k[0], k[1], k[2], ASR_ACT_NONE);
    workbench_result(&w, y, out);
    workbench_close(&w);
}

TEST(conv1d_pads_and_strides)
{
    static const float line[] = {1, 2, 3, 4}, digits[] = {1, 10, 100, 1000};
    float out[4];
    run_conv1d(line, 4, 1, digits, (int[]){3, 1, 1}, out);
    EXPECT_ALL(out, 210, 321, 432, 43);
    run_conv1d(line, 4, 1, digits, (int[]){3, 2, 1}, out);
    EXPECT_ALL(out, 210, 432);
    run_conv1d(line, 4, 1, digits, (int[]){3, 1, 0}, out);
    EXPECT_ALL(out, 321, 432);
    static const float pairs[] = {1, 2, 3, 4, 5, 6};
    run_conv1d(pairs, 3, 2, digits, (int[]){2, 1, 0}, out);
    EXPECT_ALL(out, 4321, 6543);
    run_conv1d(pairs, 3, 2, digits, (int[]){2, 3, 1}, out);
    EXPECT_ALL(out, 2100, 65);
}

TEST(layer_norm_scales_each_row)
{
    workbench w = workbench_open();
    static const float x[] = {1, 2, 3, 4, 7, 7, 7, 7}, gain[] = {1, 3, 6, 1},
                       bias[] = {0, 0, 1, 0.5f};
    asr_tensor *y =
        asr_graph_layer_norm(w.graph, workbench_leaf(&w, ASR_F32, 2, 4, x),
                             workbench_weight(&w, ASR_F32, 1, 4, gain, NULL),
                             workbench_weight(&w, ASR_F32, 1, 4, bias, NULL), 1);
    float out[8]; /* variance 1.25, and eps 1: the deviation is 1.5 */
    workbench_result(&w, y, out);
    EXPECT_ALL(out, -1, -1, 3, 1.5, 0, 0, 1, 0.5);
    workbench_close(&w);
}

TEST(add_uses_the_first_rows_of_a_longer_leaf)
{
    workbench w = workbench_open();
    static const float a[] = {1, 2, 3, 4}, b[] = {10, 20, 30, 40, 50, 60};
    asr_tensor *y = asr_graph_add(w.graph, workbench_leaf(&w, ASR_F32, 2, 2, a),
                                  workbench_leaf(&w, ASR_F32, 3, 2, b));
    float out[4];
    workbench_result(&w, y, out);
    EXPECT_ALL(out, 11, 22, 33, 44);
    workbench_close(&w);
}

TEST(rows_outside_the_table_are_zero)
{
    workbench w = workbench_open();
    static const int8_t table[] = {1, 2, -3, 4};
    static const float scales[] = {0.5f, 10};
    static const int32_t index[] = {1, -1, 0, 2, INT_MIN, INT_MAX};
    asr_tensor *y =
        asr_graph_rows(w.graph, workbench_weight(&w, ASR_I8, 2, 2, table, scales),
                       workbench_leaf(&w, ASR_I32, 6, 1, index));
    float out[12];
    workbench_result(&w, y, out);
    EXPECT_ALL(out, -30, 40, 0, 0, 0.5, 1, 0, 0, 0, 0, 0, 0);
    workbench_close(&w);
}

TEST(store_converts_and_skips_slots_outside)
{
    workbench w = workbench_open();
    static const float x[] = {1.5f, 2, 3, 4, 5, 6, 7, 8};
    static const int32_t slot[] = {2, 3, -1, 0};
    static const uint16_t before[] = {1, 2, 3, 4, 5, 6};
    asr_buffer *out = workbench_buffer(&w, ASR_F16, 3, 2, before);
    asr_graph_store(w.graph, workbench_leaf(&w, ASR_F32, 4, 2, x),
                    asr_graph_leaf(w.graph, out),
                    workbench_leaf(&w, ASR_I32, 4, 1, slot));
    workbench_run(&w);
    uint16_t after[6];
    workbench_read(&w, out, after);
    static const uint16_t right[] = {0x4700, 0x4800, 3,
                                     4,      0x3E00, 0x4000}; /* 7 8 … 1.5 2 */
    EXPECT(memcmp(after, right, sizeof(right)) == 0);
    workbench_close(&w);
}

/* Four heads of one value over two heads of keys. q of zero weighs all keys alike; with
 * scale·q = ln 3 a key of 1 weighs three times a key of 0. */
TEST(attention_shares_keys_among_groups_of_heads)
{
    workbench w = workbench_open();
    static const float ln3 = 1.0986123f;
    const float q[] = {0, 2 * ln3, 2 * ln3, 0}, k[] = {0, 1, 1, 0}, v[] = {1, 10, 3, 30};
    asr_tensor *y = asr_graph_attention(w.graph, workbench_leaf(&w, ASR_F32, 1, 4, q),
                                        workbench_leaf(&w, ASR_F32, 2, 2, k),
                                        workbench_leaf(&w, ASR_F32, 2, 2, v), 4, 2, 0.5f);
    float out[4];
    workbench_result(&w, y, out);
    EXPECT_ALL(out, 2, 2.5, 15, 20);
    workbench_close(&w);
}

TEST(attention_stands_enormous_scores)
{
    workbench w = workbench_open();
    static const float q[] = {1e15f, -1e15f}, k[] = {1e15f, -1e15f, 0}, v[] = {1, 2, 4};
    asr_tensor *y = asr_graph_attention(w.graph, workbench_leaf(&w, ASR_F32, 2, 1, q),
                                        workbench_leaf(&w, ASR_F32, 3, 1, k),
                                        workbench_leaf(&w, ASR_F32, 3, 1, v), 1, 1, 1);
    float out[2];
    workbench_result(&w, y, out);
    EXPECT_ALL(out, 1, 2);
    workbench_close(&w);
}

/* q is zero: each row's result is the mean of the rows of v that its table lists. */
TEST(attention_cached_sees_what_the_table_lists)
{
    workbench w = workbench_open();
    static const float q[6] = {0}, k[] = {5, 6, 7, 8}, v[] = {1, 2, 4, 8};
    static const int32_t table[] = {3, 1, 0, 3, 1, 0, 3,  1,  0,
                                    3, 1, 0, 2, 2, 2, -7, 99, INT_MIN};
    static const int32_t length[] = {2, 0, 9, -1, 3, 3};
    asr_tensor *y = asr_graph_attention_cached(
        w.graph, workbench_leaf(&w, ASR_F32, 6, 1, q),
        workbench_leaf(&w, ASR_F32, 4, 1, k), workbench_leaf(&w, ASR_F32, 4, 1, v),
        workbench_leaf(&w, ASR_I32, 6, 3, table),
        workbench_leaf(&w, ASR_I32, 6, 1, length), 1, 1, 1);
    float out[6];
    workbench_result(&w, y, out);
    EXPECT_ALL(out, 5, 0, 11 / 3.0, 0, 4, 10 / 3.0);
    workbench_close(&w);
}

TEST(attention_weights_come_head_by_head)
{
    workbench w = workbench_open();
    static const float ln3 = 1.0986123f;
    const float q[] = {0, ln3, ln3, 0}, k[] = {0, 0, 1, 1};
    static const int32_t heads[] = {1, 0, 1};
    asr_tensor *y =
        asr_graph_attention_weights(w.graph, workbench_leaf(&w, ASR_F32, 2, 2, q),
                                    workbench_leaf(&w, ASR_F32, 2, 2, k),
                                    workbench_leaf(&w, ASR_I32, 3, 1, heads), 2, 2, 1);
    float out[12];
    workbench_result(&w, y, out);
    EXPECT_ALL(out, 0.25, 0.75, 0.5, 0.5, 0.5, 0.5, 0.25, 0.75, 0.25, 0.75, 0.5, 0.5);
    workbench_close(&w);
}

/* What a plan reads from buffers may change between its runs. */
TEST(a_plan_runs_again_with_new_inputs)
{
    workbench w = workbench_open();
    asr_buffer *x = workbench_buffer(&w, ASR_F32, 1, 2, NULL);
    asr_buffer *out = workbench_buffer(&w, ASR_F32, 1, 2, NULL);
    asr_tensor *leaf = asr_graph_leaf(w.graph, x);
    asr_graph_store(w.graph, asr_graph_add(w.graph, leaf, leaf),
                    asr_graph_leaf(w.graph, out), NULL);
    for (int i = 1; i <= 3; i++) {
        const float data[] = {(float)i, -(float)i};
        float doubled[2];
        workbench_require(&w, asr_buffer_write(x, 0, 1, data, &w.error));
        workbench_run(&w);
        workbench_read(&w, out, doubled);
        EXPECT_ALL(doubled, 2 * i, -2 * i);
    }
    workbench_close(&w);
}

int main(void)
{
    RUN(activations);
    RUN(linear_adds_bias_then_activates_then_adds_the_residual);
    RUN(int8_weights_quantise_each_row);
    RUN(conv1d_pads_and_strides);
    RUN(layer_norm_scales_each_row);
    RUN(add_uses_the_first_rows_of_a_longer_leaf);
    RUN(rows_outside_the_table_are_zero);
    RUN(store_converts_and_skips_slots_outside);
    RUN(attention_shares_keys_among_groups_of_heads);
    RUN(attention_stands_enormous_scores);
    RUN(attention_cached_sees_what_the_table_lists);
    RUN(attention_weights_come_head_by_head);
    RUN(a_plan_runs_again_with_new_inputs);
    return test_end();
}
