/* Whole models: the staging directory, the order of files, verification, the final name.
 */
#include "weights/download.h"

#include "weights/digest.h"
#include "weights/store.h"
#include "weights/transfer.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct download {
    const asr_catalogue_model *model;  /* borrowed */
    const asr_download_params *params; /* borrowed */
    asr_error *error;                  /* borrowed */
    char *staging;                     /* owned */
    int lock;                          /* the staging directory, open and locked */
} download;

/* Makes the folder `path` and those above it. */
static bool make_folders(const char *path, asr_error *error)
{
    char *copy = strdup(path);
    if (!copy) {
        return asr_fail_memory(error);
    }
    bool good = true;
    for (char *slash = copy + 1; good; slash++) {
        slash = strchr(slash, '/');
        if (slash) {
            *slash = '\0';
        }
        good = mkdir(copy, 0755) == 0 || errno == EEXIST;
        if (!slash) {
            break;
        }
        *slash = '/';
    }
    if (!good) {
        asr_fail(error, "%s cannot be made: %s.", path, strerror(errno));
    }
    free(copy);
    return good;
}

static bool open_staging(download *self)
{
    self->staging =
        asr_store_staging_path(self->params->store, self->model->name, self->error);
    if (!self->staging || !make_folders(self->staging, self->error)) {
        return false;
    }
    self->lock = open(self->staging, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (self->lock < 0) {
        return asr_fail(self->error, "%s cannot be opened: %s.", self->staging,
                        strerror(errno));
    }
    if (flock(self->lock, LOCK_EX | LOCK_NB) != 0) {
        return asr_fail(self->error,
                        "%s is being downloaded already; wait for it to end.",
                        self->model->name);
    }
    return true;
}

/* Whether the file at `path` has the checksum that the catalogue or else the server's
 * `tag` states. A wrong file is removed, so that the next try starts afresh. */
static bool verify(const download *self, const asr_catalogue_file *file, const char *path,
                   const char *tag)
{
    const char *expected = file->sha256[0] ? file->sha256 : tag;
    size_t digits = strlen(expected);
    bool is_checksum = strspn(expected, "0123456789abcdef") == digits;
    char actual[ASR_DIGEST_TEXT];
    if (!is_checksum || (digits != 64 && digits != 40)) {
        asr_transfer_discard(path);
        return asr_fail(self->error,
                        "%s: the server does not state a checksum of %s, so "
                        "it cannot be verified; use another server.",
                        self->model->name, file->name);
    }
    asr_digest_kind kind = digits == 64 ? ASR_DIGEST_SHA256 : ASR_DIGEST_GIT_BLOB;
    if (!asr_digest_file(path, kind, actual, self->error)) {
        return false;
    }
    if (strcmp(actual, expected) != 0) {
        asr_transfer_discard(path);
        return asr_fail(self->error,
                        "%s: what was downloaded as %s has the wrong checksum and was "
                        "thrown away; run the command again.",
                        self->model->name, file->name);
    }
    return true;
}

typedef struct file_progress {
    const asr_download_params *params;
    const char *file;
} file_progress;

static bool on_progress(void *user, int64_t done, int64_t total)
{
    const file_progress *self = user;
    return !self->params->progress ||
           self->params->progress(self->params->user, self->file, done, total);
}

static bool fetch(const download *self, const asr_catalogue_file *file, const char *url,
                  const char *part, const char *final)
{
    char tag[ASR_RESPONSE_TAG];
    file_progress progress = {self->params, file->name};
    asr_transfer_params transfer = {
        .url = url,
        .path = part,
        .size = file->size,
        .retry_delay_ms = self->params->retry_delay_ms,
        .stall_seconds = self->params->stall_seconds,
        .progress = on_progress,
        .user = &progress,
    };
    if (!asr_transfer_file(&transfer, tag, self->error) ||
        !verify(self, file, part, tag)) {
        return false;
    }
    if (rename(part, final) != 0) {
        return asr_fail(self->error, "%s cannot be renamed: %s.", part, strerror(errno));
    }
    asr_transfer_discard(part);
    return true;
}

/* Fetches one file, unless an earlier run has: a file under its own name was verified. */
static bool install_file(const download *self, const asr_catalogue_file *file)
{
    const asr_catalogue_model *model = self->model;
    const char *hub = self->params->hub ? self->params->hub : ASR_DOWNLOAD_HUB;
    char *url = NULL, *part = NULL, *final = NULL;
    bool good = false;
    if (asprintf(&final, "%s/%s", self->staging, file->name) < 0) {
        final = NULL;
    } else if (access(final, F_OK) == 0) {
        good = true;
        goto end;
    }
    if (asprintf(&part, "%s/%s.part", self->staging, file->name) < 0) {
        part = NULL;
    }
    if (asprintf(&url, "%s/%s/resolve/%s/%s", hub, model->repository, model->revision,
                 file->name) < 0) {
        url = NULL;
    }
    good = final && part && url ? fetch(self, file, url, part, final)
                                : asr_fail_memory(self->error);
end:
    free(url);
    free(part);
    free(final);
    return good;
}

/* Gives the complete directory its name. */
static bool publish(const download *self)
{
    char *path = asr_store_path(self->params->store, self->model->name, self->error);
    if (!path) {
        return false;
    }
    bool good = fsync(self->lock) == 0 && rename(self->staging, path) == 0;
    if (!good) {
        asr_fail(self->error,
                 "%s cannot be put in place: %s; if something incomplete is there, "
                 "`verbatim-cli models remove %s` removes it.",
                 path, strerror(errno), self->model->name);
    }
    free(path);
    return good;
}

bool asr_download_model(const asr_catalogue_model *model,
                        const asr_download_params *params, asr_error *error)
{
    if (asr_store_has(params->store, model->name)) {
        return true;
    }
    download self = {.model = model, .params = params, .error = error, .lock = -1};
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return asr_fail(error, "The network library cannot be started.");
    }
    bool good = open_staging(&self);
    for (size_t i = 0; good && i < model->file_count; i++) {
        good = install_file(&self, &model->files[i]);
    }
    good = good && publish(&self);
    if (self.lock >= 0) {
        rmdir(self.staging); /* only succeeds when nothing arrived to go on from */
        close(self.lock);
    }
    free(self.staging);
    curl_global_cleanup();
    return good;
}
