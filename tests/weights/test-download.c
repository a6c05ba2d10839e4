/* Downloads against hub-server.py, whose ways to behave give the tests their names. */
#include "weights/digest.h"
#include "weights/download.h"
#include "weights/store.h"

#include "hub-server.h"
#include "test.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONFIG_SIZE = 1000, WEIGHTS_SIZE = 300000, PIECE = 70000 };

static const char *server_port;
static char store[256]; /* of the running test; empty at its start */

/* --- The model ---------------------------------------------------------------------- */

static asr_catalogue_file files[2];
static char config_name[] = "config.json";
static char weights_name[] = "model.safetensors";
static char repository[] = "owner/model";

/* A model of its own for each test, because the server counts by name. */
static asr_catalogue_model make_model(const char *name)
{
    static char own_name[64];
    snprintf(own_name, sizeof own_name, "%s", name);
    files[0] = (asr_catalogue_file){.name = config_name, .size = -1};
    files[1] = (asr_catalogue_file){.name = weights_name, .size = -1};
    return (asr_catalogue_model){
        .name = own_name,
        .repository = repository,
        .revision = own_name,
        .files = files,
        .file_count = 2,
    };
}

static unsigned char content_at(const char *name, size_t i, unsigned version)
{
    return (unsigned char)(31 * i + strlen(name) + version);
}

/* Whether the file at `path` is the server's file `name`, whole. */
static bool is_file(const char *path, const char *name, size_t size, unsigned version)
{
    FILE *file = fopen(path, "rb");
    bool good = file != NULL;
    for (size_t i = 0; good && i < size; i++) {
        good = fgetc(file) == content_at(name, i, version);
    }
    good = good && fgetc(file) == EOF;
    if (file) {
        fclose(file);
    }
    return good;
}

static const char *in_store(const char *relative)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", store, relative);
    return path;
}

static bool is_installed(const char *name, unsigned version)
{
    char config[128], weights[128];
    snprintf(config, sizeof config, "%s/config.json", name);
    snprintf(weights, sizeof weights, "%s/model.safetensors", name);
    return is_file(in_store(config), "config.json", CONFIG_SIZE, version) &&
           is_file(in_store(weights), "model.safetensors", WEIGHTS_SIZE, version);
}

static bool exists(const char *relative)
{
    return access(in_store(relative), F_OK) == 0;
}

static long long size_of(const char *relative)
{
    struct stat status;
    return stat(in_store(relative), &status) == 0 ? (long long)status.st_size : -1;
}

/* --- Downloading -------------------------------------------------------------------- */

typedef struct watch {
    int64_t stop_at;    /* of the weights; 0: never */
    int64_t first_done; /* of the weights, at the first report */
    int64_t last_total;
} watch;

static bool on_progress(void *user, const char *file, int64_t done, int64_t total)
{
    watch *self = user;
    if (strcmp(file, "model.safetensors") == 0) {
        if (self->first_done < 0) {
            self->first_done = done;
        }
        self->last_total = total;
        return self->stop_at == 0 || done < self->stop_at;
    }
    return true;
}

static bool download_watched(const char *mode, const asr_catalogue_model *model,
                             watch *watching, asr_error *error)
{
    char hub[128];
    snprintf(hub, sizeof hub, "http://127.0.0.1:%s/%s", server_port, mode);
    asr_download_params params = {
        .store = store,
        .hub = hub,
        .retry_delay_ms = 1,
        .stall_seconds = 1,
        .progress = watching ? on_progress : NULL,
        .user = watching,
    };
    error->message[0] = '\0';
    return asr_download_model(model, &params, error);
}

static bool download(const char *mode, const asr_catalogue_model *model, asr_error *error)
{
    return download_watched(mode, model, NULL, error);
}

#define EXPECT_GOOD(call)                                                                \
    do {                                                                                 \
        if (!(call)) {                                                                   \
            printf("# %s\n", error.message);                                             \
            EXPECT(!#call);                                                              \
        }                                                                                \
    } while (0)

#define EXPECT_MESSAGE(part)                                                             \
    do {                                                                                 \
        if (!strstr(error.message, part)) {                                              \
            EXPECT_STR(error.message, part);                                             \
        }                                                                                \
    } while (0)

/* A mode that must succeed, with everything tidy afterwards. */
static void expect_install(const char *mode, unsigned version)
{
    asr_error error;
    asr_catalogue_model model = make_model(mode);
    char staging[128];
    snprintf(staging, sizeof staging, ".%s.part", mode);
    EXPECT_GOOD(download(mode, &model, &error));
    EXPECT(is_installed(mode, version));
    EXPECT(!exists(staging));
}

/* A mode that must fail, leaving nothing under the model's name. */
static void expect_failure(const char *mode, const char *message)
{
    asr_error error;
    asr_catalogue_model model = make_model(mode);
    EXPECT(!download(mode, &model, &error));
    EXPECT_MESSAGE(message);
    EXPECT(!exists(mode));
}

TEST(plain)
{
    expect_install("plain", 0);
}

TEST(installed_model_is_left_alone)
{
    asr_error error;
    asr_catalogue_model model = make_model("twice");
    EXPECT_GOOD(download("plain", &model, &error));
    EXPECT_GOOD(download("missing", &model, &error));
    EXPECT(is_installed("twice", 0));
}

TEST(cut_connections_are_resumed)
{
    expect_install("drop", 0);
}

TEST(server_without_ranges_starts_over)
{
    expect_install("no-range", 0);
}

TEST(changed_file_is_fetched_anew)
{
    asr_error error;
    asr_catalogue_model model = make_model("changed");
    model.files++; /* config.json arrives at once, in its first version */
    model.file_count--;
    EXPECT_GOOD(download("changed", &model, &error));
    EXPECT(is_file(in_store("changed/model.safetensors"), "model.safetensors",
                   WEIGHTS_SIZE, 2));
}

TEST(wrong_range_starts_over)
{
    expect_install("shifted", 0);
}

TEST(checksum_is_kept_over_redirections)
{
    expect_install("redirect", 0);
}

TEST(busy_server_is_asked_again)
{
    expect_install("busy", 0);
}

TEST(stalled_connection_is_given_up_and_resumed)
{
    expect_install("stall", 0);
}

TEST(server_errors)
{
    expect_failure("down", "the server answers 500; try again later");
    expect_failure("missing", "the server answers 404; the file is not there any more");
    expect_failure("forbidden", "the server answers 403");
    expect_failure("loop", "cannot be downloaded");
}

TEST(login_page_is_not_a_model)
{
    expect_failure("portal", "is a web page instead of a file");
}

TEST(wrong_content_is_thrown_away)
{
    expect_failure("corrupt", "has the wrong checksum and was thrown away");
    EXPECT(!exists(".corrupt.part/config.json"));
    EXPECT(!exists(".corrupt.part/config.json.part"));
}

TEST(catalogue_checksum_wins)
{
    asr_error error;
    asr_catalogue_model model = make_model("pinned");
    memset(model.files[1].sha256, '0', 64);
    EXPECT(!download("plain", &model, &error));
    EXPECT_MESSAGE("model.safetensors has the wrong checksum");
    EXPECT(!exists("pinned"));
    EXPECT(exists(".pinned.part/config.json"));
    EXPECT(!exists(".pinned.part/model.safetensors.part"));
}

TEST(catalogue_size_wins)
{
    asr_error error;
    asr_catalogue_model model = make_model("sized");
    model.files[1].size = WEIGHTS_SIZE - 1;
    EXPECT(!download("plain", &model, &error));
    EXPECT_MESSAGE("has 300000 bytes and should have 299999");
    EXPECT(!exists("sized"));
}

TEST(unverifiable_file_is_refused)
{
    expect_failure("unnamed", "does not state a checksum");
}

TEST(short_answers_end)
{
    expect_failure("short", "cannot be downloaded");
}

TEST(long_answer_is_cut)
{
    asr_error error;
    asr_catalogue_model model = make_model("long");
    model.files[0].size = CONFIG_SIZE;
    EXPECT(!download("long", &model, &error));
    EXPECT_MESSAGE("sends more than the 1000 bytes");
    EXPECT(!exists("long"));
    EXPECT(!exists(".long.part"));
}

TEST(file_larger_than_the_disk_is_refused)
{
    expect_failure("enormous", "make room and run the command again");
}

TEST(unreachable_server)
{
    asr_error error;
    asr_catalogue_model model = make_model("unreachable");
    asr_download_params params = {
        .store = store, .hub = "http://127.0.0.1:1", .retry_delay_ms = 1};
    EXPECT(!asr_download_model(&model, &params, &error));
    EXPECT_MESSAGE("check the network and run the command again");
    EXPECT(!exists(".unreachable.part"));
}

TEST(foreign_protocol_is_refused)
{
    asr_error error;
    asr_catalogue_model model = make_model("foreign");
    asr_download_params params = {.store = store, .hub = "file:///", .retry_delay_ms = 1};
    EXPECT(!asr_download_model(&model, &params, &error));
    EXPECT(!exists("foreign"));
}

TEST(stopped_download_goes_on_where_it_was)
{
    asr_error error;
    asr_catalogue_model model = make_model("stopped");
    watch stopping = {.stop_at = 1, .first_done = -1};
    EXPECT(!download_watched("drop", &model, &stopping, &error));
    EXPECT_MESSAGE("was stopped");
    EXPECT(!exists("stopped"));
    long long part = size_of(".stopped.part/model.safetensors.part");
    EXPECT(part > 0 && part <= PIECE);
    watch watching = {.first_done = -1};
    EXPECT_GOOD(download_watched("plain", &model, &watching, &error));
    EXPECT_INT(watching.first_done, part);
    EXPECT_INT(watching.last_total, WEIGHTS_SIZE);
    EXPECT(is_installed("stopped", 0));
}

/* Puts `size` bytes of the weights where an earlier run would have left them. */
static void leave_part(const char *name, size_t size, unsigned version)
{
    char relative[128];
    snprintf(relative, sizeof relative, ".%s.part", name);
    EXPECT(mkdir(in_store(relative), 0755) == 0);
    snprintf(relative, sizeof relative, ".%s.part/model.safetensors.part", name);
    FILE *file = fopen(in_store(relative), "wb");
    EXPECT(file != NULL);
    for (size_t i = 0; file && i < size; i++) {
        fputc(content_at("model.safetensors", i, version), file);
    }
    if (file) {
        fclose(file);
    }
}

TEST(complete_part_needs_no_bytes)
{
    asr_error error;
    asr_catalogue_model model = make_model("complete");
    leave_part("complete", WEIGHTS_SIZE, 0);
    EXPECT_GOOD(download("plain", &model, &error));
    EXPECT(is_installed("complete", 0));
}

TEST(part_of_something_else_starts_over)
{
    asr_error error;
    asr_catalogue_model model = make_model("oversized");
    leave_part("oversized", WEIGHTS_SIZE + 5, 0);
    EXPECT_GOOD(download("plain", &model, &error));
    EXPECT(is_installed("oversized", 0));

    model = make_model("damaged");
    leave_part("damaged", PIECE, 3);
    EXPECT(!download("plain", &model, &error));
    EXPECT_MESSAGE("has the wrong checksum");
    EXPECT_GOOD(download("plain", &model, &error));
    EXPECT(is_installed("damaged", 0));
}

TEST(second_download_of_the_same_model_fails)
{
    asr_error error;
    asr_catalogue_model model = make_model("locked");
    leave_part("locked", 1, 0);
    int lock = open(in_store(".locked.part"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    EXPECT(lock >= 0 && flock(lock, LOCK_EX) == 0);
    EXPECT(!download("plain", &model, &error));
    EXPECT_MESSAGE("locked is being downloaded already");
    close(lock);
}

TEST(full_disk)
{
    asr_error error;
    asr_catalogue_model model = make_model("full");
    struct rlimit before, limited;
    EXPECT(getrlimit(RLIMIT_FSIZE, &before) == 0);
    limited = before;
    limited.rlim_cur = 100000;
    signal(SIGXFSZ, SIG_IGN);
    EXPECT(setrlimit(RLIMIT_FSIZE, &limited) == 0);
    EXPECT(!download("plain", &model, &error));
    EXPECT_MESSAGE("model.safetensors.part cannot be written");
    EXPECT(setrlimit(RLIMIT_FSIZE, &before) == 0);
    EXPECT(!exists("full"));
    EXPECT_GOOD(download("plain", &model, &error));
    EXPECT(is_installed("full", 0));
}

TEST(store_that_cannot_be_made)
{
    asr_error error;
    asr_catalogue_model model = make_model("nowhere");
    asr_download_params params = {.store = "/dev/null/models",
                                  .hub = "http://127.0.0.1:1"};
    EXPECT(!asr_download_model(&model, &params, &error));
    EXPECT_MESSAGE("/dev/null/models/.nowhere.part cannot be made");
}

TEST(something_in_the_way_is_named)
{
    asr_error error;
    asr_catalogue_model model = make_model("way");
    EXPECT(mkdir(in_store("way"), 0755) == 0);
    close(open(in_store("way/notes.txt"), O_CREAT | O_WRONLY, 0644));
    EXPECT(!download("plain", &model, &error));
    EXPECT_MESSAGE("`verbatim-cli models remove way`");
    EXPECT(asr_store_remove(store, "way", &error));
    EXPECT_GOOD(download("plain", &model, &error));
}

/* --- Running ------------------------------------------------------------------------ */

static int remove_entry(const char *path, const struct stat *status, int type,
                        struct FTW *position)
{
    (void)status, (void)type, (void)position;
    return remove(path);
}

#define RUN_IN_STORE(name)                                                               \
    do {                                                                                 \
        snprintf(store, sizeof store, "/tmp/verbatim-test-XXXXXX");                      \
        if (!mkdtemp(store)) {                                                           \
            return EXIT_FAILURE;                                                         \
        }                                                                                \
        RUN(name);                                                                       \
        nftw(store, remove_entry, 8, FTW_DEPTH | FTW_PHYS);                              \
    } while (0)

int main(int argc, char **argv)
{
    hub_server server;
    if (argc != 3 || !hub_server_start(&server, argv[1], argv[2])) {
        puts("Bail out! hub-server.py did not start");
        return EXIT_FAILURE;
    }
    server_port = server.port;
    RUN_IN_STORE(plain);
    RUN_IN_STORE(installed_model_is_left_alone);
    RUN_IN_STORE(cut_connections_are_resumed);
    RUN_IN_STORE(server_without_ranges_starts_over);
    RUN_IN_STORE(changed_file_is_fetched_anew);
    RUN_IN_STORE(wrong_range_starts_over);
    RUN_IN_STORE(checksum_is_kept_over_redirections);
    RUN_IN_STORE(busy_server_is_asked_again);
    RUN_IN_STORE(stalled_connection_is_given_up_and_resumed);
    RUN_IN_STORE(server_errors);
    RUN_IN_STORE(login_page_is_not_a_model);
    RUN_IN_STORE(wrong_content_is_thrown_away);
    RUN_IN_STORE(catalogue_checksum_wins);
    RUN_IN_STORE(catalogue_size_wins);
    RUN_IN_STORE(unverifiable_file_is_refused);
    RUN_IN_STORE(short_answers_end);
    RUN_IN_STORE(long_answer_is_cut);
    RUN_IN_STORE(file_larger_than_the_disk_is_refused);
    RUN_IN_STORE(unreachable_server);
    RUN_IN_STORE(foreign_protocol_is_refused);
    RUN_IN_STORE(stopped_download_goes_on_where_it_was);
    RUN_IN_STORE(complete_part_needs_no_bytes);
    RUN_IN_STORE(part_of_something_else_starts_over);
    RUN_IN_STORE(second_download_of_the_same_model_fails);
    RUN_IN_STORE(full_disk);
    RUN_IN_STORE(store_that_cannot_be_made);
    RUN_IN_STORE(something_in_the_way_is_named);
    hub_server_stop(&server);
    return test_end();
}
