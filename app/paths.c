/* Paths by the XDG Base Directory Specification, and relative to the program itself. */
#include "paths.h"

#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *home(void)
{
    const char *path = getenv("HOME");
    if (path && path[0] == '/') {
        return path;
    }
    const struct passwd *user = getpwuid(getuid());
    return user ? user->pw_dir : NULL;
}

/* "$VARIABLE/REST", or "~/FALLBACK/REST". The specification wants relative paths in the
 * variable ignored. */
static char *base_path(const char *variable, const char *fallback, const char *rest)
{
    char *path;
    const char *base = getenv(variable);
    int length = -1;
    if (base && base[0] == '/') {
        length = asprintf(&path, "%s/%s", base, rest);
    } else if ((base = home())) {
        length = asprintf(&path, "%s/%s/%s", base, fallback, rest);
    }
    return length < 0 ? NULL : path;
}

char *app_path_models(void)
{
    return base_path("XDG_DATA_HOME", ".local/share", "verbatim/models");
}

char *app_path_cache(void)
{
    return base_path("XDG_CACHE_HOME", ".cache", "verbatim");
}

char *app_path_data(const char *name)
{
    static const char *const places[] = {"../share/verbatim", "../data"};
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length < 0) {
        return NULL;
    }
    program[length] = '\0';
    *strrchr(program, '/') = '\0';
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char *path;
        if (asprintf(&path, "%s/%s/%s", program, places[i], name) < 0) {
            return NULL;
        }
        if (access(path, R_OK) == 0) {
            return path;
        }
        free(path);
    }
    return NULL;
}
