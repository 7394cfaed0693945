/* QEMU's guest agent, run, kept from running, or played by someone who never answers. */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* While this file is there, the agent's hook keeps a freeze from coming to its end. */
#define STUCK "/run/agent-stuck"

enum mode { RUN, OFF, HANG, STUCK_FREEZE };
static const char *const names[] = {"run", "off", "hang", "stuck"};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum mode wanted = RUN;
static pid_t child = 0;

static enum mode wanted_mode(void) {
    pthread_mutex_lock(&lock);
    enum mode mode = wanted;
    pthread_mutex_unlock(&lock);
    return mode;
}

/* Runs the agent until it ends, which it does when it is killed or its port is unplugged. */
static void run_agent(void) {
    if (access(AGENT_PORT, F_OK))
        return;
    pthread_mutex_lock(&lock);
    pid_t agent = fork();
    if (agent == 0) {
        execl("/usr/sbin/qemu-ga", "qemu-ga", "--method=virtio-serial", "--path=" AGENT_PORT, "--statedir=/run",
              "--logfile=/run/agent.log", "--fsfreeze-hook=/etc/freeze-hook", (char *)NULL);
        _exit(127);
    }
    child = agent;
    pthread_mutex_unlock(&lock);
    waitpid(agent, NULL, 0);
    pthread_mutex_lock(&lock);
    child = 0;
    pthread_mutex_unlock(&lock);
}

/* Holds the port open and reads nothing. */
static void hang_agent(void) {
    int held = open(AGENT_PORT, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    while (held >= 0 && wanted_mode() == HANG)
        usleep(100000);
    if (held >= 0)
        close(held);
}

static void *keep(void *unused) {
    for (;; usleep(200000)) {
        enum mode mode = wanted_mode();
        if (mode == RUN || mode == STUCK_FREEZE)
            run_agent();
        else if (mode == HANG)
            hang_agent();
    }
    return unused;
}

static bool choose(const char *name) {
    for (enum mode mode = RUN; mode <= STUCK_FREEZE; mode++) {
        if (strcmp(name, names[mode]))
            continue;
        if (mode == STUCK_FREEZE)
            close(open(STUCK, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        else
            unlink(STUCK);
        pthread_mutex_lock(&lock);
        wanted = mode;
        if (child && (mode == OFF || mode == HANG))
            kill(child, SIGKILL);
        pthread_mutex_unlock(&lock);
        return true;
    }
    return false;
}

void start_agent(void) {
    char option[32];
    pthread_t thread;
    boot_option(option, sizeof option, "stratal.agent", "run");
    choose(option);
    if (!pthread_create(&thread, NULL, keep, NULL))
        pthread_detach(thread);
}

/* agent run|off|hang|stuck: `stuck` answers, but a freeze never ends. Killed in the midst of a freeze, the file
 * systems stay frozen: that is what the next agent, or the host's watchdog, has to find. */
static void agent(struct answer *answer, char **arguments) {
    if (strcmp(arguments[0], "ask") && !choose(arguments[0]))
        return fail(answer, "run, off, hang, stuck or ask");
    put_text(answer, "mode", names[wanted_mode()]);
    pthread_mutex_lock(&lock);
    put_truth(answer, "running", child != 0);
    pthread_mutex_unlock(&lock);
}

const struct verb agent_verbs[] = {{"agent", 1, agent}, {0}};
