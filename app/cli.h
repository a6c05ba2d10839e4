/* The verbs of verbatim-cli. Each gets its own arguments, argv[0] being the verb, and
 * returns the exit status. Results go to standard output, messages to standard error. */
#ifndef CLI_H
#define CLI_H

enum {
    CLI_SUCCESS = 0,
    CLI_FAILURE = 1,
    CLI_USAGE = 2,
};

int cli_transcribe(int argc, char **argv);
int cli_trace(int argc, char **argv);
int cli_models(int argc, char **argv);
int cli_devices(int argc, char **argv);

#endif
