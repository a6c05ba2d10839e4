/* verbatim-cli models: what can be had, what is there, download and removal. */
#include "cli.h"
#include "paths.h"

#include "weights/catalogue.h"
#include "weights/download.h"
#include "weights/store.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "usage: verbatim-cli models list\n"
    "       verbatim-cli models download NAME [--hub URL]\n"
    "       verbatim-cli models remove NAME\n"
    "       verbatim-cli models path NAME\n"
    "\n"
    "  list        the models there are, and which of them are installed\n"
    "  download    install a model; an interrupted download goes on where it stopped\n"
    "  remove      remove an installed model\n"
    "  path        print the directory of an installed model\n"
    "  --hub URL   download from another server of the same layout\n"
    "  --catalogue FILE   read another list of models\n";

typedef struct models_request {
    const char *name; /* of a model; NULL for list */
    const char *hub;
    const char *catalogue_path; /* NULL: the one that comes with the program */
    char *store;                /* owned */
} models_request;

static int fail(const asr_error *error)
{
    fprintf(stderr, "verbatim-cli: %s\n", error->message);
    return CLI_FAILURE;
}

static asr_catalogue *open_catalogue(const models_request *request, asr_error *error)
{
    if (request->catalogue_path) {
        return asr_catalogue_create(request->catalogue_path, error);
    }
    char *path = app_path_data("models.json");
    if (!path) {
        asr_fail(error, "The list of models, models.json, is missing; install Verbatim "
                        "again.");
        return NULL;
    }
    asr_catalogue *catalogue = asr_catalogue_create(path, error);
    free(path);
    return catalogue;
}

/* A size as users read it, in powers of 1000 as file managers show it. */
static void format_size(int64_t size, char *text, size_t room)
{
    if (size < 0) {
        snprintf(text, room, "?");
    } else if (size < 1000000000) {
        snprintf(text, room, "%lld MB", (long long)((size + 500000) / 1000000));
    } else {
        snprintf(text, room, "%.1f GB", (double)size / 1e9);
    }
}

static void print_row(const char *name, const char *size, const char *languages,
                      const char *installed)
{
    printf("%-24s %8s  %-14s %s\n", name, size, languages, installed);
}

static void print_model(const models_request *request, const asr_catalogue_model *model)
{
    char size[32], languages[32], installed[32] = "no";
    format_size(asr_catalogue_size(model), size, sizeof size);
    if (model->language_count == 1) {
        snprintf(languages, sizeof languages, "%s", model->languages[0]);
    } else {
        snprintf(languages, sizeof languages, "%zu languages", model->language_count);
    }
    if (asr_store_has(request->store, model->name)) {
        format_size(asr_store_size(request->store, model->name), installed,
                    sizeof installed);
    }
    print_row(model->name, size, languages, installed);
}

/* The models of the catalogue, then those somebody put into the store by hand. */
static int list(const models_request *request)
{
    asr_error error;
    size_t count;
    char **names = asr_store_list(request->store, &count, &error);
    asr_catalogue *catalogue = names ? open_catalogue(request, &error) : NULL;
    int status = catalogue ? CLI_SUCCESS : fail(&error);
    if (catalogue) {
        print_row("NAME", "DOWNLOAD", "LANGUAGES", "INSTALLED");
        for (size_t i = 0; i < catalogue->count; i++) {
            print_model(request, &catalogue->models[i]);
        }
    }
    for (size_t i = 0; names && i < count; i++) {
        if (catalogue && !asr_catalogue_find(catalogue, names[i])) {
            char size[32];
            format_size(asr_store_size(request->store, names[i]), size, sizeof size);
            print_row(names[i], "-", "-", size);
        }
        free(names[i]);
    }
    free(names);
    asr_catalogue_destroy(&catalogue);
    return status;
}

/* Set by Ctrl-C; the download looks at it and stops where it can go on later. */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

typedef struct progress_line {
    bool shown; /* whether there is a line to end */
    time_t last;
} progress_line;

/* On a terminal, a line that is written over at most once a second. */
static bool show_progress(void *user, const char *file, int64_t done, int64_t total)
{
    progress_line *line = user;
    time_t now = time(NULL);
    if (isatty(STDERR_FILENO) && now != line->last && total > 0) {
        char have[32], all[32];
        format_size(done, have, sizeof have);
        format_size(total, all, sizeof all);
        fprintf(stderr, "\r\033[K%s: %d %% (%s of %s)", file,
                (int)(100.0 * (double)done / (double)total), have, all);
        line->shown = true;
        line->last = now;
    }
    return !interrupted;
}

static bool download_model(const models_request *request,
                           const asr_catalogue_model *model, asr_error *error)
{
    progress_line line = {0};
    asr_download_params params = {
        .store = request->store,
        .hub = request->hub,
        .progress = show_progress,
        .user = &line,
    };
    const struct sigaction action = {.sa_handler = on_interrupt};
    struct sigaction previous;
    sigaction(SIGINT, &action, &previous);
    bool good = asr_download_model(model, &params, error);
    sigaction(SIGINT, &previous, NULL);
    if (line.shown) {
        fputs("\r\033[K", stderr);
    }
    return good;
}

static int download(const models_request *request)
{
    asr_error error;
    asr_catalogue *catalogue = open_catalogue(request, &error);
    if (!catalogue) {
        return fail(&error);
    }
    const asr_catalogue_model *model = asr_catalogue_find(catalogue, request->name);
    bool good = false;
    if (!model) {
        asr_fail(&error, "There is no model '%s'; `verbatim-cli models list` shows them.",
                 request->name);
    } else {
        good = download_model(request, model, &error);
    }
    asr_catalogue_destroy(&catalogue);
    return good ? CLI_SUCCESS : fail(&error);
}

static int remove_model(const models_request *request)
{
    asr_error error;
    return asr_store_remove(request->store, request->name, &error) ? CLI_SUCCESS
                                                                   : fail(&error);
}

static int print_path(const models_request *request)
{
    asr_error error;
    char *path = asr_store_path(request->store, request->name, &error);
    if (path && !asr_store_has(request->store, request->name)) {
        asr_fail(&error,
                 "%s is not installed; `verbatim-cli models download %s` does it.",
                 request->name, request->name);
        free(path);
        path = NULL;
    }
    if (!path) {
        return fail(&error);
    }
    puts(path);
    free(path);
    return CLI_SUCCESS;
}

static const struct action {
    const char *name;
    int names; /* how many names of models it takes */
    int (*run)(const models_request *request);
} actions[] = {
    {"list", 0, list},
    {"download", 1, download},
    {"remove", 1, remove_model},
    {"path", 1, print_path},
};

static const struct action *find_action(const char *name)
{
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (strcmp(actions[i].name, name) == 0) {
            return &actions[i];
        }
    }
    return NULL;
}

int cli_models(int argc, char **argv)
{
    static const struct option options[] = {
        {"hub", required_argument, NULL, 'u'},
        {"catalogue", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    models_request request = {0};
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 'u':
            request.hub = optarg;
            break;
        case 'c':
            request.catalogue_path = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            return CLI_SUCCESS;
        default:
            fputs(usage, stderr);
            return CLI_USAGE;
        }
    }
    const struct action *action = optind < argc ? find_action(argv[optind]) : NULL;
    if (!action || argc - optind - 1 != action->names) {
        fputs(usage, stderr);
        return CLI_USAGE;
    }
    request.name = argv[optind + 1];
    request.store = app_path_models();
    if (!request.store) {
        fputs("verbatim-cli: There is no home directory to keep models in; set HOME.\n",
              stderr);
        return CLI_FAILURE;
    }
    int status = action->run(&request);
    free(request.store);
    return status;
}
