/* Leaves and operands of a case: what they hold, and how the graph sees them. */
#include "check.h"
#include "graph/half.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void *check_allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory) {
        printf("Bail out! There is not enough memory.\n");
        exit(EXIT_FAILURE);
    }
    return memory;
}

const char *check_dtype_name(asr_dtype dtype)
{
    static const char *const names[] = {
        [ASR_F32] = "f32", [ASR_F16] = "f16", [ASR_BF16] = "bf16",
        [ASR_I8] = "i8",   [ASR_I32] = "i32",
    };
    return names[dtype];
}

float check_round(asr_dtype dtype, float value)
{
    if (dtype == ASR_F16)
        return asr_f16_to_f32(asr_f32_to_f16(value));
    if (dtype == ASR_BF16)
        return asr_bf16_to_f32(asr_f32_to_bf16(value));
    return value;
}

static check_leaf *new_leaf(check_case *c, asr_dtype dtype, int rows, int cols)
{
    assert(c->n_leaves < CHECK_MAX_LEAVES);
    check_leaf *leaf = &c->leaves[c->n_leaves++];
    size_t count = (size_t)rows * (size_t)cols;
    leaf->matrix = (asr_matrix){dtype, rows, cols, NULL, NULL};
    leaf->matrix.data = check_allocate(count, asr_dtype_size(dtype));
    if (dtype == ASR_I8)
        leaf->matrix.scales = check_allocate((size_t)rows, sizeof(float));
    leaf->usage =
        dtype == ASR_I32 || check_random(c->run) % 2 ? ASR_USAGE_HOST : ASR_USAGE_STATE;
    return leaf;
}

check_leaf *check_weight(check_case *c, asr_dtype dtype, int rows, int cols)
{
    check_leaf *leaf = new_leaf(c, dtype, rows, cols);
    leaf->is_weight = true;
    return leaf;
}

check_leaf *check_input(check_case *c, asr_dtype dtype, int rows, int cols, bool sampled)
{
    check_leaf *leaf = new_leaf(c, dtype, rows, cols);
    leaf->is_sampled = sampled && c->n_sample > 0;
    return leaf;
}

check_leaf *check_output(check_case *c, asr_dtype dtype, int rows, int cols)
{
    check_leaf *leaf = new_leaf(c, dtype, rows, cols);
    leaf->is_output = true;
    return leaf;
}

float *check_leaf_floats(check_leaf *leaf)
{
    assert(leaf->matrix.dtype == ASR_F32);
    return (float *)(uintptr_t)leaf->matrix.data;
}

int32_t *check_leaf_ints(check_leaf *leaf)
{
    assert(leaf->matrix.dtype == ASR_I32);
    return (int32_t *)(uintptr_t)leaf->matrix.data;
}

float check_leaf_value(const check_leaf *leaf, int row, int col)
{
    const asr_matrix *m = &leaf->matrix;
    size_t i = (size_t)row * (size_t)m->cols + (size_t)col;
    switch (m->dtype) {
    case ASR_F32:
        return ((const float *)m->data)[i];
    case ASR_F16:
        return asr_f16_to_f32(((const uint16_t *)m->data)[i]);
    case ASR_BF16:
        return asr_bf16_to_f32(((const uint16_t *)m->data)[i]);
    case ASR_I8:
        return (float)((const int8_t *)m->data)[i] * m->scales[row];
    case ASR_I32:
        return (float)((const int32_t *)m->data)[i];
    }
    return 0;
}

static void set_value(check_leaf *leaf, size_t i, float value)
{
    void *data = (void *)(uintptr_t)leaf->matrix.data;
    if (leaf->matrix.dtype == ASR_F16)
        ((uint16_t *)data)[i] = asr_f32_to_f16(value);
    else if (leaf->matrix.dtype == ASR_BF16)
        ((uint16_t *)data)[i] = asr_f32_to_bf16(value);
    else
        ((float *)data)[i] = value;
}

static float random_value(check_run *run, check_fill fill, bool huge_row, float equal)
{
    switch (fill) {
    case CHECK_NORMAL:
        return check_random_normal(run);
    case CHECK_EQUAL:
        return equal;
    case CHECK_HUGE_ROW:
        return check_random_normal(run) * (huge_row ? 4096.0f : 1.0f / 4096.0f);
    case CHECK_MAX:
        return check_random(run) % 2 ? 32752.0f : -32752.0f;
    case CHECK_DENORMAL:
        return check_random_normal(run) * 1e-40f;
    case CHECK_ZERO:
    case CHECK_FILLS:
        break;
    }
    return 0;
}

/* i8: every value occurs but −128, which the quantiser never makes. */
static void fill_int8(check_run *run, check_leaf *leaf, check_fill fill)
{
    size_t cols = (size_t)leaf->matrix.cols;
    int8_t *data = (int8_t *)(uintptr_t)leaf->matrix.data;
    float *scales = (float *)(uintptr_t)leaf->matrix.scales;
    for (size_t row = 0; row < (size_t)leaf->matrix.rows; row++) {
        scales[row] = 0.02f * expf(check_random_normal(run)) / sqrtf((float)cols);
        for (size_t i = 0; i < cols; i++)
            data[row * cols + i] = (int8_t)check_random_int(run, -127, 127);
        if (fill == CHECK_MAX)
            for (size_t i = 0; i < cols; i++)
                data[row * cols + i] = check_random(run) % 2 ? 127 : -127;
        if (fill == CHECK_ZERO)
            for (size_t i = 0; i < cols; i++)
                data[row * cols + i] = 0;
    }
}

void check_leaf_fill(check_case *c, check_leaf *leaf, check_fill fill, asr_dtype round_to)
{
    const asr_matrix *m = &leaf->matrix;
    if (m->dtype == ASR_I8) {
        fill_int8(c->run, leaf, fill);
        return;
    }
    int huge = check_random_int(c->run, 0, m->rows - 1);
    float equal = check_random_normal(c->run);
    size_t i = 0;
    for (int row = 0; row < m->rows; row++)
        for (int col = 0; col < m->cols; col++) {
            float value = random_value(c->run, fill, row == huge, equal);
            set_value(leaf, i++, check_round(round_to, value));
        }
}

void check_leaf_fill_scaled(check_case *c, check_leaf *leaf, float deviation)
{
    if (leaf->matrix.dtype == ASR_I8) {
        fill_int8(c->run, leaf, CHECK_NORMAL);
        return;
    }
    size_t count = (size_t)leaf->matrix.rows * (size_t)leaf->matrix.cols;
    for (size_t i = 0; i < count; i++)
        set_value(leaf, i, deviation * check_random_normal(c->run));
}

void check_leaf_scale(check_leaf *leaf, float factor)
{
    float *data = check_leaf_floats(leaf);
    size_t count = (size_t)leaf->matrix.rows * (size_t)leaf->matrix.cols;
    for (size_t i = 0; i < count; i++)
        data[i] *= factor;
}

check_operand check_operand_new(check_case *c, int rows, int cols, bool contiguous)
{
    check_operand x = {.cols = cols};
    int form = check_random_int(c->run, 0, contiguous ? 1 : 2);
    int room = 0;
    if (form == CHECK_AS_COLUMNS) {
        x.first_col = check_random_int(c->run, 0, 9);
        room = check_random_int(c->run, 0, 9);
    }
    x.form = form;
    x.leaf = check_input(c, ASR_F32, rows, x.first_col + cols + room, true);
    if (form == CHECK_AS_LEAF)
        check_describe(c, " leaf");
    else if (form == CHECK_AS_COMPUTED)
        check_describe(c, " computed");
    else
        check_describe(c, " columns %d…%d of %d", x.first_col, x.first_col + cols,
                       x.leaf->matrix.cols);
    return x;
}

float check_operand_value(const check_operand *x, int row, int col)
{
    float value = check_leaf_value(x->leaf, row, x->first_col + col);
    return x->form == CHECK_AS_LEAF ? value : 2 * value;
}

asr_tensor *check_use(const check_graph *g, check_leaf *leaf)
{
    return leaf ? asr_graph_leaf(g->graph, leaf->buffer[g->side]) : NULL;
}

asr_tensor *check_operand_use(const check_graph *g, const check_operand *x)
{
    if (!x->leaf)
        return NULL;
    asr_tensor *leaf = check_use(g, x->leaf);
    if (x->form == CHECK_AS_LEAF)
        return leaf;
    asr_tensor *sum = asr_graph_add(g->graph, leaf, leaf);
    if (x->form == CHECK_AS_COMPUTED)
        return sum;
    return asr_graph_columns(g->graph, sum, x->first_col, x->cols);
}
