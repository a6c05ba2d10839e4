/* A checkpoint is a list of safetensors files; a tensor is looked for in each. */
#include "weights/checkpoint.h"

#include "text/json.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_SHARDS 256
#define MAX_INDEX_BYTES ((size_t)64 << 20)

struct asr_checkpoint {
    asr_safetensors *shards[MAX_SHARDS];
    int n_shards;
};

static char *join_path(const char *directory, const char *name, asr_error *error)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", directory, name) < 0) {
        asr_fail_memory(error);
        return NULL;
    }
    return path;
}

static bool open_shard(asr_checkpoint *checkpoint, const char *directory,
                       const char *name, asr_error *error)
{
    if (checkpoint->n_shards == MAX_SHARDS)
        return asr_fail(error,
                        "%s has more than %d weight files, which is not supported.",
                        directory, MAX_SHARDS);
    char *path = join_path(directory, name, error);
    asr_safetensors *shard = path ? asr_safetensors_open(path, error) : NULL;
    free(path);
    if (shard)
        checkpoint->shards[checkpoint->n_shards++] = shard;
    return shard != NULL;
}

/* A shard is named once for each of its tensors; most often the last name seen. */
static bool is_listed(const char *const *names, int n, const char *name)
{
    while (n > 0)
        if (strcmp(names[--n], name) == 0)
            return true;
    return false;
}

/* Whether the name is that of a file in the model's own folder, fit for a message. */
static bool is_plain_name(const char *name)
{
    for (const char *p = name; *p; p++)
        if (*p == '/' || (unsigned char)*p < ' ')
            return false;
    return true;
}

static bool open_indexed(asr_checkpoint *checkpoint, const char *directory,
                         const json_t *index, asr_error *error)
{
    const char *names[MAX_SHARDS];
    const json_t *map = json_object_get(index, "weight_map");
    const char *tensor;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)map, tensor, value)
    {
        const char *name = json_string_value(value);
        if (!name || !is_plain_name(name))
            return asr_fail(error,
                            "%s/model.safetensors.index.json names a file outside the "
                            "folder; download the model again.",
                            directory);
        if (is_listed(names, checkpoint->n_shards, name))
            continue;
        if (!open_shard(checkpoint, directory, name, error))
            return false;
        names[checkpoint->n_shards - 1] = name;
    }
    if (checkpoint->n_shards == 0)
        return asr_fail(error,
                        "%s/model.safetensors.index.json names no weights; download the "
                        "model again.",
                        directory);
    return true;
}

/* Opens what the index names, if there is one. `*found` says whether. */
static bool open_index(asr_checkpoint *checkpoint, const char *directory, bool *found,
                       asr_error *error)
{
    char *path = join_path(directory, "model.safetensors.index.json", error);
    if (!path)
        return false;
    *found = access(path, F_OK) == 0;
    bool ok = true;
    if (*found) {
        json_t *index = asr_json_read(path, MAX_INDEX_BYTES, error);
        ok = index && open_indexed(checkpoint, directory, index, error);
        json_decref(index);
    }
    free(path);
    return ok;
}

asr_checkpoint *asr_checkpoint_open(const char *directory, asr_error *error)
{
    asr_checkpoint *checkpoint = calloc(1, sizeof(*checkpoint));
    if (!checkpoint) {
        asr_fail_memory(error);
        return NULL;
    }
    bool indexed;
    if (!open_index(checkpoint, directory, &indexed, error) ||
        (!indexed && !open_shard(checkpoint, directory, "model.safetensors", error)))
        asr_checkpoint_destroy(&checkpoint);
    return checkpoint;
}

void asr_checkpoint_destroy(asr_checkpoint **checkpoint)
{
    if (*checkpoint) {
        for (int i = 0; i < (*checkpoint)->n_shards; i++)
            asr_safetensors_destroy(&(*checkpoint)->shards[i]);
        free(*checkpoint);
    }
    *checkpoint = NULL;
}

const asr_stored_tensor *asr_checkpoint_find(const asr_checkpoint *checkpoint,
                                             const char *name)
{
    for (int i = 0; i < checkpoint->n_shards; i++) {
        const asr_stored_tensor *tensor =
            asr_safetensors_find(checkpoint->shards[i], name);
        if (tensor)
            return tensor;
    }
    return NULL;
}

void asr_checkpoint_release_pages(const asr_checkpoint *checkpoint)
{
    for (int i = 0; i < checkpoint->n_shards; i++)
        asr_safetensors_release_pages(checkpoint->shards[i]);
}

/* Reading gigabytes at every start would take longer than loading the cache: of each file
 * the beginning, which holds the header, and a page out of every 256 are hashed. */
static bool hash_sample(EVP_MD_CTX *hash, const asr_safetensors *shard)
{
    const size_t head = (size_t)256 << 10, page = 4096, step = page * 256;
    size_t size;
    const char *bytes = asr_safetensors_bytes(shard, &size);
    bool ok = EVP_DigestUpdate(hash, &size, sizeof(size)) == 1;
    for (size_t at = 0; at < size && ok;) {
        size_t want = at == 0 ? head : page;
        size_t n = size - at < want ? size - at : want;
        ok = EVP_DigestUpdate(hash, bytes + at, n) == 1;
        at += at == 0 ? head : step;
    }
    return ok;
}

bool asr_checkpoint_fingerprint(const asr_checkpoint *checkpoint, char *text,
                                asr_error *error)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    bool ok = hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1;
    for (int i = 0; i < checkpoint->n_shards && ok; i++)
        ok = hash_sample(hash, checkpoint->shards[i]);
    ok = ok && EVP_DigestFinal_ex(hash, digest, NULL) == 1;
    EVP_MD_CTX_free(hash);
    if (!ok)
        return asr_fail_memory(error);
    for (int i = 0; i < 16; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return true;
}
