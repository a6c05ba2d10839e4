/* verbatim-cli devices: what models can run on here. */
#include "cli.h"

#include "engine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MAX_DEVICES 32

int cli_devices(int argc, char **argv)
{
    (void)argv;
    if (argc > 1) {
        fputs("usage: verbatim-cli devices\n", stderr);
        return CLI_USAGE;
    }
    asr_device devices[MAX_DEVICES];
    int n = asr_device_list(devices, MAX_DEVICES);
    for (int i = 0; i < n && i < MAX_DEVICES; i++)
        printf("%-10s %s%s\n", devices[i].id, devices[i].name,
               devices[i].is_default ? "  (default)" : "");
    if (fflush(stdout) == 0)
        return CLI_SUCCESS;
    fprintf(stderr, "verbatim-cli: The output could not be written (%s).\n",
            strerror(errno));
    return CLI_FAILURE;
}
