/* verbatim-cli transcribe: files in, captions out.
 *
 * Plain text on standard output appears as it is recognised; everything else is written
 * when a file is done. Ctrl-C ends the file at hand and keeps what was recognised. */
#include "cli.h"
#include "options.h"
#include "progress.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char usage[] =
    "usage: verbatim-cli transcribe [OPTION]… FILE…\n"
    "\n" CLI_OPTION_HELP "  --timestamps T      none, segment or word\n"
    "  --format F          txt, srt, vtt, json or tsv (txt)\n"
    "  --profile NAME      rules for subtitles: default, bbc or plain\n"
    "  --output FILE|DIR   where to write; DIR receives a file for each FILE\n";

enum {
    OPTION_TIMESTAMPS = CLI_OPTION_OWN,
    OPTION_FORMAT,
    OPTION_PROFILE,
    OPTION_OUTPUT,
    OPTION_HELP,
};

static const struct option option_table[] = {
    CLI_OPTION_ROWS,
    {"timestamps", required_argument, NULL, OPTION_TIMESTAMPS},
    {"format", required_argument, NULL, OPTION_FORMAT},
    {"profile", required_argument, NULL, OPTION_PROFILE},
    {"output", required_argument, NULL, OPTION_OUTPUT},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

typedef struct request {
    cli_options options;
    asr_export_params export;
    bool has_format, has_timestamps;
    const char *output; /* NULL: standard output */
    bool output_is_directory;
    char **files;
    int n_files;
    bool help;
} request;

/* Set by the first Ctrl-C; the second one finds the default action and ends the program.
 */
static volatile sig_atomic_t stop_requested;

static void handle_interrupt(int number)
{
    (void)number;
    stop_requested = 1;
}

static void install_interrupt_handler(void)
{
    struct sigaction action = {.sa_handler = handle_interrupt,
                               .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static bool set_own_option(request *r, int option, const char *value, asr_error *error)
{
    switch (option) {
    case OPTION_TIMESTAMPS:
        r->has_timestamps = true;
        return asr_export_timestamps_parse(value, &r->export.timestamps, error);
    case OPTION_FORMAT:
        r->has_format = true;
        return asr_export_format_parse(value, &r->export.format, error);
    case OPTION_PROFILE:
        r->export.profile = value;
        return asr_subtitle_profile_find(value, "en", error) != NULL;
    case OPTION_OUTPUT:
        r->output = value;
        return true;
    case OPTION_HELP:
        r->help = true;
        return true;
    default:
        return cli_options_set(&r->options, option, value, error);
    }
}

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The length of a file's name without its extension. */
static size_t stem_length(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && dot != name ? (size_t)(dot - name) : strlen(name);
}

/* Whether another file would be written under the same stem. */
static bool has_namesake(const request *r, int index)
{
    const char *name = file_name(r->files[index]);
    size_t length = stem_length(name);
    for (int i = 0; i < r->n_files; i++) {
        const char *other = file_name(r->files[i]);
        if (i != index && stem_length(other) == length &&
            strncmp(other, name, length) == 0)
            return true;
    }
    return false;
}

/* DIR/NAME.FORMAT; with its extension kept in NAME where two files differ by it only. */
static char *output_path(const request *r, int index, asr_error *error)
{
    const char *name = file_name(r->files[index]);
    size_t length = has_namesake(r, index) ? strlen(name) : stem_length(name);
    char *path = NULL;
    if (asprintf(&path, "%s/%.*s.%s", r->output, (int)length, name,
                 asr_export_format_name(r->export.format)) < 0) {
        asr_fail_memory(error);
        return NULL;
    }
    return path;
}

/* Whether every file gets a result of its own. */
static bool check_outputs(const request *r, asr_error *error)
{
    bool ok = true;
    char **paths = calloc((size_t)r->n_files, sizeof(*paths));
    if (!paths)
        return asr_fail_memory(error);
    for (int i = 0; i < r->n_files && ok; i++) {
        paths[i] = output_path(r, i, error);
        ok = paths[i] != NULL;
        for (int other = 0; other < i && ok; other++)
            if (strcmp(paths[i], paths[other]) == 0)
                ok = asr_fail(error,
                              "%s and %s would both be written to %s; give them one by "
                              "one, with another --output.",
                              r->files[other], r->files[i], paths[i]);
    }
    for (int i = 0; i < r->n_files; i++)
        free(paths[i]);
    free(paths);
    return ok;
}

/* Makes the folder that results go to, unless two of them would be one file. */
static bool prepare_directory(const request *r, asr_error *error)
{
    if (!check_outputs(r, error))
        return false;
    if (mkdir(r->output, 0777) < 0 && errno != EEXIST)
        return asr_fail(error, "The folder %s cannot be made: %s.", r->output,
                        strerror(errno));
    return cli_is_directory(r->output) ||
           asr_fail(error, "%s is not a folder, which several files need.", r->output);
}

/* What follows from the options together: a directory for several files, the format from
 * an output's name, times where a format has them. */
static bool complete_request(request *r, asr_error *error)
{
    size_t length = r->output ? strlen(r->output) : 0;
    r->output_is_directory =
        r->output && (r->n_files > 1 || cli_is_directory(r->output) ||
                      (length > 0 && r->output[length - 1] == '/'));
    const char *dot = r->output ? strrchr(r->output, '.') : NULL;
    if (!r->has_format && dot && !r->output_is_directory)
        asr_export_format_parse(dot + 1, &r->export.format, NULL);
    if (!r->has_timestamps)
        r->export.timestamps = r->export.format == ASR_EXPORT_TXT
                                   ? ASR_TIMESTAMPS_NONE
                                   : ASR_TIMESTAMPS_SEGMENT;
    return !r->output_is_directory || prepare_directory(r, error);
}

/* CLI_USAGE with a message when the arguments make no sense, CLI_FAILURE when what they
 * name cannot be used. */
static int parse_request(request *r, int argc, char **argv)
{
    asr_error error;
    int option;
    *r = (request){0};
    cli_options_init(&r->options);
    while ((option = getopt_long(argc, argv, "", option_table, NULL)) >= 0) {
        if (option == '?')
            return CLI_USAGE;
        if (!set_own_option(r, option, optarg, &error)) {
            fprintf(stderr, "verbatim-cli: %s\n", error.message);
            return option == CLI_OPTION_HOTWORDS ? CLI_FAILURE : CLI_USAGE;
        }
    }
    r->files = argv + optind;
    r->n_files = argc - optind;
    if (r->help)
        return CLI_SUCCESS;
    if (r->n_files == 0) {
        fputs(usage, stderr);
        return CLI_USAGE;
    }
    if (!complete_request(r, &error)) {
        fprintf(stderr, "verbatim-cli: %s\n", error.message);
        return CLI_FAILURE;
    }
    return CLI_SUCCESS;
}

/* One file being transcribed, as the progress callback sees it. */
typedef struct job {
    const request *request;
    cli_progress bar;
    size_t n_printed; /* segments on standard output already */
    bool failed;      /* to write them */
    asr_error error;
} job;

/* Prints the segments that are new since the last call. */
static bool print_segments(job *j, const asr_transcript *transcript)
{
    asr_transcript rest = *transcript;
    rest.segments += j->n_printed;
    rest.n_segments -= j->n_printed;
    if (rest.n_segments == 0)
        return true;
    cli_progress_hide(&j->bar);
    j->n_printed = transcript->n_segments;
    return asr_export_write(stdout, &rest, &j->request->export, &j->error);
}

static bool streams_text(const request *r)
{
    return !r->output && r->export.format == ASR_EXPORT_TXT;
}

static bool on_progress(void *user, const asr_progress *progress)
{
    job *j = user;
    if (streams_text(j->request) && !print_segments(j, progress->transcript)) {
        j->failed = true;
        return false;
    }
    cli_progress_show(&j->bar, progress->seconds_done, progress->duration);
    return !stop_requested;
}

static bool write_result(const request *r, int index, const asr_transcript *transcript,
                         asr_error *error)
{
    if (!r->output)
        return asr_export_write(stdout, transcript, &r->export, error);
    if (!r->output_is_directory)
        return asr_export_file(r->output, transcript, &r->export, error);
    char *path = output_path(r, index, error);
    bool ok = path && asr_export_file(path, transcript, &r->export, error);
    free(path);
    return ok;
}

static bool transcribe_file(const request *r, asr_model *model, int index)
{
    job j = {.request = r};
    bool subtitles =
        r->export.format == ASR_EXPORT_SRT || r->export.format == ASR_EXPORT_VTT;
    asr_transcribe_params params = {
        .language = r->options.language,
        .translate = r->options.translate,
        .word_times = subtitles || r->export.timestamps == ASR_TIMESTAMPS_WORD,
        .beam_size = r->options.beam_size,
        .previous_text = true,
        .hotwords = (const char *const *)r->options.hotwords,
        .n_hotwords = r->options.n_hotwords,
        .progress = on_progress,
        .user = &j,
    };
    cli_progress_begin(&j.bar, file_name(r->files[index]));
    asr_transcript *transcript =
        asr_model_transcribe(model, r->files[index], &params, &j.error);
    cli_progress_hide(&j.bar);
    bool ok = transcript && !j.failed;
    if (ok && !streams_text(r))
        ok = write_result(r, index, transcript, &j.error);
    if (!ok)
        fprintf(stderr, "verbatim-cli: %s\n", j.error.message);
    asr_transcript_destroy(&transcript);
    return ok;
}

int cli_transcribe(int argc, char **argv)
{
    request r;
    asr_error error;
    int status = parse_request(&r, argc, argv);
    if (status == CLI_SUCCESS && r.help) {
        fputs(usage, stdout);
    } else if (status == CLI_SUCCESS) {
        asr_model *model = cli_model_open(&r.options, &error);
        if (!model) {
            fprintf(stderr, "verbatim-cli: %s\n", error.message);
            status = CLI_FAILURE;
        }
        install_interrupt_handler();
        for (int i = 0; model && i < r.n_files && !stop_requested; i++)
            if (!transcribe_file(&r, model, i))
                status = CLI_FAILURE;
        if (stop_requested) {
            fputs("verbatim-cli: stopped; what was recognised so far is kept.\n", stderr);
            status = CLI_FAILURE;
        }
        asr_model_destroy(&model);
    }
    cli_options_clear(&r.options);
    return status;
}
