/* The converted form of a checkpoint: made once, then mapped.
 *
 * The form is itself a safetensors file: for each recipe a tensor of its name, and
 * NAME.scales beside an i8 one. Its name in the cache is a hash of the checkpoint's
 * contents, the recipes and the dtype, so that a changed model or engine never meets a
 * stale file; the file is renamed into place when it is whole. */
#include "weights/weights.h"

#include "savefile.h"
#include "weights/convert.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Raised when the converted form changes. */
#define FORMAT_VERSION 1

struct asr_weights {
    asr_safetensors *file;
};

/* What is written for one recipe: the scales of all recipes first, then f32, f16 and i8
 * matrices, so that every tensor is aligned. */
typedef struct output {
    const asr_weight_recipe *recipe;
    bool scales;
    char name[ASR_WEIGHT_NAME + 8];
    asr_dtype dtype;
} output;

static int compare_outputs(const void *a, const void *b)
{
    const output *x = a, *y = b;
    size_t size_x = asr_dtype_size(x->dtype), size_y = asr_dtype_size(y->dtype);
    if (size_x != size_y)
        return size_x < size_y ? 1 : -1;
    return strcmp(x->name, y->name);
}

static output *list_outputs(const asr_weights_params *params, size_t *n)
{
    output *list = calloc(2 * params->n_recipes + 1, sizeof(*list));
    *n = 0;
    for (size_t i = 0; list && i < params->n_recipes; i++) {
        const asr_weight_recipe *recipe = &params->recipes[i];
        asr_dtype dtype = asr_recipe_dtype(recipe, params);
        output *out = &list[(*n)++];
        *out = (output){.recipe = recipe, .dtype = dtype};
        snprintf(out->name, sizeof(out->name), "%s", recipe->name);
        if (dtype != ASR_I8)
            continue;
        out = &list[(*n)++];
        *out = (output){.recipe = recipe, .dtype = ASR_F32, .scales = true};
        snprintf(out->name, sizeof(out->name), "%s.scales", recipe->name);
    }
    if (list)
        qsort(list, *n, sizeof(*list), compare_outputs);
    return list;
}

static asr_tensor_spec spec_of(const output *out)
{
    asr_tensor_spec spec = {.name = out->name, .dtype = out->dtype, .n_dims = 2};
    spec.dims[0] = out->recipe->rows;
    spec.dims[1] = out->scales ? 1 : out->recipe->cols;
    return spec;
}

static bool write_specs(FILE *file, const output *outputs, size_t n)
{
    asr_tensor_spec *specs = calloc(n + 1, sizeof(*specs));
    for (size_t i = 0; specs && i < n; i++)
        specs[i] = spec_of(&outputs[i]);
    bool ok = specs && asr_safetensors_write_header(file, specs, n, NULL, NULL);
    free(specs);
    return ok;
}

/* Room for the largest recipe, in the three forms that conversion goes through. */
typedef struct workspace {
    float *loaded;
    void *converted;
    float *scales;
} workspace;

static bool workspace_create(workspace *work, const asr_weights_params *params)
{
    size_t largest = 1, rows = 1;
    for (size_t i = 0; i < params->n_recipes; i++) {
        const asr_weight_recipe *recipe = &params->recipes[i];
        size_t n = (size_t)recipe->rows * (size_t)recipe->cols;
        largest = n > largest ? n : largest;
        rows = (size_t)recipe->rows > rows ? (size_t)recipe->rows : rows;
    }
    work->loaded = malloc(largest * sizeof(float));
    work->converted = malloc(largest * sizeof(float));
    work->scales = malloc(rows * sizeof(float));
    return work->loaded && work->converted && work->scales;
}

static void workspace_destroy(workspace *work)
{
    free(work->loaded);
    free(work->converted);
    free(work->scales);
}

static bool write_outputs(FILE *file, const output *outputs, size_t n,
                          const asr_checkpoint *checkpoint, const workspace *work)
{
    for (size_t i = 0; i < n; i++) {
        const asr_weight_recipe *recipe = outputs[i].recipe;
        size_t rows = (size_t)recipe->rows, elements = rows * (size_t)recipe->cols;
        asr_dtype dtype = outputs[i].scales ? ASR_I8 : outputs[i].dtype;
        asr_recipe_load(recipe, checkpoint, work->loaded);
        asr_matrix_convert(work->loaded, recipe->rows, recipe->cols, dtype,
                           work->converted, work->scales);
        size_t written =
            outputs[i].scales
                ? fwrite(work->scales, sizeof(float), rows, file) / rows
                : fwrite(work->converted, asr_dtype_size(dtype), elements, file) /
                      elements;
        if (written != 1)
            return false;
        asr_checkpoint_release_pages(checkpoint);
    }
    return true;
}

/* Converts into an open file. False when that or the memory is full. */
static bool convert_into(FILE *file, const asr_weights_params *params,
                         const asr_checkpoint *checkpoint)
{
    size_t n;
    workspace work = {0};
    output *outputs = list_outputs(params, &n);
    bool ok = outputs && workspace_create(&work, params) &&
              write_specs(file, outputs, n) &&
              write_outputs(file, outputs, n, checkpoint, &work) && fflush(file) == 0;
    workspace_destroy(&work);
    free(outputs);
    return ok;
}

/* Before room is made for matrices that the model may not have. */
static bool check_recipes(const asr_weights_params *params,
                          const asr_checkpoint *checkpoint, asr_error *error)
{
    for (size_t i = 0; i < params->n_recipes; i++)
        if (!asr_recipe_check(&params->recipes[i], checkpoint, params->directory, error))
            return false;
    return true;
}

static bool make_directories(const char *path)
{
    char *copy = strdup(path);
    if (!copy)
        return false;
    for (char *p = copy + 1; *p; p++)
        if (*p == '/') {
            *p = '\0';
            mkdir(copy, 0700);
            *p = '/';
        }
    bool ok = mkdir(copy, 0700) == 0 || errno == EEXIST;
    free(copy);
    return ok;
}

/* What a conversion into a file needs. */
typedef struct conversion {
    const asr_weights_params *params;
    const asr_checkpoint *checkpoint;
} conversion;

static bool write_conversion(FILE *out, const char *name, void *user, asr_error *error)
{
    const conversion *c = user;
    return convert_into(out, c->params, c->checkpoint) ||
           asr_file_save_failed(name, errno, error);
}

/* Converts to `path`. Why that fails is of no interest: there is a way round. */
static bool convert_to_cache(const char *path, const asr_weights_params *params,
                             const asr_checkpoint *checkpoint)
{
    conversion c = {params, checkpoint};
    return make_directories(params->cache_directory) &&
           asr_file_save(path, write_conversion, &c, NULL);
}

/* Converts into memory that has no name. */
static asr_safetensors *convert_to_memory(const asr_weights_params *params,
                                          const asr_checkpoint *checkpoint,
                                          asr_error *error)
{
    char path[64];
    asr_safetensors *result = NULL;
    int fd = memfd_create("verbatim-weights", MFD_CLOEXEC);
    FILE *file = fd >= 0 ? fdopen(fd, "wb") : NULL;
    if (file && convert_into(file, params, checkpoint)) {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        result = asr_safetensors_open(path, error);
    } else {
        asr_fail_memory(error);
    }
    if (file)
        fclose(file);
    else if (fd >= 0)
        close(fd);
    return result;
}

/* Whether a cached file has every tensor of the recipes in its right shape. */
static bool is_complete(const asr_safetensors *file, const asr_weights_params *params)
{
    size_t n;
    output *outputs = list_outputs(params, &n);
    bool ok = outputs != NULL;
    for (size_t i = 0; i < n && ok; i++) {
        asr_tensor_spec spec = spec_of(&outputs[i]);
        const asr_stored_tensor *t = asr_safetensors_find(file, spec.name);
        ok = t && t->dtype == spec.dtype && t->n_dims == 2 &&
             t->dims[0] == spec.dims[0] && t->dims[1] == spec.dims[1];
    }
    free(outputs);
    return ok;
}

static char *cache_path(const asr_weights_params *params,
                        const asr_checkpoint *checkpoint, asr_error *error)
{
    char content[33], settings[33];
    unsigned char digest[EVP_MAX_MD_SIZE];
    char *path = NULL;
    if (!asr_checkpoint_fingerprint(checkpoint, content, error))
        return NULL;
    /* Recipes are plain data without pointers or uninitialised padding. */
    if (EVP_Digest(params->recipes, params->n_recipes * sizeof(*params->recipes), digest,
                   NULL, EVP_sha256(), NULL) != 1) {
        asr_fail_memory(error);
        return NULL;
    }
    for (int i = 0; i < 16; i++)
        snprintf(settings + 2 * i, 3, "%02x", digest[i]);
    if (asprintf(&path, "%s/%s-%.8s-%d-%d-%d.safetensors", params->cache_directory,
                 content, settings, (int)params->matrix_dtype,
                 (int)params->sensitive_dtype, FORMAT_VERSION) < 0) {
        asr_fail_memory(error);
        return NULL;
    }
    return path;
}

/* The cached form if it is there and whole. */
static asr_safetensors *open_cached(const char *path, const asr_weights_params *params)
{
    asr_safetensors *file = asr_safetensors_open(path, NULL);
    if (file && !is_complete(file, params))
        asr_safetensors_destroy(&file);
    return file;
}

/* The converted form: from the cache, made there, or in memory where that fails. */
static asr_safetensors *open_converted(const asr_weights_params *params,
                                       const asr_checkpoint *checkpoint, asr_error *error)
{
    if (!params->cache_directory)
        return convert_to_memory(params, checkpoint, error);
    char *path = cache_path(params, checkpoint, error);
    if (!path)
        return NULL;
    asr_safetensors *file = open_cached(path, params);
    if (!file && convert_to_cache(path, params, checkpoint))
        file = open_cached(path, params);
    if (!file)
        file = convert_to_memory(params, checkpoint, error);
    free(path);
    return file;
}

asr_weights *asr_weights_open(const asr_weights_params *params, asr_error *error)
{
    asr_checkpoint *checkpoint = asr_checkpoint_open(params->directory, error);
    asr_weights *weights = checkpoint ? calloc(1, sizeof(*weights)) : NULL;
    if (!weights) {
        if (checkpoint)
            asr_fail_memory(error);
        goto done;
    }
    if (check_recipes(params, checkpoint, error))
        weights->file = open_converted(params, checkpoint, error);
    if (!weights->file)
        asr_weights_destroy(&weights);
done:
    asr_checkpoint_destroy(&checkpoint);
    return weights;
}

void asr_weights_destroy(asr_weights **weights)
{
    if (*weights) {
        asr_safetensors_destroy(&(*weights)->file);
        free(*weights);
    }
    *weights = NULL;
}

asr_matrix asr_weights_matrix(const asr_weights *weights, const char *name)
{
    char scales_name[ASR_WEIGHT_NAME + 8];
    const asr_stored_tensor *t = asr_safetensors_find(weights->file, name);
    assert(t);
    asr_matrix matrix = {t->dtype, (int)t->dims[0], (int)t->dims[1], t->data, NULL};
    if (t->dtype == ASR_I8) {
        snprintf(scales_name, sizeof(scales_name), "%s.scales", name);
        matrix.scales = asr_safetensors_find(weights->file, scales_name)->data;
    }
    return matrix;
}

void asr_weights_release_pages(const asr_weights *weights)
{
    asr_safetensors_release_pages(weights->file);
}
