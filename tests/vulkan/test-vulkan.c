/* The Vulkan backend on the machine's first device (software Vulkan will do): devices,
 * lifetimes, the pipeline cache, limits, copies, and a network whose plan is replayed.
 * The validation layer watches where it is installed: any message fails. Single
 * operations are checked by tests/kernels. */
#include "network.h"
#include "reference/reference.h"
#include "scratch.h"
#include "test.h"
#include "vulkan/vulkan.h"

/* The layer leaks, and is gone when LeakSanitizer would look for its name: the
 * sanitizers' pass does without. */
#ifdef __SANITIZE_ADDRESS__
#define IS_SANITIZED true
#else
#define IS_SANITIZED false
#endif

static asr_vulkan_validation validation;
static bool has_validation;

/* The first device that can be used, or −1. */
static int first_device(void)
{
    asr_vulkan_device devices[16];
    int n = asr_vulkan_devices(devices, 16, NULL);
    for (int i = 0; i < n && i < 16; i++)
        if (devices[i].usable)
            return i;
    return -1;
}

static asr_backend *open_backend(bool as_gpu, const char *cache_dir, asr_error *error)
{
    return asr_vulkan_create(
        &(asr_vulkan_params){
            .device_index = first_device(),
            .as_gpu = as_gpu,
            .cache_dir = cache_dir,
            .validation = has_validation ? &validation : NULL,
        },
        error);
}

/* A message is never left out, and says what to do. */
#define EXPECT_MESSAGE(error, words)                                                     \
    do {                                                                                 \
        EXPECT(strstr((error).message, words) != NULL);                                  \
        if (!strstr((error).message, words))                                             \
            printf("# message: \"%s\"\n", (error).message);                              \
    } while (0)

TEST(devices_are_described)
{
    asr_vulkan_device devices[16];
    int n = asr_vulkan_devices(devices, 16, NULL);
    for (int i = 0; i < n && i < 16; i++) {
        printf("# device %d: %s, %s, %llu MB, subgroups of %d, f16 %d, int8 %d\n", i,
               devices[i].name, devices[i].driver,
               (unsigned long long)(devices[i].memory_bytes >> 20),
               devices[i].subgroup_size, devices[i].has_f16_storage,
               devices[i].has_int8_storage);
        EXPECT(devices[i].name[0] != '\0');
        EXPECT(devices[i].memory_bytes > 0);
        EXPECT(!devices[i].usable || devices[i].subgroup_size > 0);
    }
    asr_vulkan_device few[1];
    EXPECT_INT(asr_vulkan_devices(few, 0, NULL), n);
}

TEST(opens_and_closes)
{
    asr_error error = {""};
    for (int i = 0; i < 3; i++) {
        asr_backend *backend = open_backend(i == 1, NULL, &error);
        REQUIRE(backend != NULL);
        EXPECT(strstr(asr_backend_description(backend), "Vulkan") != NULL);
        EXPECT_STR(backend->ops->name, "vulkan");
        asr_backend_destroy(&backend);
        EXPECT(backend == NULL);
    }
}

TEST(refuses_a_device_that_is_not_there)
{
    asr_error error = {""};
    EXPECT(asr_vulkan_create(&(asr_vulkan_params){.device_index = 99}, &error) == NULL);
    EXPECT_MESSAGE(error, "no Vulkan device 99");
}

TEST(takes_no_software_device_unasked)
{
    asr_vulkan_device devices[16];
    int n = asr_vulkan_devices(devices, 16, NULL);
    for (int i = 0; i < n && i < 16; i++)
        if (devices[i].usable && devices[i].type != ASR_VULKAN_SOFTWARE)
            SKIP("there is a GPU");
    asr_error error = {""};
    asr_vulkan_params params = {.device_index = -1};
    EXPECT(asr_vulkan_create(&params, &error) == NULL);
    EXPECT_MESSAGE(error, "--device cpu");
    params.allow_software = true;
    asr_backend *backend = asr_vulkan_create(&params, &error);
    EXPECT(backend != NULL);
    asr_backend_destroy(&backend);
}

TEST(weights_have_the_precision_asked_for)
{
    asr_error error = {""};
    asr_backend *backend = open_backend(false, NULL, &error);
    REQUIRE(backend != NULL);
    EXPECT_INT(asr_backend_weight_dtype(backend, ASR_PRECISION_F32), ASR_F32);
    EXPECT_INT(asr_backend_weight_dtype(backend, ASR_PRECISION_F16), ASR_F16);
    EXPECT_INT(asr_backend_weight_dtype(backend, ASR_PRECISION_INT8), ASR_I8);
    asr_backend_destroy(&backend);
}

/* Writes a matrix in parts and reads it back in others. */
static void check_copies(asr_backend *backend, asr_usage usage, int rows, int cols)
{
    asr_error error = {""};
    size_t n = (size_t)rows * (size_t)cols;
    float *in = malloc(n * sizeof(*in)), *out = malloc(n * sizeof(*out));
    asr_buffer *buffer = asr_buffer_create(backend, ASR_F32, rows, cols, usage, &error);
    REQUIRE(in && out && buffer);
    memset(out, 1, n * sizeof(*out));
    EXPECT(asr_buffer_read(buffer, 0, rows, out, &error));
    for (size_t i = 0; i < n; i++) {
        in[i] = (float)i;
        test_case_failed |= out[i] != 0; /* a new buffer is zero */
    }
    int half = rows / 2;
    EXPECT(asr_buffer_write(buffer, 0, rows, in, &error));
    EXPECT(asr_buffer_write(buffer, half, rows - half, in, &error));
    EXPECT(asr_buffer_read(buffer, 1, rows - 1, out, &error));
    for (int r = 1; r < rows; r++) {
        const float *expected = in + (size_t)(r < half ? r : r - half) * (size_t)cols;
        test_case_failed |= memcmp(out + (size_t)(r - 1) * (size_t)cols, expected,
                                   (size_t)cols * sizeof(*out)) != 0;
    }
    EXPECT(!test_case_failed);
    asr_buffer_destroy(&buffer);
    free(in);
    free(out);
}

TEST(copies_rows_of_any_width)
{
    for (int as_gpu = 0; as_gpu < 2; as_gpu++) {
        asr_error error = {""};
        asr_backend *backend = open_backend(as_gpu, NULL, &error);
        REQUIRE(backend != NULL);
        check_copies(backend, ASR_USAGE_STATE, 7, 5);
        check_copies(backend, ASR_USAGE_HOST, 7, 5);
        check_copies(backend, ASR_USAGE_STATE, 3, 64);
        check_copies(backend, ASR_USAGE_STATE, 9001, 1001); /* several staging fulls */
        asr_backend_destroy(&backend);
    }
}

TEST(refuses_what_the_device_cannot_hold)
{
    asr_error error = {""};
    asr_backend *backend = open_backend(false, NULL, &error);
    REQUIRE(backend != NULL);
    EXPECT(asr_buffer_create(backend, ASR_F32, 1 << 24, 1 << 16, ASR_USAGE_STATE,
                             &error) == NULL);
    EXPECT_MESSAGE(error, "--device cpu");

    asr_buffer *wide =
        asr_buffer_create(backend, ASR_F32, 1, 4096, ASR_USAGE_STATE, &error);
    asr_buffer *index =
        asr_buffer_create(backend, ASR_I32, 1 << 21, 1, ASR_USAGE_STATE, &error);
    asr_graph *graph = asr_graph_create();
    REQUIRE(wide && index && graph);
    asr_graph_rows(graph, asr_graph_leaf(graph, wide), asr_graph_leaf(graph, index));
    error.message[0] = '\0';
    EXPECT(asr_plan_create(backend, &graph, &error) == NULL);
    EXPECT_MESSAGE(error, "--device cpu");
    asr_buffer_destroy(&wide);
    asr_buffer_destroy(&index);
    asr_backend_destroy(&backend);
}

/* The same tokens through the reference and the device, twice from the beginning: what
 * changes from run to run is only in buffers. */
static void check_network(bool as_gpu, asr_dtype dtype)
{
    asr_error error = {""};
    asr_backend *backends[2] = {asr_reference_create(&error),
                                open_backend(as_gpu, NULL, &error)};
    REQUIRE(backends[0] && backends[1]);
    network *networks[2] = {network_create(backends[0], dtype, &error),
                            network_create(backends[1], dtype, &error)};
    REQUIRE(networks[0] && networks[1]);
    for (int run = 0; run < 2; run++) {
        int token = 17 + 400 * run;
        for (int step = 0; step < NETWORK_STEPS; step++) {
            int ids[2][NETWORK_BEST];
            float scores[2][NETWORK_BEST];
            for (int b = 0; b < 2; b++)
                REQUIRE(
                    network_step(networks[b], step, token, ids[b], scores[b], &error));
            for (int i = 0; i < NETWORK_BEST; i++) {
                EXPECT_INT(ids[1][i], ids[0][i]);
                EXPECT_NEAR(scores[1][i], scores[0][i], 2e-3);
            }
            token = ids[0][step % NETWORK_BEST];
        }
    }
    for (int b = 0; b < 2; b++) {
        network_destroy(&networks[b]);
        asr_backend_destroy(&backends[b]);
    }
}

TEST(a_plan_is_replayed_with_new_inputs)
{
    check_network(false, ASR_F32);
    check_network(false, ASR_F16);
    check_network(false, ASR_I8);
}

TEST(a_plan_is_replayed_as_on_a_gpu)
{
    check_network(true, ASR_F32);
    check_network(true, ASR_F16);
    check_network(true, ASR_I8);
}

static asr_plan *small_plan(asr_backend *backend, asr_buffer **buffer, asr_error *error)
{
    *buffer = asr_buffer_create(backend, ASR_F32, 2, 2, ASR_USAGE_HOST, error);
    asr_graph *graph = asr_graph_create();
    if (!*buffer || !graph)
        return NULL;
    asr_tensor *leaf = asr_graph_leaf(graph, *buffer);
    asr_graph_store(graph, asr_graph_add(graph, leaf, leaf), leaf, NULL);
    return asr_plan_create(backend, &graph, error);
}

/* Whether a backend with this cache doubles a matrix. */
static bool works_with_cache(const char *cache_dir)
{
    asr_error error = {""};
    asr_backend *backend = open_backend(false, cache_dir, &error);
    if (!backend)
        return false;
    asr_buffer *buffer = NULL;
    asr_plan *plan = small_plan(backend, &buffer, &error);
    float values[4] = {1, 2, 3, 4};
    bool ok = plan && asr_buffer_write(buffer, 0, 2, values, &error) &&
              asr_plan_run(plan, &error) && asr_buffer_read(buffer, 0, 2, values, &error);
    asr_plan_destroy(&plan);
    asr_buffer_destroy(&buffer);
    asr_backend_destroy(&backend);
    return ok && values[0] == 2 && values[3] == 8;
}

static long file_size(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 ? (long)s.st_size : -1;
}

TEST(pipelines_are_cached_and_a_bad_cache_is_ignored)
{
    char folder[256], path[512];
    const char *name;
    snprintf(folder, sizeof(folder), "%s", scratch_path("cache"));
    REQUIRE(mkdir(folder, 0700) == 0);
    EXPECT(works_with_cache(folder));
    EXPECT_INT(scratch_count("cache", &name), 1);
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    long size = file_size(path);
    EXPECT(size > 24);
    EXPECT(works_with_cache(folder));
    EXPECT_INT(file_size(path), size);

    EXPECT(truncate(path, size / 2) == 0);
    EXPECT(works_with_cache(folder));
    EXPECT_INT(file_size(path), size); /* written anew */

    FILE *file = fopen(path, "r+b");
    REQUIRE(file != NULL);
    fseek(file, size - 3, SEEK_SET);
    fputc('?', file);
    fputc('!', file);
    fclose(file);
    EXPECT(works_with_cache(folder));
    EXPECT_INT(scratch_count("cache", NULL), 1); /* nothing half-written is left */
    EXPECT(works_with_cache(scratch_path("no/such/folder")));
}

TEST(the_validation_layer_has_nothing_to_say)
{
    if (!has_validation)
        SKIP("the validation layer is not installed, or the sanitizers are watching");
    EXPECT_INT(validation.n_messages, 0);
    if (validation.n_messages)
        printf("# %s\n", validation.first);
}

int main(void)
{
    asr_error error = {""};
    if (first_device() < 0) {
        printf("1..0 # SKIP there is no Vulkan device\n");
        return EXIT_SUCCESS;
    }
    has_validation = !IS_SANITIZED;
    asr_backend *probe = open_backend(false, NULL, &error);
    has_validation &= probe != NULL;
    asr_backend_destroy(&probe);
    RUN(devices_are_described);
    RUN(opens_and_closes);
    RUN(refuses_a_device_that_is_not_there);
    RUN(takes_no_software_device_unasked);
    RUN(weights_have_the_precision_asked_for);
    RUN(copies_rows_of_any_width);
    RUN(refuses_what_the_device_cannot_hold);
    RUN(a_plan_is_replayed_with_new_inputs);
    RUN(a_plan_is_replayed_as_on_a_gpu);
    RUN(pipelines_are_cached_and_a_bad_cache_is_ignored);
    RUN(the_validation_layer_has_nothing_to_say);
    scratch_remove();
    return test_end();
}
