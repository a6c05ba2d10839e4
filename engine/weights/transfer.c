/* One file over HTTP, by libcurl.
 *
 * A transfer is a loop of attempts. Each asks for what is still missing and ends in one
 * of the outcomes below; only OUTCOME_RETRY waits and goes round again, and gives up
 * after a few attempts in a row that brought nothing. */
#include "weights/transfer.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_FAILURES = 5,       /* attempts in a row without a byte */
    MAX_UNREACHABLE = 2,    /* of them, without a connection */
    MAX_RESTARTS = 3,       /* from the beginning, because the file changed */
    MAX_RETRY_AFTER_S = 60, /* longest wait that a server can ask for */
    CONNECT_TIMEOUT_S = 15,
    MAX_REDIRECTIONS = 8,
};
/* For a file of which nobody says how large it is: only small ones come that way. */
static const int64_t max_unknown_size = 64 << 20;

typedef enum outcome {
    OUTCOME_DONE,
    OUTCOME_RETRY,       /* the connection or the server failed; it may do better */
    OUTCOME_UNREACHABLE, /* there was no connection at all */
    OUTCOME_RESTART,     /* what we have is of another version, or too much */
    OUTCOME_FAIL,        /* `error` says why */
} outcome;

typedef struct transfer {
    const asr_transfer_params *params; /* borrowed */
    asr_error *error;                  /* borrowed; may be NULL */
    CURL *curl;
    int file;
    int64_t done;      /* bytes in the file */
    bool body_started; /* in this attempt, and its headers were accepted */
    outcome verdict;   /* of the callbacks: why they stopped libcurl, or OUTCOME_DONE */
    asr_response response;
    char tag[ASR_RESPONSE_TAG]; /* version of what is in the file; empty when not known */
    char reason[CURL_ERROR_SIZE];
} transfer;

static const char *tag_path(const char *path, char *buffer, size_t size)
{
    int length = snprintf(buffer, size, "%s.tag", path);
    return length > 0 && (size_t)length < size ? buffer : NULL;
}

static void read_tag(transfer *self)
{
    char buffer[4096];
    const char *path = tag_path(self->params->path, buffer, sizeof buffer);
    FILE *file = path ? fopen(path, "re") : NULL;
    if (file) {
        if (!fgets(self->tag, sizeof self->tag, file)) {
            self->tag[0] = '\0';
        }
        fclose(file);
    }
}

/* Losing the tag costs only the check before a later resumption. */
static void write_tag(const transfer *self)
{
    char buffer[4096];
    const char *path = tag_path(self->params->path, buffer, sizeof buffer);
    FILE *file = path ? fopen(path, "we") : NULL;
    if (file) {
        fputs(self->tag, file);
        fclose(file);
    }
}

void asr_transfer_discard(const char *path)
{
    char buffer[4096];
    const char *tag = tag_path(path, buffer, sizeof buffer);
    unlink(path);
    if (tag) {
        unlink(tag);
    }
}

static outcome fail_file(transfer *self, const char *what)
{
    asr_fail(self->error, "%s cannot be %s: %s.", self->params->path, what,
             strerror(errno));
    return OUTCOME_FAIL;
}

static outcome start_over(transfer *self)
{
    if (ftruncate(self->file, 0) != 0) {
        return fail_file(self, "written");
    }
    self->done = 0;
    self->tag[0] = '\0';
    return OUTCOME_DONE;
}

static outcome check_space(transfer *self, int64_t missing)
{
    struct statvfs status;
    if (fstatvfs(self->file, &status) != 0) {
        return OUTCOME_DONE; /* a file system that does not say; writing will show */
    }
    int64_t free_bytes = (int64_t)(status.f_bavail * status.f_frsize);
    if (missing > free_bytes) {
        asr_fail(
            self->error,
            "%s needs %lld MB more, and the disk has %lld MB left; make room and run "
            "the command again.",
            self->params->path, (long long)(missing / 1000000),
            (long long)(free_bytes / 1000000));
        return OUTCOME_FAIL;
    }
    return OUTCOME_DONE;
}

static outcome check_size(transfer *self, int64_t size)
{
    if (self->params->size >= 0 && size >= 0 && size != self->params->size) {
        asr_fail(self->error,
                 "%s has %lld bytes and should have %lld: this is not the file expected; "
                 "update Verbatim.",
                 self->params->url, (long long)size, (long long)self->params->size);
        return OUTCOME_FAIL;
    }
    return OUTCOME_DONE;
}

/* The headers are complete and a body follows: is it what we asked for, and does it fit?
 * We compare tags ourselves instead of sending If-Range, because the hub's tag means
 * nothing to the storage server that it redirects to. */
static outcome accept_body(transfer *self)
{
    const asr_response *response = &self->response;
    const char *tag = asr_response_tag(response);
    if (response->is_web_page) {
        asr_fail(self->error,
                 "%s is a web page instead of a file; if this network asks for a login, "
                 "log in and run the command again.",
                 self->params->url);
        return OUTCOME_FAIL;
    }
    if (response->status == 206) {
        bool same = !self->tag[0] || strcmp(tag, self->tag) == 0;
        if (!same || response->range_start != self->done) {
            return OUTCOME_RESTART;
        }
    } else if (start_over(self) != OUTCOME_DONE) {
        return OUTCOME_FAIL;
    }
    snprintf(self->tag, sizeof self->tag, "%s", tag);
    write_tag(self);
    int64_t size = asr_response_size(response);
    outcome verdict = check_size(self, size);
    return verdict != OUTCOME_DONE ? verdict : check_space(self, size - self->done);
}

static bool write_all(int file, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t count = write(file, data, size);
        if (count < 0 && errno != EINTR) {
            return false;
        }
        if (count > 0) {
            data += count;
            size -= (size_t)count;
        }
    }
    return true;
}

static outcome take_block(transfer *self, const char *data, size_t size)
{
    if (!self->body_started) {
        outcome verdict = accept_body(self);
        if (verdict != OUTCOME_DONE) {
            return verdict;
        }
        self->body_started = true;
    }
    int64_t limit = asr_response_size(&self->response);
    if (limit < 0) {
        limit = self->params->size >= 0 ? self->params->size : max_unknown_size;
    }
    if ((int64_t)size > limit - self->done) {
        asr_fail(self->error, "%s sends more than the %lld bytes it should have.",
                 self->params->url, (long long)limit);
        start_over(self);
        return OUTCOME_FAIL;
    }
    if (!write_all(self->file, data, size)) {
        return fail_file(self, "written");
    }
    self->done += (int64_t)size;
    return OUTCOME_DONE;
}

static size_t on_body(char *data, size_t unit, size_t count, void *user)
{
    transfer *self = user;
    self->verdict = take_block(self, data, unit * count);
    return self->verdict == OUTCOME_DONE ? unit * count : CURL_WRITEFUNC_ERROR;
}

static size_t on_header(char *line, size_t unit, size_t count, void *user)
{
    transfer *self = user;
    asr_response_add(&self->response, line, unit * count);
    return unit * count;
}

static bool report(const transfer *self)
{
    const asr_transfer_params *params = self->params;
    int64_t total = params->size >= 0 ? params->size : asr_response_size(&self->response);
    return !params->progress || params->progress(params->user, self->done, total);
}

static int on_progress(void *user, curl_off_t total, curl_off_t now, curl_off_t up_total,
                       curl_off_t up_now)
{
    (void)total, (void)now, (void)up_total, (void)up_now;
    return report(user) ? 0 : 1;
}

static outcome fail_stopped(transfer *self)
{
    asr_fail(self->error,
             "The download of %s was stopped; run the command again to go on.",
             self->params->url);
    return OUTCOME_FAIL;
}

/* The server has nothing after what we have: it is complete, or not of this file. */
static outcome judge_no_range(transfer *self)
{
    const char *tag = asr_response_tag(&self->response);
    if (!self->tag[0]) {
        snprintf(self->tag, sizeof self->tag, "%s", tag);
    }
    return asr_response_size(&self->response) == self->done && strcmp(tag, self->tag) == 0
               ? OUTCOME_DONE
               : OUTCOME_RESTART;
}

/* What an answer that is not the file means for the user. */
static outcome judge_status(transfer *self)
{
    int status = self->response.status;
    const char *advice = "try again later";
    switch (status) {
    case 416:
        return judge_no_range(self);
    case 401:
    case 403:
        advice = "the model may need an account there, or this network blocks it";
        break;
    case 404:
    case 410:
        advice = "the file is not there any more; update Verbatim";
        break;
    default:
        break;
    }
    asr_fail(self->error, "%s cannot be downloaded: the server answers %d; %s.",
             self->params->url, status, advice);
    return status == 408 || status == 429 || status >= 500 ? OUTCOME_RETRY : OUTCOME_FAIL;
}

static outcome judge_failure(transfer *self, CURLcode code)
{
    asr_fail(self->error,
             "%s cannot be downloaded: %s; check the network and run the "
             "command again.",
             self->params->url,
             self->reason[0] ? self->reason : curl_easy_strerror(code));
    switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
        return OUTCOME_UNREACHABLE;
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return OUTCOME_RETRY;
    default:
        return OUTCOME_FAIL;
    }
}

/* The body ended well; is it all of the file? A body without a byte never reached
 * on_body. */
static outcome judge_end(transfer *self)
{
    if (!self->body_started) {
        outcome verdict = accept_body(self);
        if (verdict != OUTCOME_DONE) {
            return verdict;
        }
    }
    int64_t size = asr_response_size(&self->response);
    if (size >= 0 && self->done < size) {
        asr_fail(self->error, "%s ended after %lld of %lld bytes; run the command again.",
                 self->params->url, (long long)self->done, (long long)size);
        return OUTCOME_RETRY;
    }
    return check_size(self, self->done);
}

static outcome attempt(transfer *self)
{
    char range[32];
    snprintf(range, sizeof range, "%lld-", (long long)self->done);
    curl_easy_setopt(self->curl, CURLOPT_RANGE, self->done > 0 ? range : NULL);
    asr_response_reset(&self->response);
    self->body_started = false;
    self->verdict = OUTCOME_DONE;
    self->reason[0] = '\0';
    CURLcode code = curl_easy_perform(self->curl);
    if (self->verdict != OUTCOME_DONE) {
        return self->verdict;
    }
    switch (code) {
    case CURLE_OK:
        return judge_end(self);
    case CURLE_HTTP_RETURNED_ERROR:
        return judge_status(self);
    case CURLE_ABORTED_BY_CALLBACK:
        return fail_stopped(self);
    default:
        return judge_failure(self, code);
    }
}

/* Waits in short steps, so that the user can stop it. */
static bool wait_ms(const transfer *self, int64_t delay)
{
    const struct timespec step = {.tv_nsec = 50 * 1000000};
    for (; delay > 0; delay -= 50) {
        if (!report(self)) {
            return false;
        }
        nanosleep(&step, NULL);
    }
    return true;
}

static int64_t retry_delay(const transfer *self, int failures)
{
    int first = self->params->retry_delay_ms ? self->params->retry_delay_ms : 1000;
    int64_t delay = (int64_t)first << (failures - 1);
    int64_t asked = self->response.retry_after;
    if (asked > MAX_RETRY_AFTER_S) {
        asked = MAX_RETRY_AFTER_S;
    }
    return asked > 0 && asked * 1000 > delay ? asked * 1000 : delay;
}

static bool run(transfer *self)
{
    int failures = 0, restarts = 0;
    for (;;) {
        int64_t before = self->done;
        outcome result = attempt(self);
        switch (result) {
        case OUTCOME_DONE:
            return true;
        case OUTCOME_FAIL:
            return false;
        case OUTCOME_RESTART:
            if (++restarts > MAX_RESTARTS) {
                return asr_fail(self->error,
                                "%s changes while it is downloaded; try again "
                                "later.",
                                self->params->url);
            }
            if (start_over(self) != OUTCOME_DONE) {
                return false;
            }
            continue;
        case OUTCOME_RETRY:
        case OUTCOME_UNREACHABLE:
            break;
        }
        failures = self->done > before ? 1 : failures + 1;
        if (failures >=
            (result == OUTCOME_UNREACHABLE ? MAX_UNREACHABLE : MAX_FAILURES)) {
            return false;
        }
        if (!wait_ms(self, retry_delay(self, failures))) {
            return fail_stopped(self) == OUTCOME_DONE;
        }
    }
}

static bool open_file(transfer *self)
{
    struct stat status;
    self->file =
        open(self->params->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (self->file < 0 || fstat(self->file, &status) != 0) {
        return fail_file(self, "written") == OUTCOME_DONE;
    }
    self->done = status.st_size;
    read_tag(self);
    return true;
}

static bool open_connection(transfer *self)
{
    const asr_transfer_params *params = self->params;
    bool secure = strncmp(params->url, "https:", 6) == 0;
    long stall = params->stall_seconds ? params->stall_seconds : 30;
    CURL *curl = self->curl = curl_easy_init();
    if (!curl) {
        return asr_fail_memory(self->error);
    }
    bool good = curl_easy_setopt(curl, CURLOPT_URL, params->url) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR,
                                 secure ? "https" : "http,https") == CURLE_OK;
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)MAX_REDIRECTIONS);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, stall);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "verbatim");
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, self->reason);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, self);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, self);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, self);
    return good ||
           asr_fail(self->error, "%s is not an address to download from.", params->url);
}

bool asr_transfer_file(const asr_transfer_params *params, char tag[ASR_RESPONSE_TAG],
                       asr_error *error)
{
    transfer self = {.params = params, .error = error, .file = -1};
    asr_response_reset(&self.response);
    bool good = open_file(&self) && open_connection(&self) && run(&self);
    if (good && fsync(self.file) != 0) {
        good = fail_file(&self, "written") == OUTCOME_DONE;
    }
    memcpy(tag, self.tag, sizeof self.tag);
    curl_easy_cleanup(self.curl);
    if (self.file >= 0) {
        close(self.file);
        if (!good && self.done == 0) {
            asr_transfer_discard(params->path);
        }
    }
    return good;
}
