/* verbatim-cli devices: what models can run on here. */
#include "cli.h"

#include "engine.h"

#include <stdio.h>

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
    return fflush(stdout) == 0 ? CLI_SUCCESS : CLI_FAILURE;
}
