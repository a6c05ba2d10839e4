/* The cache of converted weights: made once, repaired, and done without. */
#include "recipes.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* The path of the only file in a cache. */
static const char *cached_file(const char *cache)
{
    const char *name;
    EXPECT_INT(scratch_count(cache, &name), 1);
    return scratch_path("%s/%s", cache, name);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

TEST(the_cache_is_made_once)
{
    struct stat before, after;
    asr_weights *weights = open_cached("once", ASR_I8);
    EXPECT(weights != NULL);
    asr_weights_destroy(&weights);
    REQUIRE(stat(cached_file("once"), &before) == 0);
    weights = open_cached("once", ASR_I8);
    check_weights(weights, ASR_I8);
    asr_weights_destroy(&weights);
    REQUIRE(stat(cached_file("once"), &after) == 0);
    EXPECT(same_file(&before, &after));
}

TEST(a_change_makes_another_file)
{
    struct stat info;
    asr_weights *weights = open_cached("changes", ASR_F16);
    asr_weights_destroy(&weights);
    EXPECT_INT(scratch_count("changes", NULL), 1);
    upper[0] += 1;
    write_tensors("model/model.safetensors", checkpoint,
                  sizeof(checkpoint) / sizeof(checkpoint[0]));
    weights = open_cached("changes", ASR_F16);
    check_weights(weights, ASR_F16);
    asr_weights_destroy(&weights);
    EXPECT_INT(scratch_count("changes", NULL), 2);
    make_checkpoint();
    weights = open_cached("changes", ASR_I8);
    asr_weights_destroy(&weights);
    EXPECT_INT(scratch_count("changes", NULL), 3);
    recipes[2].parts[1].optional = false;
    strcpy(recipes[2].parts[1].name, "bias");
    weights = open_cached("changes", ASR_I8);
    EXPECT(weights != NULL);
    asr_weights_destroy(&weights);
    recipes[2].parts[1].optional = true;
    memset(recipes[2].parts[1].name, 0, sizeof(recipes[2].parts[1].name));
    strcpy(recipes[2].parts[1].name, "none");
    EXPECT_INT(scratch_count("changes", NULL), 4);
    weights = open_cached("changes", ASR_I8);
    check_weights(weights, ASR_I8);
    asr_weights_destroy(&weights);
    EXPECT_INT(scratch_count("changes", NULL), 4);
    EXPECT(stat(scratch_path("changes"), &info) == 0 && (info.st_mode & 0077) == 0);
}

/* Replaces the cached file's contents, which must then be made anew. */
static void check_repair(const void *bytes, size_t n, size_t whole)
{
    char name[512];
    const char *path = cached_file("repair");
    snprintf(name, sizeof(name), "%s", path + strlen(scratch_folder) + 1);
    scratch_write(name, bytes, n);
    asr_weights *weights = open_cached("repair", ASR_I8);
    check_weights(weights, ASR_I8);
    asr_weights_destroy(&weights);
    struct stat info;
    EXPECT(stat(cached_file("repair"), &info) == 0);
    EXPECT_INT(info.st_size, whole);
}

TEST(a_damaged_cache_is_made_anew)
{
    size_t n, other;
    asr_weights *weights = open_cached("repair", ASR_I8);
    EXPECT(weights != NULL);
    asr_weights_destroy(&weights);
    char *bytes = scratch_read(cached_file("repair"), &n);
    for (size_t cut = 0; cut < n; cut += n / 20 + 1)
        check_repair(bytes, cut, n);
    check_repair(bytes, n - 1, n);
    char *text = strstr(bytes + 8, "stacked");
    REQUIRE(text);
    text[0] = 'S';
    check_repair(bytes, n, n);
    text[0] = 's';
    memset(bytes, 'x', 100);
    check_repair(bytes, n, n);
    free(bytes);
    /* A sound file of another model. */
    weights = open_cached("other", ASR_F16);
    asr_weights_destroy(&weights);
    bytes = scratch_read(cached_file("other"), &other);
    check_repair(bytes, other, n);
    free(bytes);
}

/* Whether the weights are right without any file being left in the cache. */
static bool works_without(const char *cache)
{
    asr_weights *weights = open_cached(cache, ASR_I8);
    bool ok = weights != NULL;
    if (ok)
        check_weights(weights, ASR_I8);
    asr_weights_destroy(&weights);
    return ok && !test_case_failed;
}

TEST(a_cache_that_cannot_be_used_is_done_without)
{
    size_t n;
    scratch_text("file", "precious");
    EXPECT(works_without("file"));
    EXPECT(works_without("file/below"));
    char *bytes = scratch_read(scratch_path("file"), &n);
    EXPECT_STR(bytes, "precious");
    free(bytes);
    EXPECT(symlink("nowhere/at/all", scratch_path("dangling")) == 0);
    EXPECT(works_without("dangling"));
    /* A folder where the file belongs. */
    char name[600];
    asr_weights *weights = open_cached("blocked", ASR_I8);
    asr_weights_destroy(&weights);
    snprintf(name, sizeof(name), "%s", cached_file("blocked"));
    EXPECT(remove(name) == 0 && mkdir(name, 0700) == 0);
    EXPECT(works_without("blocked"));
    EXPECT_STR(cached_file("blocked"), name);
    if (geteuid() != 0) {
        scratch_text("closed/x", "");
        EXPECT(chmod(scratch_path("closed"), 0500) == 0);
        EXPECT(works_without("closed"));
        EXPECT_INT(scratch_count("closed", NULL), 1);
        EXPECT(chmod(scratch_path("closed"), 0700) == 0);
    }
}

/* Runs `work` in a process of its own and returns its exit status. */
static int in_child(int (*work)(void))
{
    int status = -1;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        int result = work();
        fflush(stdout);
        _exit(result);
    }
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status)
                                                                    : -1;
}

enum { CHILD_GOOD, CHILD_BAD, CHILD_UNABLE = 77 };

/* In a file system of its own that is as good as full. */
static int on_a_full_disk(void)
{
    const char *disk = scratch_path("disk");
    if ((unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", disk, "tmpfs", 0, "size=4k") != 0)
        return CHILD_UNABLE;
    scratch_text("disk/filler", "takes the only page there is");
    bool ok = works_without("disk") && scratch_count("disk", NULL) == 1;
    return ok ? CHILD_GOOD : CHILD_BAD;
}

TEST(a_full_disk_is_done_without)
{
    scratch_text("disk/x", "");
    int status = in_child(on_a_full_disk);
    if (status == CHILD_UNABLE)
        SKIP("this system does not let a test mount a small file system");
    EXPECT_INT(status, CHILD_GOOD);
}

/* Nothing can be written at all, in memory neither. */
static int at_the_limit(void)
{
    asr_error error;
    struct rlimit limit = {64, 64};
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return CHILD_UNABLE;
    asr_weights *weights = open_model("model", "limited", ASR_I8, &error);
    bool ok = !weights && strstr(error.message, "not enough memory");
    return ok && scratch_count("limited", NULL) == 0 ? CHILD_GOOD : CHILD_BAD;
}

TEST(a_write_that_fails_leaves_nothing)
{
    EXPECT_INT(in_child(at_the_limit), CHILD_GOOD);
}

static int open_and_check(void)
{
    return works_without("race") ? CHILD_GOOD : CHILD_BAD;
}

TEST(several_programs_may_convert_at_once)
{
    enum { CHILDREN = 8 };
    pid_t children[CHILDREN];
    fflush(stdout);
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        if (children[i] == 0)
            _exit(open_and_check());
    }
    for (int i = 0; i < CHILDREN; i++) {
        int status = -1;
        EXPECT(waitpid(children[i], &status, 0) == children[i]);
        EXPECT_INT(status, 0);
    }
    EXPECT_INT(scratch_count("race", NULL), 1);
}

int main(void)
{
    make_checkpoint();
    RUN(the_cache_is_made_once);
    RUN(a_change_makes_another_file);
    RUN(a_damaged_cache_is_made_anew);
    RUN(a_cache_that_cannot_be_used_is_done_without);
    RUN(a_full_disk_is_done_without);
    RUN(a_write_that_fails_leaves_nothing);
    RUN(several_programs_may_convert_at_once);
    scratch_remove();
    return test_end();
}
