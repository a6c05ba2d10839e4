/* Times the two graphs that a Whisper run consists of, with random weights of the base
 * model's shapes: the encoder over one window, and one step of the decoder.
 *
 *     bench-graph [--precision int8|f16|f32] [--threads N] [--isa N] [--beams N]
 *                 [--repeats N] [--only encoder|step]
 *
 * Prints the fastest and the median time, what that is in operations or bytes a second,
 * and the least processor time of all threads together, which a busy machine distorts
 * less. `--isa` is a value of asr_cpu_isa. */
#include "cpu/cpu.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    N_MELS = 80,
    FRAMES = 3000,
    POSITIONS = FRAMES / 2,
    WIDTH = 512,
    HEADS = 8,
    HIDDEN = 2048,
    LAYERS = 6,
    VOCABULARY = 51865,
    CONTEXT = 448,
    PICKS = 6,
    MAX_WEIGHTS = 512,
};

typedef struct options {
    asr_precision precision;
    asr_cpu_params cpu;
    int beams, repeats;
    const char *only; /* or NULL */
} options;

typedef struct bench {
    options options;
    asr_backend *backend;
    asr_dtype dtype;
    asr_graph *graph;
    asr_buffer *buffers[MAX_WEIGHTS];
    void *data[2 * MAX_WEIGHTS];
    int n_buffers, n_data;
    double operations, bytes; /* of the graph that is being built */
    uint32_t seed;
    asr_buffer *cross_keys[LAYERS], *cross_values[LAYERS];
} bench;

static void stop_if(bool failed, const char *message)
{
    if (failed) {
        fprintf(stderr, "bench-graph: %s\n", message);
        exit(1);
    }
}

static uint32_t next_random(bench *b)
{
    b->seed = b->seed * 1664525u + 1013904223u;
    return b->seed >> 8;
}

static float next_float(bench *b, float range)
{
    return ((float)next_random(b) / 0x1p23f - 1.0f) * range;
}

static void *keep(bench *b, size_t bytes)
{
    stop_if(b->n_data == 2 * MAX_WEIGHTS, "too many weights");
    void *data = calloc(1, bytes);
    stop_if(!data, "no memory");
    return b->data[b->n_data++] = data;
}

static asr_buffer *keep_buffer(bench *b, asr_buffer *buffer, const asr_error *error)
{
    stop_if(!buffer, error->message);
    stop_if(b->n_buffers == MAX_WEIGHTS, "too many buffers");
    return b->buffers[b->n_buffers++] = buffer;
}

static void fill_value(bench *b, asr_dtype dtype, void *data, size_t i, float range)
{
    float x = next_float(b, range);
    switch (dtype) {
    case ASR_I8:
        ((int8_t *)data)[i] = (int8_t)(x / range * 127);
        break;
    case ASR_F16: /* random sign and fraction, exponent of 1/64 */
        ((uint16_t *)data)[i] = (uint16_t)((next_random(b) & 0x83FFu) | 9u << 10);
        break;
    case ASR_BF16:
        ((uint16_t *)data)[i] = (uint16_t)((next_random(b) & 0x807Fu) | 121u << 7);
        break;
    default:
        ((float *)data)[i] = x;
    }
}

static asr_tensor *weight(bench *b, asr_dtype dtype, int rows, int cols)
{
    asr_error error = {""};
    size_t n = (size_t)rows * (size_t)cols;
    void *data = keep(b, n * asr_dtype_size(dtype));
    for (size_t i = 0; i < n; i++)
        fill_value(b, dtype, data, i, 0.05f);
    float *scales = dtype == ASR_I8 ? keep(b, (size_t)rows * sizeof(float)) : NULL;
    for (int i = 0; scales && i < rows; i++)
        scales[i] = 0.05f / 127;
    asr_matrix matrix = {dtype, rows, cols, data, scales};
    return asr_graph_leaf(
        b->graph, keep_buffer(b, asr_weight_create(b->backend, &matrix, &error), &error));
}

static asr_buffer *buffer(bench *b, asr_dtype dtype, int rows, int cols)
{
    asr_error error = {""};
    return keep_buffer(
        b, asr_buffer_create(b->backend, dtype, rows, cols, ASR_USAGE_STATE, &error),
        &error);
}

static asr_tensor *leaf(bench *b, asr_dtype dtype, int rows, int cols)
{
    return asr_graph_leaf(b->graph, buffer(b, dtype, rows, cols));
}

static asr_tensor *layer_norm(bench *b, asr_tensor *x)
{
    return asr_graph_layer_norm(b->graph, x, weight(b, ASR_F32, 1, x->cols),
                                weight(b, ASR_F32, 1, x->cols), 1e-5f);
}

static asr_tensor *linear(bench *b, asr_tensor *x, int n, asr_activation act,
                          asr_tensor *residual)
{
    b->operations += 2.0 * x->rows * x->cols * n;
    b->bytes += (double)x->cols * n * (double)asr_dtype_size(b->dtype);
    return asr_graph_linear(b->graph, x, weight(b, b->dtype, n, x->cols),
                            weight(b, ASR_F32, 1, n), act, residual);
}

static asr_tensor *convolution(bench *b, asr_tensor *x, int stride)
{
    b->operations += 2.0 * x->rows / stride * 3 * x->cols * WIDTH;
    return asr_graph_conv1d(b->graph, x, weight(b, b->dtype, WIDTH, 3 * x->cols),
                            weight(b, ASR_F32, 1, WIDTH), 3, stride, 1, ASR_ACT_GELU);
}

static asr_tensor *feed_forward(bench *b, asr_tensor *x)
{
    asr_tensor *hidden = linear(b, layer_norm(b, x), HIDDEN, ASR_ACT_GELU, NULL);
    return linear(b, hidden, WIDTH, ASR_ACT_NONE, x);
}

static asr_tensor *encoder_layer(bench *b, asr_tensor *x)
{
    asr_tensor *qkv = linear(b, layer_norm(b, x), 3 * WIDTH, ASR_ACT_NONE, NULL);
    asr_tensor *part[3];
    for (int i = 0; i < 3; i++)
        part[i] = asr_graph_columns(b->graph, qkv, i * WIDTH, WIDTH);
    b->operations += 4.0 * x->rows * x->rows * WIDTH;
    asr_tensor *mixed =
        asr_graph_attention(b->graph, part[0], part[1], part[2], HEADS, HEADS, 0.125f);
    x = linear(b, mixed, WIDTH, ASR_ACT_NONE, x);
    return feed_forward(b, x);
}

static void build_encoder(bench *b)
{
    asr_buffer *mel = buffer(b, ASR_F32, FRAMES, N_MELS);
    float *values = keep(b, sizeof(float) * FRAMES * N_MELS);
    for (int i = 0; i < FRAMES * N_MELS; i++)
        values[i] = next_float(b, 1);
    stop_if(!asr_buffer_write(mel, 0, FRAMES, values, NULL), "write");
    asr_tensor *x = convolution(b, asr_graph_leaf(b->graph, mel), 1);
    x = convolution(b, x, 2);
    x = asr_graph_add(b->graph, x, weight(b, ASR_F32, POSITIONS, WIDTH));
    for (int i = 0; i < LAYERS; i++)
        x = encoder_layer(b, x);
    x = layer_norm(b, x);
    for (int i = 0; i < LAYERS; i++) {
        asr_tensor *kv = linear(b, x, 2 * WIDTH, ASR_ACT_NONE, NULL);
        asr_graph_store(b->graph, asr_graph_columns(b->graph, kv, 0, WIDTH),
                        asr_graph_leaf(b->graph, b->cross_keys[i]), NULL);
        asr_graph_store(b->graph, asr_graph_columns(b->graph, kv, WIDTH, WIDTH),
                        asr_graph_leaf(b->graph, b->cross_values[i]), NULL);
    }
}

/* The integers of a step: hypothesis r at position CONTEXT / 2 with a cache of its own.
 */
typedef struct step_inputs {
    asr_tensor *tokens, *positions, *slots, *table, *length;
} step_inputs;

static asr_tensor *integers(bench *b, int rows, int cols, const int32_t *values)
{
    asr_buffer *x = buffer(b, ASR_I32, rows, cols);
    stop_if(!asr_buffer_write(x, 0, rows, values, NULL), "write");
    return asr_graph_leaf(b->graph, x);
}

static step_inputs make_inputs(bench *b)
{
    int beams = b->options.beams, position = CONTEXT / 2;
    int32_t *values = keep(b, sizeof(int32_t) * (size_t)beams * CONTEXT);
    step_inputs in;
    for (int r = 0; r < beams; r++)
        values[r] = (int32_t)(next_random(b) % VOCABULARY);
    in.tokens = integers(b, beams, 1, values);
    for (int r = 0; r < beams; r++)
        values[r] = position;
    in.positions = integers(b, beams, 1, values);
    for (int r = 0; r < beams; r++)
        values[r] = r * CONTEXT + position;
    in.slots = integers(b, beams, 1, values);
    for (int r = 0; r < beams; r++)
        values[r] = position + 1;
    in.length = integers(b, beams, 1, values);
    for (int i = 0; i < beams * CONTEXT; i++)
        values[i] = i;
    in.table = integers(b, beams, CONTEXT, values);
    return in;
}

static asr_tensor *self_attention(bench *b, asr_tensor *x, const step_inputs *in)
{
    asr_tensor *qkv = linear(b, layer_norm(b, x), 3 * WIDTH, ASR_ACT_NONE, NULL);
    asr_tensor *q = asr_graph_columns(b->graph, qkv, 0, WIDTH);
    asr_tensor *keys = leaf(b, ASR_F16, b->options.beams * CONTEXT, WIDTH);
    asr_tensor *values = leaf(b, ASR_F16, b->options.beams * CONTEXT, WIDTH);
    asr_graph_store(b->graph, asr_graph_columns(b->graph, qkv, WIDTH, WIDTH), keys,
                    in->slots);
    asr_graph_store(b->graph, asr_graph_columns(b->graph, qkv, 2 * WIDTH, WIDTH), values,
                    in->slots);
    asr_tensor *mixed = asr_graph_attention_cached(b->graph, q, keys, values, in->table,
                                                   in->length, HEADS, HEADS, 0.125f);
    return linear(b, mixed, WIDTH, ASR_ACT_NONE, x);
}

static asr_tensor *cross_attention(bench *b, asr_tensor *x, int layer)
{
    asr_tensor *q = linear(b, layer_norm(b, x), WIDTH, ASR_ACT_NONE, NULL);
    asr_tensor *mixed = asr_graph_attention(
        b->graph, q, asr_graph_leaf(b->graph, b->cross_keys[layer]),
        asr_graph_leaf(b->graph, b->cross_values[layer]), HEADS, HEADS, 0.125f);
    b->bytes += 2.0 * POSITIONS * WIDTH * sizeof(uint16_t);
    return linear(b, mixed, WIDTH, ASR_ACT_NONE, x);
}

static void pick(bench *b, asr_tensor *logits)
{
    int beams = b->options.beams;
    int32_t *rules = keep(b, sizeof(int32_t) * (size_t)beams * ASR_RULE_COUNT);
    for (int r = 0; r < beams; r++) {
        int32_t *row = rules + r * ASR_RULE_COUNT;
        row[ASR_RULE_HIGH_0] = VOCABULARY - 1501;
        row[ASR_RULE_LOW_1] = VOCABULARY - 1501;
        row[ASR_RULE_HIGH_1] = VOCABULARY;
        row[ASR_RULE_FLAGS] = ASR_PICK_MASS_RULE;
    }
    asr_graph_pick(b->graph, logits, leaf(b, ASR_F32, 2, VOCABULARY),
                   integers(b, beams, ASR_RULE_COUNT, rules),
                   leaf(b, ASR_I32, beams, PICKS), leaf(b, ASR_F32, beams, PICKS));
}

static void build_step(bench *b)
{
    step_inputs in = make_inputs(b);
    asr_tensor *embedding = weight(b, b->dtype, VOCABULARY, WIDTH);
    asr_tensor *places = weight(b, ASR_F32, CONTEXT, WIDTH);
    asr_tensor *x =
        asr_graph_add(b->graph, asr_graph_rows(b->graph, embedding, in.tokens),
                      asr_graph_rows(b->graph, places, in.positions));
    for (int i = 0; i < LAYERS; i++) {
        x = self_attention(b, x, &in);
        x = cross_attention(b, x, i);
        x = feed_forward(b, x);
    }
    x = layer_norm(b, x);
    b->operations += 2.0 * x->rows * WIDTH * VOCABULARY;
    b->bytes += (double)WIDTH * VOCABULARY * (double)asr_dtype_size(b->dtype);
    pick(b, asr_graph_linear(b->graph, x, embedding, NULL, ASR_ACT_NONE, NULL));
}

static double now_ms(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(bench *b, const char *name, void (*build)(bench *b), int repeats)
{
    asr_error error = {""};
    b->operations = b->bytes = 0;
    b->graph = asr_graph_create();
    stop_if(!b->graph, "no memory");
    build(b);
    double start = now_ms(CLOCK_MONOTONIC);
    asr_plan *plan = asr_plan_create(b->backend, &b->graph, &error);
    stop_if(!plan, error.message);
    double planned = now_ms(CLOCK_MONOTONIC) - start, least_work = 1e9;
    double *times = keep(b, sizeof(double) * (size_t)repeats);
    for (int i = 0; i < repeats; i++) {
        double work = now_ms(CLOCK_PROCESS_CPUTIME_ID);
        start = now_ms(CLOCK_MONOTONIC);
        stop_if(!asr_plan_run(plan, &error), error.message);
        times[i] = now_ms(CLOCK_MONOTONIC) - start;
        work = now_ms(CLOCK_PROCESS_CPUTIME_ID) - work;
        least_work = work < least_work ? work : least_work;
    }
    qsort(times, (size_t)repeats, sizeof(*times), compare);
    printf("%-8s min %8.3f ms  median %8.3f ms  processor %8.3f ms  %7.1f GFLOP/s  "
           "%5.1f GB/s  (plan made in %.1f ms)\n",
           name, times[0], times[repeats / 2], least_work, b->operations / times[0] / 1e6,
           b->bytes / times[0] / 1e6, planned);
    asr_plan_destroy(&plan);
}

static options parse(int argc, char **argv)
{
    static const struct option names[] = {{"precision", required_argument, NULL, 'p'},
                                          {"threads", required_argument, NULL, 't'},
                                          {"isa", required_argument, NULL, 'i'},
                                          {"beams", required_argument, NULL, 'b'},
                                          {"repeats", required_argument, NULL, 'r'},
                                          {"only", required_argument, NULL, 'o'},
                                          {0}};
    options o = {.precision = ASR_PRECISION_INT8, .beams = 5, .repeats = 20};
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (c) {
        case 'p':
            o.precision = !strcmp(optarg, "f32")   ? ASR_PRECISION_F32
                          : !strcmp(optarg, "f16") ? ASR_PRECISION_F16
                                                   : ASR_PRECISION_INT8;
            break;
        case 't':
            o.cpu.n_threads = atoi(optarg);
            break;
        case 'i':
            o.cpu.isa = (asr_cpu_isa)atoi(optarg);
            break;
        case 'b':
            o.beams = atoi(optarg);
            break;
        case 'r':
            o.repeats = atoi(optarg);
            break;
        case 'o':
            o.only = optarg;
            break;
        default:
            exit(2);
        }
    }
    stop_if(o.beams < 1 || o.repeats < 1, "counts begin at 1");
    return o;
}

int main(int argc, char **argv)
{
    asr_error error = {""};
    bench b = {.options = parse(argc, argv), .seed = 1};
    b.backend = asr_cpu_create(&b.options.cpu, &error);
    stop_if(!b.backend, error.message);
    b.dtype = asr_backend_weight_dtype(b.backend, b.options.precision);
    printf("%s\n", asr_backend_description(b.backend));
    for (int i = 0; i < LAYERS; i++) {
        b.cross_keys[i] = buffer(&b, ASR_F16, POSITIONS, WIDTH);
        b.cross_values[i] = buffer(&b, ASR_F16, POSITIONS, WIDTH);
    }
    if (!b.options.only || !strcmp(b.options.only, "encoder"))
        measure(&b, "encoder", build_encoder, b.options.repeats);
    if (!b.options.only || !strcmp(b.options.only, "step"))
        measure(&b, "step", build_step, b.options.repeats * 10);
    for (int i = 0; i < b.n_buffers; i++)
        asr_buffer_destroy(&b.buffers[i]);
    asr_backend_destroy(&b.backend);
    for (int i = 0; i < b.n_data; i++)
        free(b.data[i]);
    return 0;
}
