/* A temporary folder for a test's files.
 *
 *     scratch_write("model/config.json", text, strlen(text));
 *     open(scratch_path("model"))
 *     scratch_remove();                 before the test program ends
 *
 * A folder that is missing is made. For one thread. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include <dirent.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCRATCH_PATHS 8

static char scratch_folder[64];

static inline void scratch_check(bool ok, const char *what)
{
    if (!ok) {
        printf("Bail out! The temporary folder of the test cannot be used: %s.\n", what);
        exit(EXIT_FAILURE);
    }
}

/* FOLDER/name, formatted. Valid until the eighth call after this one. */
static inline __attribute__((format(printf, 1, 2))) const char *
scratch_path(const char *format, ...)
{
    static char paths[SCRATCH_PATHS][1024];
    static int next;
    char *path = paths[next++ % SCRATCH_PATHS];
    if (!scratch_folder[0]) {
        strcpy(scratch_folder, "/tmp/verbatim-test-XXXXXX");
        scratch_check(mkdtemp(scratch_folder) != NULL, "mkdtemp");
    }
    int n = snprintf(path, sizeof(paths[0]), "%s/", scratch_folder);
    va_list args;
    va_start(args, format);
    vsnprintf(path + n, sizeof(paths[0]) - (size_t)n, format, args);
    va_end(args);
    return path;
}

/* Makes the folders that lead to a path in the temporary folder. */
static inline void scratch_make_parents(const char *path)
{
    char *copy = strdup(path);
    scratch_check(copy != NULL, "strdup");
    for (char *p = copy + strlen(scratch_folder) + 1; *p; p++)
        if (*p == '/') {
            *p = '\0';
            mkdir(copy, 0700);
            *p = '/';
        }
    free(copy);
}

/* Writes FOLDER/name. */
static inline void scratch_write(const char *name, const void *bytes, size_t n)
{
    const char *path = scratch_path("%s", name);
    scratch_make_parents(path);
    FILE *file = fopen(path, "wb");
    scratch_check(file && (n == 0 || fwrite(bytes, n, 1, file) == 1), path);
    scratch_check(fclose(file) == 0, path);
}

static inline void scratch_text(const char *name, const char *text)
{
    scratch_write(name, text, strlen(text));
}

/* The contents of a file of any folder, with a NUL after them; the caller frees it. */
static inline char *scratch_read(const char *path, size_t *n)
{
    FILE *file = fopen(path, "rb");
    scratch_check(file && fseek(file, 0, SEEK_END) == 0, path);
    *n = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*n + 1);
    scratch_check(bytes && fread(bytes, 1, *n, file) == *n, path);
    bytes[*n] = '\0';
    fclose(file);
    return bytes;
}

/* Copies the files of a folder, which has no folders in it, to FOLDER/name. */
static inline void scratch_copy(const char *from, const char *name)
{
    char path[1024], to[256];
    DIR *folder = opendir(from);
    scratch_check(folder != NULL, from);
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.')
            continue;
        size_t n;
        snprintf(path, sizeof(path), "%s/%s", from, entry->d_name);
        snprintf(to, sizeof(to), "%.120s/%.120s", name, entry->d_name);
        char *bytes = scratch_read(path, &n);
        scratch_write(to, bytes, n);
        free(bytes);
    }
    closedir(folder);
}

/* How many files and folders FOLDER/name holds, and the name of one of them, which is
 * valid until the next call. */
static inline int scratch_count(const char *name, const char **one)
{
    static char found[256];
    int n = 0;
    DIR *folder = opendir(scratch_path("%s", name));
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            snprintf(found, sizeof(found), "%s", entry->d_name);
            n++;
        }
    if (folder)
        closedir(folder);
    if (one)
        *one = found;
    return n;
}

static inline int scratch_remove_entry(const char *path, const struct stat *info,
                                       int type, struct FTW *place)
{
    (void)info, (void)type, (void)place;
    return remove(path);
}

static inline void scratch_remove(void)
{
    if (scratch_folder[0])
        nftw(scratch_folder, scratch_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    scratch_folder[0] = '\0';
}

#endif
