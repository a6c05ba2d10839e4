/* Every operation of every backend against the reference, and their benchmarks.
 *
 *     test-kernels [--seed=N] [--device=PATTERN] [--function=PATTERN] [--bench] [--list]
 *
 * A pattern is a beginning or a glob: "linear", "attention*f16". The seed is printed, and
 * each function draws its numbers from the seed and its own name: what fails among all
 * fails alone. */
#include "check.h"
#include "device.h"
#include "peak.h"
#include "reference/reference.h"
#include "test.h"

#include <fnmatch.h>
#include <time.h>
#include <unistd.h>

/* The validation layer leaks, and is gone when LeakSanitizer would look for its name: the
 * sanitizers' pass does without. */
#ifdef __SANITIZE_ADDRESS__
#define IS_SANITIZED true
#else
#define IS_SANITIZED false
#endif

/* Which weights a function is run with. */
typedef enum variants {
    ONCE,    /* it has none */
    WEIGHTS, /* whatever the backend asks for at each precision */
    TABLES,  /* any */
    STORED,  /* what ASR_OP_STORE converts to */
} variants;

static const struct {
    const char *name;
    void (*run)(check_run *run, asr_dtype dtype);
    variants variants;
    bool has_bench;
} functions[] = {
    {"linear", check_linear, WEIGHTS, true},
    {"conv1d", check_conv1d, WEIGHTS, true},
    {"layer_norm", check_layer_norm, ONCE, true},
    {"add", check_add, ONCE, false},
    {"rows", check_rows, TABLES, false},
    {"store", check_store, STORED, false},
    {"attention", check_attention, ONCE, true},
    {"attention_cached", check_attention_cached, ONCE, true},
    {"attention_weights", check_attention_weights, ONCE, false},
    {"pick", check_pick, ONCE, true},
    {"encoder_block", check_encoder_block, WEIGHTS, false},
    {"decoder_step", check_decoder_step, WEIGHTS, false},
};
#define N_FUNCTIONS (sizeof(functions) / sizeof(functions[0]))

typedef struct options {
    uint64_t seed;
    const char *device, *function;
    bool bench, list;
    double peak_flops, peak_bytes;
} options;

static bool parse_options(options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        if (strncmp(a, "--seed=", 7) == 0)
            o->seed = strtoull(a + 7, NULL, 0);
        else if (strncmp(a, "--device=", 9) == 0)
            o->device = a + 9;
        else if (strncmp(a, "--function=", 11) == 0)
            o->function = a + 11;
        else if (strcmp(a, "--bench") == 0)
            o->bench = true;
        else if (strcmp(a, "--list") == 0)
            o->list = true;
        else
            return false;
    }
    return true;
}

static bool matches(const char *pattern, const char *name)
{
    return !pattern || strncmp(name, pattern, strlen(pattern)) == 0 ||
           fnmatch(pattern, name, 0) == 0;
}

/* Whether a function is to run with weights of `dtype` on the backend. */
static bool has_variant(variants v, const asr_backend *backend, asr_dtype dtype)
{
    switch (v) {
    case ONCE:
        return dtype == ASR_F32;
    case STORED:
        return dtype == ASR_F32 || dtype == ASR_F16;
    case TABLES:
        return true;
    case WEIGHTS:
        break;
    }
    for (int p = ASR_PRECISION_AUTO; p <= ASR_PRECISION_INT8; p++)
        if (asr_backend_weight_dtype(backend, (asr_precision)p) == dtype)
            return true;
    return false;
}

/* FNV-1a. */
static uint64_t hash_name(const char *name)
{
    uint64_t hash = 0xCBF29CE484222325u;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001B3u;
    return hash;
}

static void report(const device *d, const char *what, bool failed, const char *skipped)
{
    char title[128];
    snprintf(title, sizeof(title), "%.31s %s", d->name, what);
    test_case_failed = failed;
    test_skip_reason = skipped;
    test_report(title);
    test_skip_reason = NULL;
}

static void run_function(const options *o, size_t f, asr_dtype dtype, const char *name,
                         const device *d, asr_backend *reference, asr_backend *tested)
{
    check_run run = {.device = d->name,
                     .function = name,
                     .backend = {reference, tested},
                     .seed = o->seed,
                     .state = o->seed ^ hash_name(name),
                     .large = tested->ops != reference->ops && !IS_SANITIZED,
                     .bench = o->bench,
                     .peak_flops = o->peak_flops,
                     .peak_bytes = o->peak_bytes};
    functions[f].run(&run, dtype);
    char title[128];
    snprintf(title, sizeof(title), "%.63s (%d cases)", name, run.n_cases);
    if (run.n_failures)
        printf("# %s %s: %d of %d cases failed\n", d->name, name, run.n_failures,
               run.n_cases);
    if (!o->bench)
        report(d, title, run.n_failures > 0, NULL);
}

static void run_functions(const options *o, const device *d, asr_backend *reference,
                          asr_backend *tested)
{
    for (size_t f = 0; f < N_FUNCTIONS; f++)
        for (int dtype = ASR_F32; dtype <= ASR_I8; dtype++) {
            char name[64];
            const char *suffix = check_dtype_name((asr_dtype)dtype);
            bool plain = functions[f].variants == ONCE;
            snprintf(name, sizeof(name), "%s%s%s", functions[f].name, plain ? "" : "_",
                     plain ? "" : suffix);
            if (!has_variant(functions[f].variants, tested, (asr_dtype)dtype) ||
                !matches(o->function, name) || (o->bench && !functions[f].has_bench))
                continue;
            if (o->list)
                printf("%s %s\n", d->name, name);
            else
                run_function(o, f, (asr_dtype)dtype, name, d, reference, tested);
        }
}

/* Unwatched where there is no validation layer. NULL after a report. */
static asr_backend *open_device(const options *o, device *d)
{
    asr_error error = {""};
    asr_backend *backend = d->open(d, &error);
    if (!backend && d->validation) {
        report(d, "validation", false, error.message);
        d->validation = NULL;
        backend = d->open(d, &error);
    }
    if (backend && !o->list)
        printf("# %s: %s\n", d->name, asr_backend_description(backend));
    if (!backend) {
        printf("# %s\n", error.message);
        report(d, "opening", !d->may_be_absent, error.message);
    }
    return backend;
}

static void run_device(const options *o, device *d, asr_backend *reference)
{
    asr_backend *tested = open_device(o, d);
    if (!tested)
        return;
    run_functions(o, d, reference, tested);
    asr_backend_destroy(&tested);
    if (!d->validation || o->list)
        return;
    if (d->validation->n_messages)
        printf("# %d messages, the first: %s\n", d->validation->n_messages,
               d->validation->first);
    report(d, "validation", d->validation->n_messages > 0, NULL);
    *d->validation = (asr_vulkan_validation){0};
}

static bool is_wanted(const options *o, const device *d)
{
    return o->device ? matches(o->device, d->name) : !(o->bench && d->for_tests);
}

static void print_heading(options *o)
{
    o->peak_flops = peak_flops();
    o->peak_bytes = peak_bytes();
    printf("# This machine's processor at most: %.0f GFLOP/s (f32 multiply-add), "
           "%.1f GB/s (reading memory).\n"
           "# Shares are of those, on every device and for every type of weight; what "
           "stays in a cache may exceed the memory's.\n",
           o->peak_flops * 1e-9, o->peak_bytes * 1e-9);
    printf("%-14s %-22s %-52s %10s %9s %6s %9s %6s\n", "device", "function", "shape",
           "time, µs", "GFLOP/s", "share", "GB/s", "share");
}

int main(int argc, char **argv)
{
    options o = {.seed = (uint64_t)time(NULL) * 1000003u ^ (uint64_t)getpid()};
    if (!parse_options(&o, argc, argv)) {
        fprintf(stderr,
                "usage: %s [--seed=N] [--device=PATTERN] [--function=PATTERN] "
                "[--bench] [--list]\n",
                argv[0]);
        return 2;
    }
    if (!o.list)
        printf("# --seed=%llu\n", (unsigned long long)o.seed);
    if (o.bench && !o.list)
        print_heading(&o);
    asr_error error;
    asr_backend *reference = asr_reference_create(&error);
    device devices[DEVICE_MOST];
    asr_vulkan_validation validation = {0};
    bool watched = !o.bench && !o.list && !IS_SANITIZED;
    int n = reference ? device_list(devices, watched ? &validation : NULL) : 0;
    for (int i = 0; i < n; i++)
        if (is_wanted(&o, &devices[i]))
            run_device(&o, &devices[i], reference);
    asr_backend_destroy(&reference);
    return o.bench || o.list ? EXIT_SUCCESS : test_end();
}
