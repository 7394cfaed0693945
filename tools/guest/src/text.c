/* Small files of /proc and /sys, and times. */
#include "guest.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void read_text(char *buffer, size_t room, const char *format, ...) {
    char path[512];
    va_list values;
    va_start(values, format);
    vsnprintf(path, sizeof path, format, values);
    va_end(values);
    buffer[0] = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return;
    ssize_t got = read(file, buffer, room - 1);
    close(file);
    if (got < 0)
        got = 0;
    while (got > 0 && strchr(" \n\t", buffer[got - 1]))
        got--;
    buffer[got] = 0;
}

void boot_option(char *buffer, size_t room, const char *name, const char *fallback) {
    char line[4096];
    snprintf(buffer, room, "%s", fallback);
    read_text(line, sizeof line, "/proc/cmdline");
    size_t length = strlen(name);
    char *rest = NULL;
    for (char *word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        if (!strncmp(word, name, length) && word[length] == '=')
            snprintf(buffer, room, "%s", word + length + 1);
}

static uint64_t now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

uint64_t monotonic_ns(void) { return now(CLOCK_MONOTONIC); }

uint64_t wall_ns(void) { return now(CLOCK_REALTIME); }
