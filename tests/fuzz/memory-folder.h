/* A folder of links to files in memory, for parsers that read a directory: disks are too
 * slow for thousands of runs. One a program. */
#ifndef MEMORY_FOLDER_H
#define MEMORY_FOLDER_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MEMORY_FIRST_DESCRIPTOR = 100, MEMORY_SEPARATOR = 0x1E };

static char memory_folder[] = "/tmp/verbatim-fuzz-XXXXXX";
static const char *const *memory_names;
static int memory_n_names;

static inline void memory_path(char *path, size_t room, int i)
{
    snprintf(path, room, "%s/%s", memory_folder, memory_names[i]);
}

static inline void memory_remove_folder(void)
{
    char path[256];
    for (int i = 0; i < memory_n_names; i++) {
        memory_path(path, sizeof(path), i);
        unlink(path);
    }
    rmdir(memory_folder);
}

/* Makes the folder, whose files have these names, the first time it is called. */
static inline void memory_create_folder(const char *const *names, int n)
{
    char path[256], target[64];
    if (memory_names)
        return;
    memory_names = names;
    memory_n_names = n;
    if (!mkdtemp(memory_folder))
        abort();
    atexit(memory_remove_folder);
    for (int i = 0; i < n; i++) {
        memory_path(path, sizeof(path), i);
        snprintf(target, sizeof(target), "/proc/self/fd/%d", MEMORY_FIRST_DESCRIPTOR + i);
        if (symlink(target, path) != 0)
            abort();
    }
}

/* Gives file `i` this content; without any, its link leads nowhere. */
static inline void memory_write(int i, const void *bytes, size_t n)
{
    close(MEMORY_FIRST_DESCRIPTOR + i);
    if (n == 0)
        return;
    int file = memfd_create("fuzz", MFD_CLOEXEC);
    if (file < 0 || write(file, bytes, n) != (ssize_t)n ||
        dup2(file, MEMORY_FIRST_DESCRIPTOR + i) < 0)
        abort();
    close(file);
}

/* Takes the next section off an input whose sections are separated by the byte 1E. */
static inline const uint8_t *memory_section(const uint8_t **data, size_t *size,
                                            size_t *length)
{
    const uint8_t *section = *data;
    const uint8_t *end = *size ? memchr(section, MEMORY_SEPARATOR, *size) : NULL;
    *length = end ? (size_t)(end - section) : *size;
    size_t step = *length + (end ? 1 : 0);
    *data += step;
    *size -= step;
    return section;
}

#endif
