/* verbatim-cli trace: what a model computes, for comparison with its reference. */
#include "cli.h"
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: verbatim-cli trace --model DIR [--device D] [--precision P]\n"
    "                          [--tokens 1,2,3] --output OUT.safetensors AUDIO\n"
    "\n"
    "Writes the features, the encoder's output and the logits after each token; without\n"
    "--tokens, along the model's own greedy path, which is written as `tokens`.\n";

enum {
    OPTION_TOKENS = CLI_OPTION_OWN,
    OPTION_OUTPUT,
    OPTION_HELP,
};

static const struct option option_table[] = {
    CLI_OPTION_ROWS,
    {"tokens", required_argument, NULL, OPTION_TOKENS},
    {"output", required_argument, NULL, OPTION_OUTPUT},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

#define MAX_TOKENS 4096

typedef struct trace_request {
    cli_options options;
    int tokens[MAX_TOKENS];
    int n_tokens;
    const char *output;
    bool help;
} trace_request;

static bool parse_tokens(trace_request *r, const char *text, asr_error *error)
{
    for (r->n_tokens = 0; r->n_tokens < MAX_TOKENS;) {
        char *end;
        errno = 0;
        long token = strtol(text, &end, 10);
        if (end == text || errno || token < 0 || token > 1 << 24 || (*end && *end != ','))
            break;
        r->tokens[r->n_tokens++] = (int)token;
        if (!*end)
            return true;
        text = end + 1;
    }
    return asr_fail(error,
                    "The tokens must be at most %d numbers with commas between "
                    "them.",
                    MAX_TOKENS);
}

static int parse_request(trace_request *r, int argc, char **argv)
{
    asr_error error;
    int option;
    bool ok = true;
    cli_options_init(&r->options);
    while (ok && (option = getopt_long(argc, argv, "", option_table, NULL)) >= 0) {
        if (option == '?')
            return CLI_USAGE;
        if (option == OPTION_TOKENS)
            ok = parse_tokens(r, optarg, &error);
        else if (option == OPTION_OUTPUT)
            r->output = optarg;
        else if (option == OPTION_HELP)
            r->help = true;
        else
            ok = cli_options_set(&r->options, option, optarg, &error);
    }
    if (!ok)
        fprintf(stderr, "verbatim-cli: %s\n", error.message);
    else if (!r->help && (!r->output || argc - optind != 1))
        fputs(usage, stderr);
    else
        return CLI_SUCCESS;
    return CLI_USAGE;
}

int cli_trace(int argc, char **argv)
{
    asr_error error;
    trace_request *r = calloc(1, sizeof(*r));
    if (!r)
        return CLI_FAILURE;
    int status = parse_request(r, argc, argv);
    if (status == CLI_SUCCESS && r->help) {
        fputs(usage, stdout);
    } else if (status == CLI_SUCCESS) {
        asr_model *model = cli_model_open(&r->options, &error);
        if (!model ||
            !asr_model_trace(model, argv[optind], r->n_tokens ? r->tokens : NULL,
                             r->n_tokens, r->output, &error)) {
            fprintf(stderr, "verbatim-cli: %s\n", error.message);
            status = CLI_FAILURE;
        }
        asr_model_destroy(&model);
    }
    cli_options_clear(&r->options);
    free(r);
    return status;
}
