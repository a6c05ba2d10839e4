/* Exporters: every format read back, and every way of failing to write. */
#include "spoken.h"
#include "test.h"
#include "text/export.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <locale.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const spoken english = {.language = "en", .seconds_per_byte = 0.065};

static const char speech[] =
    " Ask not what your country can do for you,| ask what you can"
    " do for your country._ Tom & Jerry say: <b> --> \"ok\"\\";

/* What the exporter writes, to be freed. */
static char *written(const asr_transcript *transcript, asr_export_format format,
                     asr_export_timestamps timestamps)
{
    char *text = NULL;
    size_t size = 0;
    asr_error error = {""};
    asr_export_params params = {.format = format, .timestamps = timestamps};
    FILE *out = open_memstream(&text, &size);
    if (!out || !asr_export_write(out, transcript, &params, &error))
        printf("# %s\n", error.message);
    if (out)
        fclose(out);
    return text;
}

static char *written_speech(asr_export_format format, asr_export_timestamps timestamps)
{
    asr_transcript *transcript = spoken_transcript(&english, speech);
    char *text = written(transcript, format, timestamps);
    asr_transcript_destroy(&transcript);
    return text;
}

TEST(names_of_formats)
{
    asr_export_format format;
    asr_export_timestamps timestamps;
    asr_error error = {""};
    const char *const names[] = {"txt", "srt", "vtt", "json", "tsv"};
    for (size_t i = 0; i < 5; i++) {
        REQUIRE(asr_export_format_parse(names[i], &format, &error));
        EXPECT_STR(asr_export_format_name(format), names[i]);
    }
    EXPECT(!asr_export_format_parse("SRT", &format, &error));
    EXPECT(strstr(error.message, "txt, srt, vtt, json or tsv") != NULL);
    EXPECT(asr_export_timestamps_parse("word", &timestamps, &error));
    EXPECT_INT(timestamps, ASR_TIMESTAMPS_WORD);
    EXPECT(!asr_export_timestamps_parse("words", &timestamps, &error));
    EXPECT(strstr(error.message, "none, segment or word") != NULL);
}

TEST(plain_text)
{
    char *text = written_speech(ASR_EXPORT_TXT, ASR_TIMESTAMPS_NONE);
    EXPECT_STR(text, "Ask not what your country can do for you,\n"
                     "ask what you can do for your country. "
                     "Tom & Jerry say: <b> --> \"ok\"\\\n");
    free(text);
    asr_transcript *transcript = spoken_transcript(&english, " Go on|___ then");
    text = written(transcript, ASR_EXPORT_TXT, ASR_TIMESTAMPS_SEGMENT);
    EXPECT_STR(text,
               "[00:00.000 --> 00:00.390]  Go on\n[00:03.390 --> 00:03.715]  then\n");
    free(text);
    text = written(transcript, ASR_EXPORT_TXT, ASR_TIMESTAMPS_WORD);
    EXPECT_STR(text, "[00:00.000 --> 00:00.195]  Go\n[00:00.195 --> 00:00.390]  on\n"
                     "[00:03.390 --> 00:03.715]  then\n");
    free(text);
    asr_transcript_destroy(&transcript);
}

TEST(subrip)
{
    char *text = written_speech(ASR_EXPORT_SRT, ASR_TIMESTAMPS_SEGMENT);
    REQUIRE(text);
    int n_cues = 0;
    long previous_end = -1;
    const char *at = text;
    while (*at) {
        int number, n_read = 0;
        int t[8];
        REQUIRE(sscanf(at, "%d\n%d:%d:%d,%d --> %d:%d:%d,%d\n%n", &number, &t[0], &t[1],
                       &t[2], &t[3], &t[4], &t[5], &t[6], &t[7], &n_read) == 9);
        long start = ((t[0] * 60 + t[1]) * 60 + t[2]) * 1000L + t[3];
        long end = ((t[4] * 60 + t[5]) * 60 + t[6]) * 1000L + t[7];
        EXPECT_INT(number, ++n_cues);
        EXPECT(start > previous_end && end > start);
        previous_end = end;
        const char *stop = strstr(at + n_read, "\n\n");
        at = stop ? stop + 2 : strchr(at, '\0');
    }
    EXPECT_INT(n_cues, 2);
    EXPECT(strstr(text, "for you,\nask what you") != NULL);
    EXPECT(text[strlen(text) - 1] == '\n');
    free(text);
}

TEST(hours_beyond_99)
{
    asr_transcript *transcript = asr_transcript_create("m", "en", NULL);
    asr_segment segment = {.start = 360000 + 61.5, .end = 360000 + 63, .text = " late"};
    REQUIRE(asr_transcript_add_segment(transcript, &segment, NULL));
    char *text = written(transcript, ASR_EXPORT_SRT, ASR_TIMESTAMPS_NONE);
    EXPECT_STR(text, "1\n100:01:01,500 --> 100:01:03,000\nlate\n");
    free(text);
    text = written(transcript, ASR_EXPORT_TXT, ASR_TIMESTAMPS_SEGMENT);
    EXPECT_STR(text, "[100:01:01.500 --> 100:01:03.000]  late\n");
    free(text);
    asr_transcript_destroy(&transcript);
}

TEST(webvtt)
{
    asr_transcript *transcript = asr_transcript_create("m", "en", NULL);
    asr_segment segment = {
        .start = 0.5, .end = 2, .text = " A & B <i> -->", .speaker = "You>\n<"};
    REQUIRE(asr_transcript_add_segment(transcript, &segment, NULL));
    char *text = written(transcript, ASR_EXPORT_VTT, ASR_TIMESTAMPS_NONE);
    EXPECT_STR(text, "WEBVTT\n\n00:00:00.500 --> 00:00:02.000\n"
                     "<v You&gt; &lt;>A &amp; B &lt;i&gt; --&gt;\n");
    free(text);
    asr_transcript_destroy(&transcript);
    text = written_speech(ASR_EXPORT_VTT, ASR_TIMESTAMPS_WORD);
    EXPECT(strstr(text, "\n\n00:00:00.260 --> 00:00:00.520\nnot\n\n") != NULL);
    free(text);
}

TEST(tab_separated)
{
    asr_transcript *transcript = asr_transcript_create("m", "en", NULL);
    asr_segment segment = {.start = 0.5, .end = 2, .text = " a\tb\nc "};
    REQUIRE(asr_transcript_add_segment(transcript, &segment, NULL));
    char *text = written(transcript, ASR_EXPORT_TSV, ASR_TIMESTAMPS_NONE);
    EXPECT_STR(text, "start\tend\ttext\n500\t2000\ta b c\n");
    free(text);
    asr_transcript_destroy(&transcript);
}

TEST(json)
{
    asr_transcript *transcript = asr_transcript_create("whisper \"base\"", "en", NULL);
    transcript->duration = 11.0004;
    int tokens[] = {50364, 293};
    asr_word words[] = {{0.1234, 0.5, " \x01 quo\"te\\\n", 0.98761f},
                        {2, 1, " b\xFF", NAN}};
    asr_segment segment = {-0.5, 2, " text\xE4\xB8", tokens, 2, words, 2, NULL};
    REQUIRE(asr_transcript_add_segment(transcript, &segment, NULL));

    char *text = written(transcript, ASR_EXPORT_JSON, ASR_TIMESTAMPS_WORD);
    json_error_t problem;
    json_t *root = json_loads(text, 0, &problem);
    REQUIRE(root);
    const char *model, *language, *said, *word_text, *broken_text;
    double duration, start, end, word_start, probability, broken_start, broken_end, none;
    int first, second;
    EXPECT_INT(json_unpack_ex(root, &problem, JSON_STRICT,
                              "{s:s, s:s, s:F, s:[{s:F, s:F, s:s, s:[i, i],"
                              "s:[{s:F, s:F, s:s, s:F}, {s:F, s:F, s:s, s:F}]}]}",
                              "model", &model, "language", &language, "duration",
                              &duration, "segments", "start", &start, "end", &end, "text",
                              &said, "tokens", &first, &second, "words", "start",
                              &word_start, "end", &none, "text", &word_text,
                              "probability", &probability, "start", &broken_start, "end",
                              &broken_end, "text", &broken_text, "probability", &none),
               0);
    EXPECT_STR(model, "whisper \"base\"");
    EXPECT_STR(language, "en");
    EXPECT_NEAR(duration, 11, 0);
    EXPECT_NEAR(start, 0, 0);
    EXPECT_NEAR(end, 2, 0);
    EXPECT_STR(said, " text\xEF\xBF\xBD");
    EXPECT_INT(first, 50364);
    EXPECT_NEAR(word_start, 0.123, 1e-9);
    EXPECT_STR(word_text, " \x01 quo\"te\\\n");
    EXPECT_NEAR(probability, 0.9876, 1e-9);
    EXPECT_NEAR(broken_end, broken_start, 0);
    EXPECT_STR(broken_text, " b\xEF\xBF\xBD");
    EXPECT_NEAR(none, 0, 0);
    json_decref(root);
    free(text);

    text = written(transcript, ASR_EXPORT_JSON, ASR_TIMESTAMPS_SEGMENT);
    EXPECT(strstr(text, "\"words\"") == NULL);
    free(text);
    asr_transcript_destroy(&transcript);
}

TEST(locale_changes_nothing)
{
    const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "C.UTF-8"};
    for (size_t i = 0; i < 4 && !setlocale(LC_ALL, names[i]); i++)
        ;
    char *text = written_speech(ASR_EXPORT_JSON, ASR_TIMESTAMPS_WORD);
    json_t *root = json_loads(text, 0, NULL);
    EXPECT(root != NULL);
    json_decref(root);
    free(text);
    setlocale(LC_ALL, "C");
}

TEST(nothing_said)
{
    asr_transcript *transcript = asr_transcript_create("m", "", NULL);
    char *text = written(transcript, ASR_EXPORT_SRT, ASR_TIMESTAMPS_NONE);
    EXPECT_STR(text, "");
    free(text);
    text = written(transcript, ASR_EXPORT_VTT, ASR_TIMESTAMPS_NONE);
    EXPECT_STR(text, "WEBVTT\n");
    free(text);
    text = written(transcript, ASR_EXPORT_JSON, ASR_TIMESTAMPS_NONE);
    json_t *root = json_loads(text, 0, NULL);
    EXPECT_INT(json_array_size(json_object_get(root, "segments")), 0);
    json_decref(root);
    free(text);
    asr_transcript_destroy(&transcript);
}

TEST(unknown_profile)
{
    asr_transcript *transcript = spoken_transcript(&english, " hello");
    asr_error error = {""};
    asr_export_params params = {.format = ASR_EXPORT_VTT, .profile = "cinema"};
    EXPECT(!asr_export_write(stdout, transcript, &params, &error));
    EXPECT(strstr(error.message, "cinema") != NULL);
    asr_transcript_destroy(&transcript);
}

TEST(full_disk)
{
    if (access("/dev/full", W_OK) != 0)
        SKIP("no /dev/full");
    asr_transcript *transcript = asr_transcript_create("m", "en", NULL);
    for (int i = 0; i < 5000; i++) {
        asr_segment segment = {.start = i, .end = i + 1, .text = " more than a buffer"};
        REQUIRE(asr_transcript_add_segment(transcript, &segment, NULL));
    }
    for (int format = ASR_EXPORT_TXT; format <= ASR_EXPORT_TSV; format++) {
        asr_error error = {""};
        asr_export_params params = {.format = (asr_export_format)format};
        EXPECT(!asr_export_file("/dev/full", transcript, &params, &error));
        EXPECT(strstr(error.message, "/dev/full could not be written") != NULL);
        EXPECT(strstr(error.message, "free some space") != NULL);
    }
    asr_transcript_destroy(&transcript);
}

/* A new folder with nothing in it. */
static bool make_folder(char path[64])
{
    strcpy(path, "/tmp/verbatim-export-XXXXXX");
    return mkdtemp(path) != NULL;
}

static bool export_to(const char *path, asr_error *error)
{
    asr_transcript *transcript = spoken_transcript(&english, speech);
    asr_export_params params = {.format = ASR_EXPORT_SRT};
    bool ok = asr_export_file(path, transcript, &params, error);
    asr_transcript_destroy(&transcript);
    return ok;
}

TEST(files_are_replaced_whole)
{
    char folder[64], path[128], link[128];
    REQUIRE(make_folder(folder));
    snprintf(path, sizeof(path), "%s/talk.srt", folder);
    snprintf(link, sizeof(link), "%s/link.srt", folder);
    asr_error error = {""};
    EXPECT(export_to(path, &error));
    EXPECT(symlink("talk.srt", link) == 0);
    FILE *file = fopen(path, "w");
    REQUIRE(file && fclose(file) == 0);
    EXPECT(export_to(link, &error));
    struct stat info;
    EXPECT(lstat(link, &info) == 0 && S_ISLNK(info.st_mode));
    EXPECT(stat(path, &info) == 0 && info.st_size > 100);
    mode_t mask = umask(0);
    umask(mask);
    EXPECT_INT(info.st_mode & 0777, 0666 & ~mask);
    EXPECT(unlink(path) == 0 && unlink(link) == 0);
    EXPECT(rmdir(folder) == 0); /* no temporary file is left */
}

TEST(nothing_half_written_is_left)
{
    char folder[64], path[128];
    REQUIRE(make_folder(folder));
    snprintf(path, sizeof(path), "%s/talk.srt", folder);
    /* No file may grow beyond 100 bytes, as if the disk were full then. */
    struct rlimit before, small;
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
    small = before;
    small.rlim_cur = 100;
    signal(SIGXFSZ, SIG_IGN);
    fflush(stdout);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
    asr_error error = {""};
    bool ok = export_to(path, &error);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_DFL);
    EXPECT(!ok);
    EXPECT(strstr(error.message, path) != NULL);
    EXPECT(rmdir(folder) == 0);
}

TEST(unwritable_places)
{
    char folder[64], path[128];
    asr_error error = {""};
    REQUIRE(make_folder(folder));
    EXPECT(!export_to(folder, &error));
    EXPECT(strstr(error.message, "is a folder") != NULL);
    snprintf(path, sizeof(path), "%s/missing/talk.srt", folder);
    EXPECT(!export_to(path, &error));
    EXPECT(strstr(error.message, "create the folder first") != NULL);
    EXPECT(strstr(error.message, path) != NULL);
    snprintf(path, sizeof(path), "%s/talk.srt", folder);
    FILE *file = fopen(path, "w");
    REQUIRE(file && fputs("keep", file) >= 0 && fclose(file) == 0);
    strcat(path, "/talk.srt");
    EXPECT(!export_to(path, &error));
    path[strlen(path) - strlen("/talk.srt")] = '\0';
    EXPECT(unlink(path) == 0);
    EXPECT(!export_to("", &error));
    EXPECT(rmdir(folder) == 0);
}

TEST(no_permission)
{
    if (geteuid() == 0)
        SKIP("root may write everywhere");
    char folder[64], path[128];
    asr_error error = {""};
    REQUIRE(make_folder(folder));
    snprintf(path, sizeof(path), "%s/talk.srt", folder);
    EXPECT(chmod(folder, 0500) == 0);
    EXPECT(!export_to(path, &error));
    EXPECT(strstr(error.message, "where you may write") != NULL);
    EXPECT(chmod(folder, 0700) == 0);
    EXPECT(export_to(path, &error) && chmod(path, 0400) == 0);
    EXPECT(!export_to(path, &error));
    EXPECT(unlink(path) == 0 && rmdir(folder) == 0);
}

int main(void)
{
    RUN(names_of_formats);
    RUN(plain_text);
    RUN(subrip);
    RUN(hours_beyond_99);
    RUN(webvtt);
    RUN(tab_separated);
    RUN(json);
    RUN(locale_changes_nothing);
    RUN(nothing_said);
    RUN(unknown_profile);
    RUN(full_disk);
    RUN(files_are_replaced_whole);
    RUN(nothing_half_written_is_left);
    RUN(unwritable_places);
    RUN(no_permission);
    return test_end();
}
