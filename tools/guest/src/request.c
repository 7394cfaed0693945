/* Requests from the host: lines on a virtio-serial port, each answered in a thread of its own.
 *
 * A request is `ID VERB ARGUMENT...`, words parted by one space, bytes that would not fit a word as %XX. The answer
 * is `ID ok {JSON}` or `ID error TEXT`. A line that starts with `!` is an event that nobody asked for. Threads, since
 * a write to a frozen file system must not keep others from being answered.
 */
#include "guest.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES (256 * 1024)
#define MOST_WORDS 16

static int port = -1;
static pthread_mutex_t port_lock = PTHREAD_MUTEX_INITIALIZER;

static const struct verb *const tables[] = {content_verbs, beat_verbs,  machine_verbs,
                                            system_verbs,  agent_verbs, power_verbs};

bool number(struct answer *answer, const char *text, uint64_t *value) {
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 10);
    if (errno || !isdigit((unsigned char)text[0]) || *end)
        fail(answer, "%s is not a number", text);
    return !answer->failed;
}

static void decode(char *word) {
    char *to = word;
    for (char *from = word; *from; to++) {
        char digits[3] = {0};
        if (from[0] == '%' && isxdigit((unsigned char)from[1]) && isxdigit((unsigned char)from[2])) {
            memcpy(digits, from + 1, 2);
            *to = (char)strtol(digits, NULL, 16);
            from += 3;
        } else {
            *to = *from++;
        }
    }
    *to = 0;
}

void tell(const char *line, size_t length) {
    pthread_mutex_lock(&port_lock);
    ssize_t put = write(port, line, length);
    (void)put; /* dropped when the host does not keep up, which must not slow a beat */
    pthread_mutex_unlock(&port_lock);
}

/* A host that does not read for ten seconds is taken to be gone. */
static void send_answer(const char *data, size_t length) {
    pthread_mutex_lock(&port_lock);
    while (length) {
        ssize_t put = write(port, data, length);
        if (put > 0) {
            data += put;
            length -= (size_t)put;
        } else if (put < 0 && errno != EAGAIN && errno != EINTR) {
            break;
        } else {
            struct pollfd wait = {port, POLLOUT, 0};
            if (poll(&wait, 1, 10000) <= 0)
                break;
        }
    }
    pthread_mutex_unlock(&port_lock);
}

static const struct verb *find(const char *name) {
    for (size_t table = 0; table < sizeof tables / sizeof *tables; table++)
        for (const struct verb *verb = tables[table]; verb->name; verb++)
            if (!strcmp(verb->name, name))
                return verb;
    return NULL;
}

static void answer_request(struct answer *answer, char **words, int count) {
    const struct verb *verb = count < 2 ? NULL : find(words[1]);
    if (!verb) {
        fail(answer, "no such verb");
    } else if (count - 2 != verb->arguments) {
        fail(answer, "%s takes %d arguments", verb->name, verb->arguments);
    } else {
        open_object(answer, NULL);
        verb->run(answer, words + 2);
        if (!answer->failed)
            close_object(answer);
    }
}

static void *handle(void *line) {
    char *words[MOST_WORDS + 1] = {0}, *rest = line;
    int count = 0;
    for (char *word; count < MOST_WORDS && (word = strsep(&rest, " "));)
        words[count++] = word;
    for (int at = 1; at < count; at++)
        decode(words[at]);
    struct answer answer = {0};
    answer_request(&answer, words, count);
    size_t room = strlen(words[0]) + answer.length + 16;
    char *text = malloc(room);
    if (text) {
        int length = snprintf(text, room, "%s %s %s\n", words[0], answer.failed ? "error" : "ok", answer.text);
        send_answer(text, (size_t)length);
    }
    free(text);
    free(answer.text);
    free(line);
    return NULL;
}

static void dispatch(const char *line) {
    pthread_t thread;
    char *copy = strdup(line);
    if (*line && copy && !pthread_create(&thread, NULL, handle, copy))
        pthread_detach(thread);
    else
        free(copy);
}

/* Reads what there is; false when nobody is at the other end, or the port has gone. */
static bool take(char *buffer, size_t *held) {
    ssize_t got = read(port, buffer + *held, LINE_BYTES - 1 - *held);
    if (got <= 0)
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    *held += (size_t)got;
    buffer[*held] = 0;
    char *line = buffer;
    for (char *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = 0;
        dispatch(line);
    }
    *held = strlen(line);
    memmove(buffer, line, *held + 1);
    if (*held == LINE_BYTES - 1)
        *held = 0; /* no request is that long */
    return true;
}

void serve(void) {
    char *buffer = malloc(LINE_BYTES);
    size_t held = 0;
    if (!buffer)
        abort();
    for (;;) {
        if (port < 0) {
            held = 0;
            int opened = open(CONTROL_PORT, O_RDWR | O_NONBLOCK | O_CLOEXEC);
            pthread_mutex_lock(&port_lock);
            port = opened;
            pthread_mutex_unlock(&port_lock);
        }
        struct pollfd wait = {port, POLLIN, 0};
        errno = 0;
        if (port < 0 || (poll(&wait, 1, -1) > 0 && wait.revents & POLLHUP && !(wait.revents & POLLIN)) ||
            !take(buffer, &held)) {
            if (port >= 0 && errno == ENODEV) { /* unplugged: its name may come back with another device */
                pthread_mutex_lock(&port_lock);
                close(port);
                port = -1;
                pthread_mutex_unlock(&port_lock);
            }
            usleep(50000);
        }
    }
}
