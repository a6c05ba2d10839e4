/* Options that several verbs share: which model, on which device, for which speech. */
#ifndef APP_OPTIONS_H
#define APP_OPTIONS_H

#include "engine.h"

#include <getopt.h>

typedef struct cli_options {
    const char *model; /* name or directory */
    const char *device;
    asr_precision precision;
    const char *language; /* code, or NULL: detect */
    bool translate;
    int beam_size;
    char **hotwords; /* owned, as is each */
    size_t n_hotwords;
} cli_options;

/* What getopt_long returns for the shared options. */
enum {
    CLI_OPTION_MODEL = 256,
    CLI_OPTION_DEVICE,
    CLI_OPTION_PRECISION,
    CLI_OPTION_LANGUAGE,
    CLI_OPTION_TASK,
    CLI_OPTION_BEAM_SIZE,
    CLI_OPTION_HOTWORD,
    CLI_OPTION_HOTWORDS,
    CLI_OPTION_OWN, /* the first of a verb's own */
};

/* Their rows in getopt_long's table, and their help. */
#define CLI_OPTION_ROWS                                                                  \
    {"model", required_argument, NULL, CLI_OPTION_MODEL},                                \
        {"device", required_argument, NULL, CLI_OPTION_DEVICE},                          \
        {"precision", required_argument, NULL, CLI_OPTION_PRECISION},                    \
        {"language", required_argument, NULL, CLI_OPTION_LANGUAGE},                      \
        {"task", required_argument, NULL, CLI_OPTION_TASK},                              \
        {"beam-size", required_argument, NULL, CLI_OPTION_BEAM_SIZE},                    \
        {"hotword", required_argument, NULL, CLI_OPTION_HOTWORD},                        \
    {                                                                                    \
        "hotwords", required_argument, NULL, CLI_OPTION_HOTWORDS                         \
    }

#define CLI_OPTION_HELP                                                                  \
    "  --model NAME|DIR    an installed model or its directory (whisper-base)\n"         \
    "  --device DEVICE     auto, cpu, vulkan, vulkan:N or reference (auto)\n"            \
    "  --precision P       auto, f32, f16 or int8 (auto)\n"                              \
    "  --language CODE     en, de, zh, … or auto (auto)\n"                             \
    "  --task TASK         transcribe, or translate into English (transcribe)\n"         \
    "  --beam-size N       hypotheses kept while searching, 1 to 15 (5)\n"               \
    "  --hotword PHRASE    a phrase to expect; may be repeated\n"                        \
    "  --hotwords FILE     phrases to expect, one a line; # begins a comment\n"

void cli_options_init(cli_options *options);
void cli_options_clear(cli_options *options);

/* Takes one shared option. False with a message when its value makes no sense. */
bool cli_options_set(cli_options *options, int option, const char *value,
                     asr_error *error);

/* Whether there is a directory of that name. */
bool cli_is_directory(const char *path);

/* The directory of the model asked for; owned by the caller (free). */
char *cli_model_directory(const cli_options *options, asr_error *error);

/* Opens the model asked for. */
asr_model *cli_model_open(const cli_options *options, asr_error *error);

#endif
