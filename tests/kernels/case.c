/* The life of a case: description, buffers and plans on both sides, runs. */
#include "check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Failed cases of one function that are told in full. */
#define MOST_DESCRIBED 4

__attribute__((format(printf, 2, 0))) static void append(check_case *c,
                                                         const char *format, va_list args)
{
    size_t used = strlen(c->label);
    vsnprintf(c->label + used, sizeof(c->label) - used, format, args);
}

check_case *check_case_begin(check_run *run, const char *format, ...)
{
    check_case *c = check_allocate(1, sizeof(*c));
    c->run = run;
    va_list args;
    va_start(args, format);
    append(c, format, args);
    va_end(args);
    run->n_cases++;
    return c;
}

void check_describe(check_case *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    append(c, format, args);
    va_end(args);
}

void check_fail(check_case *c, const char *format, ...)
{
    if (!c->failed)
        c->run->n_failures++;
    if (!c->failed && c->run->n_failures <= MOST_DESCRIBED)
        printf("# %s %s: %s; run %d, --seed=%llu\n", c->run->device, c->run->function,
               c->label, c->round, (unsigned long long)c->run->seed);
    c->failed = true;
    if (c->run->n_failures > MOST_DESCRIBED)
        return;
    va_list args;
    va_start(args, format);
    printf("#   ");
    vprintf(format, args);
    printf("\n");
    va_end(args);
}

void check_case_end(check_case **case_)
{
    check_case *c = *case_;
    for (int side = 0; side < CHECK_SIDES; side++) {
        asr_plan_destroy(&c->plan[side]);
        for (int i = 0; i < c->n_leaves; i++)
            asr_buffer_destroy(&c->leaves[i].buffer[side]);
    }
    for (int i = 0; i < c->n_leaves; i++) {
        free((void *)(uintptr_t)c->leaves[i].matrix.data);
        free((void *)(uintptr_t)c->leaves[i].matrix.scales);
    }
    free(c);
    *case_ = NULL;
}

/* The first and last rows, and some between, in order. */
void check_sample_rows(check_case *c, int rows)
{
    c->n_sample = rows < CHECK_MAX_SAMPLE ? rows : CHECK_MAX_SAMPLE;
    for (int i = 0; i < c->n_sample; i++) {
        int first = (int)((int64_t)rows * i / c->n_sample);
        int next = (int)((int64_t)rows * (i + 1) / c->n_sample);
        c->sample[i] = i == 0                 ? 0
                       : i == c->n_sample - 1 ? rows - 1
                                              : check_random_int(c->run, first, next - 1);
    }
}

static bool is_partial(const check_leaf *leaf, int side)
{
    return leaf->is_sampled && side == CHECK_REFERENCE;
}

static bool create_buffer(check_case *c, check_leaf *leaf, int side)
{
    asr_error error = {""};
    asr_backend *backend = c->run->backend[side];
    if (leaf->is_weight)
        leaf->buffer[side] = asr_weight_create(backend, &leaf->matrix, &error);
    else
        leaf->buffer[side] =
            asr_buffer_create(backend, leaf->matrix.dtype,
                              is_partial(leaf, side) ? c->n_sample : leaf->matrix.rows,
                              leaf->matrix.cols, leaf->usage, &error);
    if (!leaf->buffer[side])
        check_fail(c, "A buffer could not be made: %s", error.message);
    return leaf->buffer[side] != NULL;
}

static bool build_side(check_case *c, check_build build, void *data, check_side side)
{
    for (int i = 0; i < c->n_leaves; i++)
        if (!create_buffer(c, &c->leaves[i], side))
            return false;
    asr_error error = {""};
    check_graph g = {c, side, asr_graph_create()};
    if (g.graph) {
        build(&g, data);
        c->plan[side] = asr_plan_create(c->run->backend[side], &g.graph, &error);
    }
    if (!c->plan[side])
        check_fail(c, "The plan could not be made: %s", error.message);
    return c->plan[side] != NULL;
}

bool check_case_build(check_case *c, check_build build, void *data)
{
    return (c->run->bench || build_side(c, build, data, CHECK_REFERENCE)) &&
           build_side(c, build, data, CHECK_TESTED);
}

/* What the leaf holds on one side before a run; free() it. */
static void *contents(const check_case *c, const check_leaf *leaf, int side)
{
    const asr_matrix *m = &leaf->matrix;
    size_t row_bytes = (size_t)m->cols * asr_dtype_size(m->dtype);
    char *data = check_allocate((size_t)m->rows, row_bytes);
    if (leaf->is_output)
        memset(data, CHECK_GUARD_BYTE, (size_t)m->rows * row_bytes);
    else if (is_partial(leaf, side))
        for (int i = 0; i < c->n_sample; i++)
            memcpy(data + (size_t)i * row_bytes,
                   (const char *)m->data + (size_t)c->sample[i] * row_bytes, row_bytes);
    else
        memcpy(data, m->data, (size_t)m->rows * row_bytes);
    return data;
}

/* In two writes, the second beginning amid the rows, as a host writes parts. */
static bool write_leaf(check_case *c, const check_leaf *leaf, int side)
{
    asr_error error = {""};
    asr_buffer *buffer = leaf->buffer[side];
    char *data = contents(c, leaf, side);
    int half = buffer->rows / 2;
    size_t offset = (size_t)half * (size_t)buffer->cols * asr_dtype_size(buffer->dtype);
    bool ok =
        asr_buffer_write(buffer, half, buffer->rows - half, data + offset, &error) &&
        asr_buffer_write(buffer, 0, half, data, &error);
    if (!ok)
        check_fail(c, "A buffer could not be written: %s", error.message);
    free(data);
    return ok;
}

static bool run_side(check_case *c, int side)
{
    asr_error error = {""};
    for (int i = 0; i < c->n_leaves; i++) {
        const check_leaf *leaf = &c->leaves[i];
        bool written = !leaf->is_weight && !(leaf->is_kept && c->round > 1);
        if (written && !write_leaf(c, leaf, side))
            return false;
    }
    if (!asr_plan_run(c->plan[side], &error)) {
        check_fail(c, "The plan could not be run: %s", error.message);
        return false;
    }
    return true;
}

bool check_case_run(check_case *c)
{
    c->round++;
    return (c->run->bench || run_side(c, CHECK_REFERENCE)) && run_side(c, CHECK_TESTED);
}

void *check_leaf_read(check_case *c, const check_leaf *leaf, check_side side)
{
    asr_error error = {""};
    asr_buffer *buffer = leaf->buffer[side];
    size_t row_bytes = (size_t)buffer->cols * asr_dtype_size(buffer->dtype);
    char *data = check_allocate((size_t)buffer->rows, row_bytes);
    int half = buffer->rows / 2;
    if (!asr_buffer_read(buffer, 0, half, data, &error) ||
        !asr_buffer_read(buffer, half, buffer->rows - half,
                         data + (size_t)half * row_bytes, &error))
        check_fail(c, "A buffer could not be read: %s", error.message);
    return data;
}
