/* The guest's program.
 *
 *   stratal-guest modules LIST    loads kernel modules
 *   stratal-guest                 becomes the first process: starts the server (itself, again) and keeps it running,
 *                                 buries orphans, and ends the machine on SIGUSR2 (off) and SIGTERM (restart), the
 *                                 signals that busybox's poweroff and reboot send
 */
#include "guest.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

static void serve_here(void) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_IGN);
    watch_power_button();
    start_agent();
    fputs("Stratal's guest is ready\n", stderr);
    serve();
}

static pid_t start_server(void) {
    pid_t server = fork();
    if (server == 0) {
        serve_here();
        _exit(1);
    }
    return server;
}

/* Latest first; what is still in use becomes read-only, so that nothing is left to be replayed. */
static void unmount_all(void) {
    static char folders[64][256];
    char line[1024];
    int count = 0;
    FILE *mounts = fopen("/proc/mounts", "re");
    while (mounts && count < 64 && fgets(line, sizeof line, mounts))
        if (!strncmp(line, "/dev/", 5) && sscanf(line, "%*s %255s", folders[count]) == 1)
            count++;
    while (count--)
        if (umount(folders[count]))
            mount(NULL, folders[count], NULL, MS_REMOUNT | MS_RDONLY, NULL);
}

static void end(int how) {
    usleep(200000); /* for the answer that is on its way */
    kill(-1, SIGTERM);
    usleep(200000);
    kill(-1, SIGKILL);
    unmount_all();
    sync();
    reboot(how);
    exit(1);
}

int main(int count, char **arguments) {
    if (count == 3 && !strcmp(arguments[1], "modules")) {
        load_modules(arguments[2]);
        return 0;
    }
    if (getpid() != 1) {
        fputs("usage: stratal-guest modules LIST\n", stderr);
        return 64;
    }
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGCHLD);
    sigaddset(&wanted, SIGUSR2);
    sigaddset(&wanted, SIGTERM);
    sigprocmask(SIG_BLOCK, &wanted, NULL);
    pid_t server = start_server();
    for (int got; !sigwait(&wanted, &got);) {
        if (got == SIGUSR2)
            end(RB_POWER_OFF);
        if (got == SIGTERM)
            end(RB_AUTOBOOT);
        for (pid_t ended; (ended = waitpid(-1, NULL, WNOHANG)) > 0;)
            if (ended == server) {
                usleep(100000);
                server = start_server();
            }
    }
    return 1;
}
