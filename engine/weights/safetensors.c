/* Reading safetensors: the header is parsed by jansson, checked, and turned into a sorted
 * list, so that finding a tensor is a binary search. */
#include "weights/safetensors.h"

#include "text/json.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A hundred thousand tensors take a quarter of this. */
#define MAX_HEADER_BYTES ((uint64_t)64 << 20)

struct asr_safetensors {
    char *path;
    void *map;
    size_t bytes;
    json_t *header; /* owns the names */
    asr_stored_tensor *tensors;
    size_t n_tensors;
};

static bool damaged(const asr_safetensors *file, const char *what, asr_error *error)
{
    return asr_fail(error, "%s is damaged (%s); download the model again.", file->path,
                    what);
}

static bool map_file(asr_safetensors *file, asr_error *error)
{
    /* O_NONBLOCK: opening a FIFO must fail below, not wait for a writer. */
    int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return asr_fail(error, "%s cannot be opened: %s.", file->path, strerror(errno));
    struct stat info;
    bool ok = fstat(fd, &info) == 0;
    if (!ok) {
        asr_fail(error, "%s cannot be read: %s.", file->path, strerror(errno));
    } else if (!S_ISREG(info.st_mode) || info.st_size < 8) {
        ok = damaged(file, "it is no safetensors file", error);
    } else {
        file->bytes = (size_t)info.st_size;
        file->map = mmap(NULL, file->bytes, PROT_READ, MAP_PRIVATE, fd, 0);
        if (file->map == MAP_FAILED) {
            file->map = NULL;
            ok = asr_fail(error, "%s cannot be mapped into memory: %s.", file->path,
                          strerror(errno));
        }
    }
    close(fd);
    return ok;
}

static const struct {
    const char *name;
    asr_dtype dtype;
} dtype_names[] = {
    {"F32", ASR_F32}, {"F16", ASR_F16}, {"BF16", ASR_BF16},
    {"I8", ASR_I8},   {"I32", ASR_I32},
};

static bool parse_dtype(const char *name, asr_dtype *dtype)
{
    for (size_t i = 0; i < sizeof(dtype_names) / sizeof(dtype_names[0]); i++)
        if (strcmp(dtype_names[i].name, name) == 0) {
            *dtype = dtype_names[i].dtype;
            return true;
        }
    return false;
}

static bool parse_shape(const json_t *shape, asr_stored_tensor *tensor)
{
    size_t n = json_array_size(shape);
    if (!json_is_array(shape) || n > ASR_SAFETENSORS_MAX_DIMS)
        return false;
    tensor->n_dims = (int)n;
    tensor->n_elements = 1;
    for (size_t i = 0; i < n; i++) {
        const json_t *dim = json_array_get(shape, i);
        json_int_t value = json_integer_value(dim);
        if (!json_is_integer(dim) || value < 0 || value > INT32_MAX ||
            __builtin_mul_overflow(tensor->n_elements, (size_t)value,
                                   &tensor->n_elements))
            return false;
        tensor->dims[i] = value;
    }
    return true;
}

/* Places one tensor; `begin` is the offset of the data in the file. */
static bool parse_tensor(const asr_safetensors *file, size_t begin, const json_t *entry,
                         asr_stored_tensor *tensor, asr_error *error)
{
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *first = json_array_get(offsets, 0), *last = json_array_get(offsets, 1);
    if (!parse_shape(json_object_get(entry, "shape"), tensor) ||
        !json_is_integer(first) || !json_is_integer(last))
        return damaged(file, "its header is malformed", error);
    size_t bytes;
    uint64_t from = (uint64_t)json_integer_value(first);
    uint64_t to = (uint64_t)json_integer_value(last);
    if (__builtin_mul_overflow(tensor->n_elements, asr_dtype_size(tensor->dtype),
                               &bytes) ||
        from > to || to > file->bytes - begin || to - from != bytes)
        return damaged(file, "a tensor lies outside the file", error);
    if ((begin + from) % asr_dtype_size(tensor->dtype) != 0)
        return damaged(file, "a tensor is misaligned", error);
    tensor->data = (const char *)file->map + begin + from;
    return true;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const asr_stored_tensor *)a)->name,
                  ((const asr_stored_tensor *)b)->name);
}

static bool parse_header(asr_safetensors *file, asr_error *error)
{
    uint64_t length;
    memcpy(&length, file->map, sizeof(length));
    length = le64toh(length);
    if (length > MAX_HEADER_BYTES || length > file->bytes - sizeof(length))
        return damaged(file, "its header is cut short", error);
    const char *text = (const char *)file->map + sizeof(length);
    if (!asr_json_is_bounded(text, (size_t)length))
        return damaged(file, "its header is larger than any model's", error);
    file->header = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(file->header))
        return damaged(file, "its header is malformed", error);
    file->tensors = calloc(json_object_size(file->header) + 1, sizeof(*file->tensors));
    if (!file->tensors)
        return asr_fail_memory(error);
    const char *name;
    json_t *entry;
    json_object_foreach(file->header, name, entry)
    {
        const char *dtype = json_string_value(json_object_get(entry, "dtype"));
        asr_stored_tensor *tensor = &file->tensors[file->n_tensors];
        if (strcmp(name, "__metadata__") == 0)
            continue;
        if (!dtype)
            return damaged(file, "its header is malformed", error);
        if (!parse_dtype(dtype, &tensor->dtype))
            continue;
        tensor->name = name;
        if (!parse_tensor(file, sizeof(length) + (size_t)length, entry, tensor, error))
            return false;
        file->n_tensors++;
    }
    qsort(file->tensors, file->n_tensors, sizeof(*file->tensors), compare_names);
    return true;
}

asr_safetensors *asr_safetensors_open(const char *path, asr_error *error)
{
    asr_safetensors *file = calloc(1, sizeof(*file));
    if (!file || !(file->path = strdup(path))) {
        asr_fail_memory(error);
        goto fail;
    }
    if (!map_file(file, error) || !parse_header(file, error))
        goto fail;
    return file;
fail:
    asr_safetensors_destroy(&file);
    return NULL;
}

void asr_safetensors_destroy(asr_safetensors **file)
{
    if (*file) {
        if ((*file)->map)
            munmap((*file)->map, (*file)->bytes);
        json_decref((*file)->header);
        free((*file)->tensors);
        free((*file)->path);
        free(*file);
    }
    *file = NULL;
}

size_t asr_safetensors_count(const asr_safetensors *file)
{
    return file->n_tensors;
}

const asr_stored_tensor *asr_safetensors_at(const asr_safetensors *file, size_t index)
{
    return &file->tensors[index];
}

const asr_stored_tensor *asr_safetensors_find(const asr_safetensors *file,
                                              const char *name)
{
    asr_stored_tensor key = {.name = name};
    return bsearch(&key, file->tensors, file->n_tensors, sizeof(key), compare_names);
}

const char *asr_safetensors_metadata(const asr_safetensors *file, const char *key)
{
    return json_string_value(
        json_object_get(json_object_get(file->header, "__metadata__"), key));
}

const void *asr_safetensors_bytes(const asr_safetensors *file, size_t *size)
{
    *size = file->bytes;
    return file->map;
}

void asr_safetensors_release_pages(const asr_safetensors *file)
{
    madvise(file->map, file->bytes, MADV_DONTNEED);
}

/* The header's entry for a tensor whose data begin at `*offset`, which is moved on. */
static json_t *spec_entry(const asr_tensor_spec *spec, size_t *offset)
{
    const char *dtype = NULL;
    for (size_t i = 0; i < sizeof(dtype_names) / sizeof(dtype_names[0]); i++)
        if (dtype_names[i].dtype == spec->dtype)
            dtype = dtype_names[i].name;
    json_t *shape = json_array();
    size_t bytes = asr_dtype_size(spec->dtype);
    for (int i = 0; i < spec->n_dims; i++) {
        json_array_append_new(shape, json_integer(spec->dims[i]));
        bytes *= (size_t)spec->dims[i];
    }
    json_t *entry =
        json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtype, "shape", shape, "data_offsets",
                  (json_int_t)*offset, (json_int_t)(*offset + bytes));
    *offset += bytes;
    return entry;
}

/* The header is padded so that the data begin at a multiple of this. */
#define DATA_ALIGNMENT ((size_t)64)

bool asr_safetensors_write_header(FILE *out, const asr_tensor_spec *specs, size_t n_specs,
                                  const char *key, const char *value)
{
    json_t *header = json_object();
    size_t offset = 0;
    bool complete = !key || json_object_set_new(header, "__metadata__",
                                                json_pack("{s:s}", key, value)) == 0;
    for (size_t i = 0; i < n_specs && complete; i++)
        complete = json_object_set_new(header, specs[i].name,
                                       spec_entry(&specs[i], &offset)) == 0;
    char *text = complete ? json_dumps(header, JSON_COMPACT) : NULL;
    json_decref(header);
    if (!text) {
        errno = ENOMEM;
        return false;
    }
    /* The format allows trailing spaces. */
    int length = (int)strlen(text);
    int total = (int)((length + sizeof(uint64_t) + DATA_ALIGNMENT - 1) / DATA_ALIGNMENT *
                          DATA_ALIGNMENT -
                      sizeof(uint64_t));
    uint64_t little = htole64((uint64_t)total);
    bool ok = fwrite(&little, sizeof(little), 1, out) == 1 &&
              fprintf(out, "%-*s", total, text) == total;
    free(text);
    return ok;
}
