/* A model's computation, described once.
 *
 * Everything is a matrix [rows, cols], row-major; `row_stride` elements separate rows, so
 * a slice of columns is a view. Activations are f32. A graph is a list of nodes in the
 * order they were added, which is the order they run in; a backend compiles it into a
 * plan (backend.h) and runs that any number of times.
 *
 * Leaves are buffers of a backend: weights, KV caches, and what the host writes before a
 * run or reads after it. A value that changes from run to run (token, position, length)
 * is read from a buffer, never baked into the graph, so that one plan serves every step.
 *
 * Shapes are checked when a node is added: a wrong shape is the programmer's mistake and
 * asserts. A model's files are checked before (weights/binding.h). The only other failure
 * is lack of memory: it is remembered, builders then return a harmless node, and
 * asr_graph_finish() reports it once.
 *
 * Thread safety: a graph belongs to one thread while it is built; finished, it is
 * read-only. */
#ifndef ASR_GRAPH_H
#define ASR_GRAPH_H

#include "error.h"

#include <stddef.h>
#include <stdint.h>

typedef enum asr_dtype {
    ASR_F32,
    ASR_F16,
    ASR_BF16,
    ASR_I8, /* weights only: signed, one f32 scale per row */
    ASR_I32,
} asr_dtype;

/* Bytes of one element. */
size_t asr_dtype_size(asr_dtype dtype);

typedef enum asr_op {
    ASR_OP_LEAF,
    ASR_OP_COLUMNS,
    ASR_OP_LINEAR,
    ASR_OP_CONV1D,
    ASR_OP_LAYER_NORM,
    ASR_OP_ADD,
    ASR_OP_ROWS,
    ASR_OP_STORE,
    ASR_OP_ATTENTION,
    ASR_OP_ATTENTION_CACHED,
    ASR_OP_ATTENTION_WEIGHTS,
    ASR_OP_PICK,
    ASR_OP_COUNT,
} asr_op;

typedef enum asr_activation {
    ASR_ACT_NONE,
    ASR_ACT_GELU, /* exact: x/2 (1 + erf(x/√2)) */
    ASR_ACT_RELU,
    ASR_ACT_SILU,
} asr_activation;

/* Columns of a row of the `rules` buffer of ASR_OP_PICK, all i32. */
enum {
    ASR_RULE_MASK,  /* row of the mask buffer that is added to the logits; -1: none */
    ASR_RULE_LOW_0, /* tokens in [LOW_0, HIGH_0) or [LOW_1, HIGH_1) may be picked */
    ASR_RULE_HIGH_0,
    ASR_RULE_LOW_1,
    ASR_RULE_HIGH_1,
    ASR_RULE_FLAGS,       /* ASR_PICK_… */
    ASR_RULE_SEED,        /* of the noise when the temperature is above 0 */
    ASR_RULE_TEMPERATURE, /* the bits of an f32; 0: arg-max */
    ASR_RULE_COUNT,
};

/* When the probabilities of interval 1 add up to more than the most probable token of
 * interval 0, only interval 1 may be picked (Whisper's timestamp rule). */
#define ASR_PICK_MASS_RULE 1
/* Log-probabilities are over the whole vocabulary without mask, not over what may be
 * picked. */
#define ASR_PICK_NORMALISE_ALL 2

/* The largest k of ASR_OP_PICK. */
#define ASR_PICK_MAX 16

typedef struct asr_buffer asr_buffer; /* backend.h */
typedef struct asr_tensor asr_tensor;
typedef struct asr_graph asr_graph;

/* Sources by operation (NULL where optional and absent):
 *   LINEAR             x, weight, bias?, residual?
 *   CONV1D             x, weight, bias?
 *   LAYER_NORM         x, gain, bias
 *   ADD                a, b
 *   ROWS               table, index
 *   STORE              x, buffer, slot?
 *   ATTENTION          q, k, v
 *   ATTENTION_CACHED   q, k, v, table, length
 *   ATTENTION_WEIGHTS  q, k, heads
 *   PICK               logits, mask, rules, ids, scores            */
#define ASR_MAX_SRC 5

struct asr_tensor {
    asr_op op;
    asr_dtype dtype;
    int rows, cols;
    int row_stride; /* elements */
    asr_tensor *src[ASR_MAX_SRC];
    asr_buffer *buffer;  /* LEAF: borrowed */
    asr_tensor *view_of; /* COLUMNS: the matrix this is a slice of */
    int first_col;       /* COLUMNS: where the slice begins */
    size_t arena_offset; /* bytes; set by asr_graph_finish() for computed matrices */
    int last_use;        /* index of the last node that reads this one's memory */
    asr_activation act;  /* LINEAR, CONV1D */
    int kernel, stride;  /* CONV1D */
    int pad;             /* CONV1D: zero rows before and after x */
    int n_heads;         /* ATTENTION…: of q */
    int n_kv_heads; /* ATTENTION…: of k and v; q head h uses h·n_kv_heads/n_heads */
    float scale;    /* ATTENTION…: of q·k */
    float eps;      /* LAYER_NORM */
    int k;          /* PICK */
};

/* NULL without memory. */
asr_graph *asr_graph_create(void);
void asr_graph_destroy(asr_graph **graph);

/* A buffer's contents. The buffer must outlive every plan made from the graph. */
asr_tensor *asr_graph_leaf(asr_graph *graph, asr_buffer *buffer);

/* Columns [first, first + count) of x, without copying. */
asr_tensor *asr_graph_columns(asr_graph *graph, asr_tensor *x, int first, int count);

/* act(x·Wᵀ + bias) + residual: x [R, K], weight leaf [N, K], bias leaf [1, N], residual
 * [R, N] → [R, N]. With an i8 weight each row of x is quantised to q = round(x/s),
 * s = max|x|/127 (nearest, ties to even; a zero row stays zero), and the sum is exact in
 * i32 before both scales are applied. */
asr_tensor *asr_graph_linear(asr_graph *graph, asr_tensor *x, asr_tensor *weight,
                             asr_tensor *bias, asr_activation act, asr_tensor *residual);

/* Convolution over rows (time): x [T, C], weight leaf [N, kernel·C] with the taps'
 * channels side by side, tap 0 first → [(T + 2·pad − kernel)/stride + 1, N]. An i8 weight
 * quantises each patch of kernel·C values as one row. */
asr_tensor *asr_graph_conv1d(asr_graph *graph, asr_tensor *x, asr_tensor *weight,
                             asr_tensor *bias, int kernel, int stride, int pad,
                             asr_activation act);

/* (x − mean)/√(variance + eps)·gain + bias for each row; gain, bias leaves [1, C]. */
asr_tensor *asr_graph_layer_norm(asr_graph *graph, asr_tensor *x, asr_tensor *gain,
                                 asr_tensor *bias, float eps);

/* a + b; b has a's shape, or is a leaf with at least a's rows, of which the first are
 * used. */
asr_tensor *asr_graph_add(asr_graph *graph, asr_tensor *a, asr_tensor *b);

/* Rows of table picked by index [R, 1] i32 → [R, table cols] f32. The table is a leaf of
 * any float dtype or i8. An index outside the table gives a row of zeros. */
asr_tensor *asr_graph_rows(asr_graph *graph, asr_tensor *table, asr_tensor *index);

/* Writes x [R, C] into a leaf's rows: row r to row slot[r], or to row r without `slot`.
 * Converts to the leaf's dtype (f32, f16). A slot outside the leaf is skipped. */
void asr_graph_store(asr_graph *graph, asr_tensor *x, asr_tensor *leaf, asr_tensor *slot);

/* Softmax(scale·q·kᵀ)·v for each head, every row of q seeing every row of k:
 * q [R, H·D], k and v [T, Hkv·D] (computed or leaves) → [R, H·D]. */
asr_tensor *asr_graph_attention(asr_graph *graph, asr_tensor *q, asr_tensor *k,
                                asr_tensor *v, int n_heads, int n_kv_heads, float scale);

/* The same where row r of q sees length[r] rows of the caches k and v (leaves
 * [S, Hkv·D]): rows table[r][0 … length[r]). Rows of the cache can thus be shared between
 * hypotheses and reordered without a copy. table [R, Tmax] and length [R, 1] are i32
 * leaves; entries are clamped to the caches. */
asr_tensor *asr_graph_attention_cached(asr_graph *graph, asr_tensor *q, asr_tensor *k,
                                       asr_tensor *v, asr_tensor *table,
                                       asr_tensor *length, int n_heads, int n_kv_heads,
                                       float scale);

/* Softmax(scale·q·kᵀ) of chosen heads: heads [n, 1] i32 leaf → [n·R, T], head by head. */
asr_tensor *asr_graph_attention_weights(asr_graph *graph, asr_tensor *q, asr_tensor *k,
                                        asr_tensor *heads, int n_heads, int n_kv_heads,
                                        float scale);

/* The k best tokens of each row of logits [R, V] under that row's rules:
 * mask leaf [M, V] f32 (0 or −inf), rules leaf [R, ASR_RULE_COUNT] i32, whose two
 * intervals do not overlap. Writes the leaves ids [R, k] i32 and scores [R, k] f32
 * (natural log-probabilities at temperature 1), best first, ties by lower id; where fewer
 * than k tokens are allowed, id −1 and score −inf. With a temperature t > 0 the order is
 * that of logit/t + g(seed, token), g standard Gumbel noise (asr_pick_noise()), which
 * samples without replacement. */
void asr_graph_pick(asr_graph *graph, asr_tensor *logits, asr_tensor *mask,
                    asr_tensor *rules, asr_tensor *ids, asr_tensor *scores);

/* Standard Gumbel noise for a token: counter-based (32-bit PCG output permutation applied
 * twice), so that every backend draws the same numbers. */
float asr_pick_noise(uint32_t seed, uint32_t token);

/* Ends building: places every computed matrix in one arena, reusing the room of values no
 * longer needed. False when memory ran out while building. */
bool asr_graph_finish(asr_graph *graph, asr_error *error);

/* After asr_graph_finish(): the nodes in order of execution, and the arena's bytes. Views
 * and leaves are among the nodes and cost nothing to run. */
int asr_graph_node_count(const asr_graph *graph);
const asr_tensor *asr_graph_node(const asr_graph *graph, int index);
size_t asr_graph_arena_bytes(const asr_graph *graph);

#endif
