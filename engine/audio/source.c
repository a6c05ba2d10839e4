/* Reading bytes from a file or a pipe. Files are read at an explicit position, so that
 * seeking costs no system call. */
#include "audio/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool fail_open(const char *path, int reason, asr_error *error)
{
    switch (reason) {
    case ENOENT:
    case ENOTDIR:
        return asr_fail(error, "%s does not exist; check the name.", path);
    case EACCES:
    case EPERM:
        return asr_fail(error, "%s may not be read; change its permissions.", path);
    default:
        return asr_fail(error, "%s cannot be opened (%s); try a copy of it.", path,
                        strerror(reason));
    }
}

/* Fills in the size, and refuses what cannot hold sound. */
static bool inspect(asr_source *source, asr_error *error)
{
    struct stat status;
    if (fstat(source->fd, &status) != 0)
        return fail_open(source->path, errno, error);
    if (S_ISDIR(status.st_mode))
        return asr_fail(error, "%s is a folder; name an audio or video file.",
                        source->path);
    if (!S_ISREG(status.st_mode))
        return true;
    if (status.st_size == 0)
        return asr_fail(error, "%s is empty; choose a file with sound in it.",
                        source->path);
    source->size = status.st_size;
    return true;
}

asr_source *asr_source_open(const char *path, asr_error *error)
{
    asr_source *source = calloc(1, sizeof(*source));
    if (!source) {
        asr_fail_memory(error);
        return NULL;
    }
    source->size = -1;
    source->path = strdup(path);
    source->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (source->fd < 0) {
        fail_open(path, errno, error);
        goto fail;
    }
    if (!source->path) {
        asr_fail_memory(error);
        goto fail;
    }
    if (!inspect(source, error))
        goto fail;
    return source;

fail:
    asr_source_destroy(&source);
    return NULL;
}

ptrdiff_t asr_source_read(asr_source *source, void *bytes, size_t count)
{
    ssize_t n;
    do {
        n = source->size < 0 ? read(source->fd, bytes, count)
                             : pread(source->fd, bytes, count, source->position);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        source->failure = errno;
    else
        source->position += n;
    return n;
}

int64_t asr_source_seek(asr_source *source, int64_t offset, int whence)
{
    if (source->size < 0)
        return -1;
    int64_t base = whence == SEEK_SET   ? 0
                   : whence == SEEK_CUR ? source->position
                                        : source->size;
    int64_t position;
    if (__builtin_add_overflow(base, offset, &position) || position < 0)
        return -1;
    return source->position = position;
}

void asr_source_destroy(asr_source **source)
{
    if (!*source)
        return;
    if ((*source)->fd >= 0)
        close((*source)->fd);
    free((*source)->path);
    free(*source);
    *source = NULL;
}
