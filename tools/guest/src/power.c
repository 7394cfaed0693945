/* The power button, and verbs that end the guest. The first process does it: see main.c. */
#include "guest.h"

#include <fcntl.h>
#include <linux/input.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static volatile bool obeys = true;
static volatile int presses = 0;

static int open_button(void) {
    for (int number = 0; number < 32; number++) {
        char path[64], name[256] = "";
        snprintf(path, sizeof path, "/dev/input/event%d", number);
        int device = open(path, O_RDONLY | O_CLOEXEC);
        if (device >= 0 && ioctl(device, EVIOCGNAME(sizeof name), name) >= 0 && strstr(name, "Power Button"))
            return device;
        if (device >= 0)
            close(device);
    }
    return -1;
}

static void *watch(void *unused) {
    (void)unused;
    int device;
    while ((device = open_button()) < 0)
        sleep(1);
    for (struct input_event event; read(device, &event, sizeof event) == sizeof event;) {
        if (event.type != EV_KEY || event.code != KEY_POWER || event.value != 1)
            continue;
        presses++;
        if (obeys)
            kill(1, SIGUSR2);
    }
    return NULL;
}

void watch_power_button(void) {
    char option[32];
    pthread_t thread;
    boot_option(option, sizeof option, "stratal.power", "obey");
    obeys = strcmp(option, "ignore");
    if (!pthread_create(&thread, NULL, watch, NULL))
        pthread_detach(thread);
}

/* power-button obey|ignore|ask: how often it was pressed since the boot. */
static void power_button(struct answer *answer, char **arguments) {
    if (!strcmp(arguments[0], "obey") || !strcmp(arguments[0], "ignore"))
        obeys = strcmp(arguments[0], "ignore");
    else if (strcmp(arguments[0], "ask"))
        return fail(answer, "obey, ignore or ask");
    put_truth(answer, "obeys", obeys);
    put_number(answer, "presses", presses);
}

/* The answer leaves before the first process stops everything, which begins with a pause. */
static void power_off(struct answer *answer, char **arguments) {
    (void)answer;
    (void)arguments;
    kill(1, SIGUSR2);
}

static void restart(struct answer *answer, char **arguments) {
    (void)answer;
    (void)arguments;
    kill(1, SIGTERM);
}

static void *panic_soon(void *unused) {
    usleep(200000);
    int trigger = open("/proc/sysrq-trigger", O_WRONLY);
    ssize_t put = write(trigger, "c", 1);
    (void)put;
    return unused;
}

/* panic: the kernel's end, a moment after the answer. */
static void panic(struct answer *answer, char **arguments) {
    (void)answer;
    (void)arguments;
    pthread_t thread;
    if (!pthread_create(&thread, NULL, panic_soon, NULL))
        pthread_detach(thread);
}

const struct verb power_verbs[] = {
    {"power-button", 1, power_button}, {"poweroff", 0, power_off}, {"reboot", 0, restart}, {"panic", 0, panic}, {0},
};
