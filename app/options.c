/* The shared options: parsing, and opening the model that they ask for. */
#include "options.h"

#include "paths.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEFAULT_MODEL "whisper-base"

void cli_options_init(cli_options *options)
{
    *options = (cli_options){
        .model = DEFAULT_MODEL,
        .device = "auto",
        .beam_size = ASR_BEAM_SIZE_DEFAULT,
    };
}

void cli_options_clear(cli_options *options)
{
    for (size_t i = 0; i < options->n_hotwords; i++)
        free(options->hotwords[i]);
    free(options->hotwords);
    *options = (cli_options){0};
}

static bool add_hotword(cli_options *options, const char *phrase, size_t length,
                        asr_error *error)
{
    char **hotwords =
        realloc(options->hotwords, (options->n_hotwords + 1) * sizeof(*hotwords));
    if (!hotwords)
        return asr_fail_memory(error);
    options->hotwords = hotwords;
    hotwords[options->n_hotwords] = strndup(phrase, length);
    if (!hotwords[options->n_hotwords])
        return asr_fail_memory(error);
    options->n_hotwords++;
    return true;
}

/* Adds a line of a list, without comment and outer spaces; an empty one is no phrase. */
static bool add_hotword_line(cli_options *options, const char *line, asr_error *error)
{
    size_t length = strcspn(line, "#\r\n");
    while (length > 0 && isspace((unsigned char)line[length - 1]))
        length--;
    while (length > 0 && isspace((unsigned char)*line)) {
        line++;
        length--;
    }
    return length == 0 || add_hotword(options, line, length, error);
}

static bool read_hotwords(cli_options *options, const char *path, asr_error *error)
{
    FILE *in = fopen(path, "re");
    if (!in)
        return asr_fail(error, "The list of hotwords %s cannot be read: %s.", path,
                        strerror(errno));
    char *line = NULL;
    size_t room = 0;
    bool ok = true;
    while (ok && getline(&line, &room, in) >= 0)
        ok = add_hotword_line(options, line, error);
    if (ok && ferror(in))
        ok = asr_fail(error, "The list of hotwords %s cannot be read: %s.", path,
                      strerror(errno));
    free(line);
    fclose(in);
    return ok;
}

static bool set_language(cli_options *options, const char *value, asr_error *error)
{
    options->language = NULL;
    if (strcmp(value, "auto") == 0)
        return true;
    const asr_language *language = asr_language_find(value);
    if (!language)
        return asr_fail(error,
                        "The language \"%.40s\" is not known; give a code such as en, de "
                        "or zh, or auto.",
                        value);
    options->language = language->code;
    return true;
}

static bool set_task(cli_options *options, const char *value, asr_error *error)
{
    options->translate = strcmp(value, "translate") == 0;
    return options->translate || strcmp(value, "transcribe") == 0 ||
           asr_fail(error, "There is no task \"%.40s\"; choose transcribe or translate.",
                    value);
}

static bool set_beam_size(cli_options *options, const char *value, asr_error *error)
{
    char *end;
    long n = strtol(value, &end, 10);
    if (*end || end == value || n < 1 || n > ASR_BEAM_SIZE_MAX)
        return asr_fail(error, "The beam size must be a number from 1 to %d.",
                        ASR_BEAM_SIZE_MAX);
    options->beam_size = (int)n;
    return true;
}

bool cli_options_set(cli_options *options, int option, const char *value,
                     asr_error *error)
{
    switch (option) {
    case CLI_OPTION_MODEL:
        options->model = value;
        return true;
    case CLI_OPTION_DEVICE:
        options->device = value;
        return true;
    case CLI_OPTION_PRECISION:
        return asr_precision_parse(value, &options->precision, error);
    case CLI_OPTION_LANGUAGE:
        return set_language(options, value, error);
    case CLI_OPTION_TASK:
        return set_task(options, value, error);
    case CLI_OPTION_BEAM_SIZE:
        return set_beam_size(options, value, error);
    case CLI_OPTION_HOTWORD:
        return add_hotword(options, value, strlen(value), error);
    case CLI_OPTION_HOTWORDS:
        return read_hotwords(options, value, error);
    default:
        return asr_fail(error, "An option is not known.");
    }
}

bool cli_is_directory(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

char *cli_model_directory(const cli_options *options, asr_error *error)
{
    if (strchr(options->model, '/') || cli_is_directory(options->model)) {
        char *copy = strdup(options->model);
        if (!copy)
            asr_fail_memory(error);
        return copy;
    }
    char *store = app_path_models();
    char *path = NULL;
    if (!store)
        asr_fail(error, "There is no home directory to look for models in; set HOME.");
    else if (!asr_store_valid_name(options->model) ||
             !asr_store_has(store, options->model))
        asr_fail(error,
                 "The model %.60s is not installed; run `verbatim-cli models download "
                 "%.60s`.",
                 options->model, options->model);
    else
        path = asr_store_path(store, options->model, error);
    free(store);
    return path;
}

asr_model *cli_model_open(const cli_options *options, asr_error *error)
{
    char *directory = cli_model_directory(options, error);
    char *cache = app_path_cache();
    asr_model_params params = {
        .directory = directory,
        .cache_directory = cache,
        .device = options->device,
        .precision = options->precision,
        .max_beam_size = options->beam_size,
    };
    asr_model *model = directory ? asr_model_open(&params, error) : NULL;
    free(directory);
    free(cache);
    return model;
}
