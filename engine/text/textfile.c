/* Reading a small file whole: one open, one bound, every error in words. */
#include "textfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Checks that `fd` is a regular file of at most `max_bytes` and learns its size. */
static bool check_file(int fd, const char *path, size_t max_bytes, size_t *size,
                       asr_error *error)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return asr_fail(error, "%s cannot be read: %s.", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return asr_fail(error, "%s is not a regular file; give the path of a file.",
                        path);
    if ((unsigned long long)info.st_size > max_bytes)
        return asr_fail(error,
                        "%s is %lld bytes long, but at most %zu are expected; check that "
                        "it is the right file.",
                        path, (long long)info.st_size, max_bytes);
    *size = (size_t)info.st_size;
    return true;
}

/* Reads until `size` bytes are there or the file ends; -1 with errno set on failure. */
static ssize_t read_bytes(int fd, char *data, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = read(fd, data + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

char *asr_textfile_read(const char *path, size_t max_bytes, size_t *length,
                        asr_error *error)
{
    char *data = NULL;
    size_t size = 0;
    /* O_NONBLOCK: opening a FIFO must fail the check below, not wait for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        asr_fail(error, "%s cannot be opened: %s.", path, strerror(errno));
        return NULL;
    }
    if (!check_file(fd, path, max_bytes, &size, error))
        goto fail;
    data = malloc(size + 1);
    if (!data) {
        asr_fail_memory(error);
        goto fail;
    }
    ssize_t n = read_bytes(fd, data, size);
    if (n < 0) {
        asr_fail(error, "%s cannot be read: %s.", path, strerror(errno));
        goto fail;
    }
    close(fd);
    data[n] = '\0';
    if (length)
        *length = (size_t)n;
    return data;
fail:
    free(data);
    close(fd);
    return NULL;
}
