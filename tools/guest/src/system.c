/* Verbs that act on the system: commands, file systems, bus scans. */
#include "guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/cdrom.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OUTPUT_LIMIT 65536

/* run TIMEOUT_MS COMMAND: a line for the shell; its exit code, and what it printed, errors too, 64 KiB of it. */
static void run(struct answer *answer, char **arguments) {
    uint64_t timeout_ms;
    int output[2];
    if (!number(answer, arguments[0], &timeout_ms))
        return;
    if (pipe2(output, O_CLOEXEC))
        return fail_errno(answer, "pipe");
    pid_t child = fork();
    if (child == 0) {
        setpgid(0, 0);
        dup2(open("/dev/null", O_RDONLY), 0);
        dup2(output[1], 1);
        dup2(output[1], 2);
        execl("/bin/sh", "sh", "-c", arguments[1], (char *)NULL);
        _exit(127);
    }
    close(output[1]);
    char *text = malloc(OUTPUT_LIMIT);
    size_t held = 0;
    uint64_t deadline = monotonic_ns() + timeout_ms * 1000000;
    bool ended = false;
    while (text && !ended && monotonic_ns() < deadline) {
        struct pollfd wait = {output[0], POLLIN, 0};
        char rest[4096];
        if (poll(&wait, 1, (int)((deadline - monotonic_ns()) / 1000000) + 1) <= 0)
            continue;
        bool full = held == OUTPUT_LIMIT;
        ssize_t got = read(output[0], full ? rest : text + held, full ? sizeof rest : OUTPUT_LIMIT - held);
        if (got <= 0)
            ended = true;
        else if (!full)
            held += (size_t)got;
    }
    close(output[0]);
    if (!ended) {
        kill(-child, SIGKILL);
        kill(child, SIGKILL);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (!ended)
        fail(answer, "took longer than %s ms", arguments[0]);
    else if (text) {
        put_number(answer, "code", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        put_bytes(answer, "output", text, held);
    }
    free(text);
}

/* mount DEVICE FOLDER TYPE: makes the folder; succeeds when just that is mounted there already. */
static void mount_device(struct answer *answer, char **arguments) {
    mkdir(arguments[1], 0755);
    unsigned long flags = strcmp(arguments[2], "iso9660") ? 0 : MS_RDONLY;
    if (!mount(arguments[0], arguments[1], arguments[2], flags, NULL))
        return;
    int reason = errno;
    char line[1024], device[256], folder[256];
    FILE *mounts = reason == EBUSY ? fopen("/proc/mounts", "re") : NULL;
    bool mounted = false;
    while (mounts && fgets(line, sizeof line, mounts))
        if (sscanf(line, "%255s %255s", device, folder) == 2)
            mounted |= !strcmp(device, arguments[0]) && !strcmp(folder, arguments[1]);
    if (mounts)
        fclose(mounts);
    if (!mounted)
        fail(answer, "%s: %s", arguments[0], strerror(reason));
}

static void unmount(struct answer *answer, char **arguments) {
    if (umount(arguments[0]) && errno != EINVAL) /* EINVAL: is not mounted */
        fail_errno(answer, arguments[0]);
}

/* A write to a frozen file system waits, and cannot be called off, so a thread does it that outlives the verb. */
struct probe {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char path[300];
    bool done, abandoned;
    int error;
};

static void release(struct probe *probe) {
    pthread_cond_destroy(&probe->changed);
    pthread_mutex_destroy(&probe->lock);
    free(probe);
}

static void *write_probe(void *argument) {
    struct probe *probe = argument;
    int file = open(probe->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int error = file < 0 || write(file, "?", 1) != 1 || fsync(file) || unlink(probe->path) ? errno : 0;
    if (file >= 0)
        close(file);
    pthread_mutex_lock(&probe->lock);
    probe->done = true;
    probe->error = error;
    bool abandoned = probe->abandoned;
    pthread_cond_signal(&probe->changed);
    pthread_mutex_unlock(&probe->lock);
    if (abandoned)
        release(probe);
    return NULL;
}

/* frozen FOLDER TIMEOUT_MS: whether a small durable write takes longer than that. */
static void frozen(struct answer *answer, char **arguments) {
    uint64_t timeout_ms;
    pthread_t thread;
    struct probe *probe = calloc(1, sizeof *probe);
    if (!probe || !number(answer, arguments[1], &timeout_ms))
        return free(probe);
    snprintf(probe->path, sizeof probe->path, "%s/.probe-%llx", arguments[0], (unsigned long long)monotonic_ns());
    pthread_mutex_init(&probe->lock, NULL);
    pthread_cond_init(&probe->changed, NULL);
    if (pthread_create(&thread, NULL, write_probe, probe)) {
        fail(answer, "no thread");
        return release(probe);
    }
    pthread_detach(thread);
    uint64_t until = wall_ns() + timeout_ms * 1000000;
    struct timespec deadline = {(time_t)(until / 1000000000), (long)(until % 1000000000)};
    pthread_mutex_lock(&probe->lock);
    while (!probe->done && !pthread_cond_timedwait(&probe->changed, &probe->lock, &deadline))
        ;
    bool done = probe->done;
    int error = probe->error;
    probe->abandoned = !done;
    pthread_mutex_unlock(&probe->lock);
    if (done)
        release(probe);
    if (done && error)
        fail(answer, "%s: %s", arguments[0], strerror(error));
    else
        put_truth(answer, "frozen", !done);
}

static void write_sys(const char *path, const char *text) {
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return;
    ssize_t put = write(file, text, strlen(text));
    (void)put; /* a host that cannot scan has nothing to find */
    close(file);
}

static void write_each(const char *folder, const char *file, const char *text) {
    DIR *entries = opendir(folder);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s/%s", folder, entry->d_name, file);
        if (entry->d_name[0] != '.')
            write_sys(path, text);
    }
    if (entries)
        closedir(entries);
}

/* rescan: new devices and sizes on SCSI and PCI buses, for what does not tell by itself. */
static void rescan(struct answer *answer, char **arguments) {
    (void)answer;
    (void)arguments;
    write_sys("/sys/bus/pci/rescan", "1");
    write_each("/sys/class/scsi_host", "scan", "- - -");
    write_each("/sys/class/scsi_device", "device/rescan", "1");
}

/* eject DRIVE: opens the tray, as a user of the guest would. */
static void eject(struct answer *answer, char **arguments) {
    int file = open(arguments[0], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return fail_errno(answer, arguments[0]);
    ioctl(file, CDROM_LOCKDOOR, 0);
    if (ioctl(file, CDROMEJECT))
        fail_errno(answer, arguments[0]);
    close(file);
}

static void flush(struct answer *answer, char **arguments) {
    (void)answer;
    (void)arguments;
    sync();
}

const struct verb system_verbs[] = {
    {"run", 2, run},       {"mount", 3, mount_device}, {"unmount", 1, unmount}, {"frozen", 2, frozen},
    {"rescan", 0, rescan}, {"eject", 1, eject},        {"sync", 0, flush},      {0},
};
