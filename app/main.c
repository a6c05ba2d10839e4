/* verbatim-cli: finds the verb. */
#include "cli.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

static const struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
} verbs[] = {
    {"transcribe", cli_transcribe},
    {"trace", cli_trace},
    {"models", cli_models},
    {"devices", cli_devices},
};

static const char usage[] = "usage: verbatim-cli VERB [ARGUMENT]…\n"
                            "\n"
                            "  transcribe [OPTION]… FILE…\n"
                            "  trace --model DIR --output FILE AUDIO\n"
                            "  models list|download NAME|remove NAME|path NAME\n"
                            "  devices\n"
                            "\n"
                            "`verbatim-cli VERB --help` explains a verb.\n";

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    const char *name = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(name, verbs[i].name) == 0) {
            return verbs[i].run(argc - 1, argv + 1);
        }
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        fputs(usage, stdout);
        return CLI_SUCCESS;
    }
    if (strcmp(name, "--version") == 0) {
        puts("verbatim-cli " VERBATIM_VERSION);
        return CLI_SUCCESS;
    }
    if (name[0]) {
        fprintf(stderr, "verbatim-cli: there is no verb '%s'.\n", name);
    }
    fputs(usage, stderr);
    return CLI_USAGE;
}
