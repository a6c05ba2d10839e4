/* The folder of installed models: names to paths, what is there, removal. */
#include "weights/store.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_NAME = 128, MAX_DEPTH = 8 };

bool asr_store_valid_name(const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || length > MAX_NAME || name[0] == '.') {
        return false;
    }
    for (const char *at = name; *at; at++) {
        if (!isascii(*at) || (!isalnum((unsigned char)*at) && !strchr("-_.", *at))) {
            return false;
        }
    }
    return true;
}

bool asr_store_is_weights(const char *file)
{
    const char *ending = strrchr(file, '.');
    return ending && strcmp(ending, ".safetensors") == 0;
}

static char *join(const char *store, const char *prefix, const char *name,
                  const char *suffix, asr_error *error)
{
    char *path;
    if (!asr_store_valid_name(name)) {
        asr_fail(
            error,
            "\"%s\" is not the name of a model; `verbatim-cli models list` shows them.",
            name);
        return NULL;
    }
    if (asprintf(&path, "%s/%s%s%s", store, prefix, name, suffix) < 0) {
        asr_fail_memory(error);
        return NULL;
    }
    return path;
}

char *asr_store_path(const char *store, const char *name, asr_error *error)
{
    return join(store, "", name, "", error);
}

char *asr_store_staging_path(const char *store, const char *name, asr_error *error)
{
    return join(store, ".", name, ".part", error);
}

/* What a look through one model's directory finds. */
typedef struct contents {
    bool config;
    bool weights;
    int64_t bytes;
} contents;

static contents look_through(const char *store, const char *name)
{
    contents found = {0};
    char *path = asr_store_path(store, name, NULL);
    DIR *directory = path ? opendir(path) : NULL;
    free(path);
    if (!directory) {
        return found;
    }
    struct dirent *entry;
    while ((entry = readdir(directory))) {
        struct stat status;
        if (fstatat(dirfd(directory), entry->d_name, &status, 0) == 0 &&
            S_ISREG(status.st_mode)) {
            found.bytes += status.st_size;
            found.config |= strcmp(entry->d_name, "config.json") == 0;
            found.weights |= asr_store_is_weights(entry->d_name);
        }
    }
    closedir(directory);
    return found;
}

bool asr_store_has(const char *store, const char *name)
{
    contents found = look_through(store, name);
    return found.config && found.weights;
}

int64_t asr_store_size(const char *store, const char *name)
{
    return look_through(store, name).bytes;
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static bool append_name(char ***names, size_t *count, const char *name)
{
    char **longer = realloc(*names, (*count + 1) * sizeof *longer);
    if (!longer) {
        return false;
    }
    *names = longer;
    char *copy = strdup(name);
    if (!copy) {
        return false;
    }
    longer[(*count)++] = copy;
    return true;
}

static void free_names(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(names[i]);
    }
    free(names);
}

char **asr_store_list(const char *store, size_t *count, asr_error *error)
{
    char **names = malloc(sizeof *names);
    DIR *directory = opendir(store);
    *count = 0;
    if (!names) {
        asr_fail_memory(error);
        goto fail;
    }
    if (!directory) {
        if (errno == ENOENT) {
            return names;
        }
        asr_fail(error, "%s cannot be read: %s.", store, strerror(errno));
        goto fail;
    }
    struct dirent *entry;
    while ((entry = readdir(directory))) {
        if (!asr_store_valid_name(entry->d_name) ||
            !asr_store_has(store, entry->d_name)) {
            continue;
        }
        if (!append_name(&names, count, entry->d_name)) {
            asr_fail_memory(error);
            goto fail;
        }
    }
    closedir(directory);
    qsort(names, *count, sizeof *names, compare_names);
    return names;

fail:
    if (directory) {
        closedir(directory);
    }
    free_names(names, *count);
    *count = 0;
    return NULL;
}

/* Removes what `name` in the open directory `parent` is, and what is in it. A symbolic
 * link is removed, not followed. */
static bool remove_tree(int parent, const char *name, int depth)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) {
        return true;
    }
    if ((errno != EISDIR && errno != EPERM) || depth == 0) {
        return false;
    }
    int descriptor =
        openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *directory = descriptor >= 0 ? fdopendir(descriptor) : NULL;
    if (!directory) {
        int reason = errno;
        if (descriptor >= 0) {
            close(descriptor);
        }
        errno = reason;
        return false;
    }
    bool good = true;
    struct dirent *entry;
    while (good && (entry = readdir(directory))) {
        good = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
               remove_tree(descriptor, entry->d_name, depth - 1);
    }
    int reason = errno;
    closedir(directory);
    errno = reason;
    return good && unlinkat(parent, name, AT_REMOVEDIR) == 0;
}

static bool exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

bool asr_store_remove(const char *store, const char *name, asr_error *error)
{
    char *path = asr_store_path(store, name, error);
    char *staging = path ? asr_store_staging_path(store, name, error) : NULL;
    bool good = false;
    if (!path || !staging) {
        goto end;
    }
    if (!exists(path) && !exists(staging)) {
        asr_fail(error,
                 "%s is not installed; `verbatim-cli models list` shows what there is.",
                 name);
        goto end;
    }
    good = remove_tree(AT_FDCWD, path, MAX_DEPTH) &&
           remove_tree(AT_FDCWD, staging, MAX_DEPTH);
    if (!good) {
        asr_fail(error, "%s cannot be removed: %s.", path, strerror(errno));
    }
end:
    free(path);
    free(staging);
    return good;
}
