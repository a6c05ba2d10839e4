/* Temporary files, renamed into place when they are whole. */
#include "savefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How many names for a temporary file are tried. */
#define NAME_ATTEMPTS 100

bool asr_file_save_failed(const char *name, int reason, asr_error *error)
{
    const char *remedy = "choose another place";
    if (reason == ENOSPC || reason == EDQUOT)
        remedy = "free some space or choose another place";
    else if (reason == ENOENT || reason == ENOTDIR)
        remedy = "create the folder first or choose another";
    else if (reason == EACCES || reason == EPERM || reason == EROFS)
        remedy = "choose a folder where you may write";
    return asr_fail(error, "%.300s could not be written (%s); %s.", name,
                    strerror(reason), remedy);
}

/* Opens a new file in the folder of `path`, with the permissions that any new file gets.
 * `temporary` receives its name, to be freed. */
static FILE *open_temporary(const char *path, char **temporary)
{
    const char *slash = strrchr(path, '/');
    int n_folder = slash ? (int)(slash - path) + 1 : 0;
    int fd = -1;
    *temporary = NULL;
    for (int i = 0; i < NAME_ATTEMPTS && fd < 0; i++) {
        free(*temporary);
        if (asprintf(temporary, "%.*s.verbatim-%ld-%d.part", n_folder, path,
                     (long)getpid(), i) < 0) {
            *temporary = NULL;
            return NULL;
        }
        fd = open(*temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!file && fd >= 0) {
        int reason = errno;
        close(fd);
        unlink(*temporary);
        errno = reason;
    }
    return file;
}

static bool write_and_rename(const char *path, const char *name, asr_file_writer write,
                             void *user, asr_error *error)
{
    char *temporary = NULL;
    FILE *file = open_temporary(path, &temporary);
    if (!file) {
        int reason = errno;
        free(temporary);
        return asr_file_save_failed(name, reason, error);
    }
    bool ok = write(file, name, user, error);
    if (ok && fsync(fileno(file)) != 0)
        ok = asr_file_save_failed(name, errno, error);
    if (fclose(file) != 0 && ok)
        ok = asr_file_save_failed(name, errno, error);
    if (ok && rename(temporary, path) != 0)
        ok = asr_file_save_failed(name, errno, error);
    if (!ok)
        unlink(temporary);
    free(temporary);
    return ok;
}

/* For pipes and devices, which cannot be replaced. */
static bool write_directly(const char *path, asr_file_writer write, void *user,
                           asr_error *error)
{
    FILE *file = fopen(path, "we");
    if (!file)
        return asr_file_save_failed(path, errno, error);
    bool ok = write(file, path, user, error);
    if (fclose(file) != 0 && ok)
        ok = asr_file_save_failed(path, errno, error);
    return ok;
}

bool asr_file_save(const char *path, asr_file_writer write, void *user, asr_error *error)
{
    struct stat info;
    if (stat(path, &info) == 0) {
        if (S_ISDIR(info.st_mode))
            return asr_fail(error, "%.300s is a folder; give the name of a file in it.",
                            path);
        if (!S_ISREG(info.st_mode))
            return write_directly(path, write, user, error);
    }
    /* A link stays a link: the file that it names is replaced. */
    char *target = realpath(path, NULL);
    if (target && access(target, W_OK) != 0) {
        int reason = errno;
        free(target);
        return asr_file_save_failed(path, reason, error);
    }
    bool ok = write_and_rename(target ? target : path, path, write, user, error);
    free(target);
    return ok;
}
