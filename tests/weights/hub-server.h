/* Starting and stopping hub-server.py from a C test. */
#ifndef HUB_SERVER_H
#define HUB_SERVER_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct hub_server {
    pid_t process;
    int input; /* closing it ends the server */
    char port[16];
} hub_server;

static inline bool hub_server_start(hub_server *server, char *python, char *script)
{
    int input[2], output[2];
    if (pipe2(input, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0) {
        return false;
    }
    server->process = fork();
    if (server->process == 0) {
        dup2(input[0], STDIN_FILENO);
        dup2(output[1], STDOUT_FILENO);
        char *arguments[] = {python, script, NULL};
        execvp(python, arguments);
        _exit(127);
    }
    close(input[0]);
    close(output[1]);
    server->input = input[1];
    FILE *stream = fdopen(output[0], "r");
    bool good = stream && fgets(server->port, sizeof server->port, stream);
    if (stream) {
        fclose(stream);
    }
    server->port[good ? strcspn(server->port, "\n") : 0] = '\0';
    return good;
}

static inline void hub_server_stop(const hub_server *server)
{
    close(server->input);
    waitpid(server->process, NULL, 0);
}

#endif
