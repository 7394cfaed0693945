/* What the parts of the guest's program share. One static program; see main.c for how it runs. */
#ifndef STRATAL_GUEST_H
#define STRATAL_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECTOR_BYTES 512
#define CONTROL_PORT "/dev/virtio-ports/org.stratal.test.0"
#define AGENT_PORT "/dev/virtio-ports/org.qemu.guest_agent.0"

/* answer.c: the answer to one request, a JSON object that grows, or the text of a failure. */
struct answer {
    char *text;
    size_t length, room;
    bool failed;
};

void open_object(struct answer *answer, const char *key);
void close_object(struct answer *answer);
void open_array(struct answer *answer, const char *key);
void close_array(struct answer *answer);
void put_text(struct answer *answer, const char *key, const char *value);
void put_bytes(struct answer *answer, const char *key, const void *data, size_t length);
void put_hex(struct answer *answer, const char *key, const unsigned char *data, size_t length);
void put_number(struct answer *answer, const char *key, int64_t value);
void put_truth(struct answer *answer, const char *key, bool value);
/* Forgets what was put and makes the answer a failure. */
void fail(struct answer *answer, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* fail() with the meaning of errno. */
void fail_errno(struct answer *answer, const char *what);

/* request.c: requests and their verbs. A verb gets its arguments, decoded, with NULL after the last. */
struct verb {
    const char *name;
    int arguments;
    void (*run)(struct answer *answer, char **arguments);
};

extern const struct verb content_verbs[], beat_verbs[], machine_verbs[], system_verbs[];
/* An argument as a number; fails the answer, and returns false, when it is none. */
bool number(struct answer *answer, const char *text, uint64_t *value);
void serve(void);
/* Sends one line to the host if the port takes it at once, else drops it. */
void tell(const char *line, size_t length);

/* pattern.c: bytes that depend on a seed and on their position. */
void fill_pattern(unsigned char *data, uint64_t seed, uint64_t first_sector, size_t sectors);
uint64_t mix(uint64_t value);

/* content.c: a range of a device or a file, read and written past the page cache. */
int open_range(struct answer *answer, const char *path, int flags);
bool read_whole(int file, void *data, size_t length, uint64_t offset);
bool write_whole(int file, const void *data, size_t length, uint64_t offset);
/* A buffer that direct I/O accepts; ends the program when there is no memory. */
void *aligned_buffer(size_t length);

/* modules.c, power.c, agent.c */
void load_modules(const char *list);
void watch_power_button(void);
void start_agent(void);
extern const struct verb agent_verbs[], power_verbs[];

/* text.c: small files of /proc and /sys, and times. */
/* The file's text without the white space at its end; empty when it cannot be read. */
void read_text(char *buffer, size_t room, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The value of a word NAME=VALUE of the kernel's command line; `fallback` when there is none. */
void boot_option(char *buffer, size_t room, const char *name, const char *fallback);
uint64_t monotonic_ns(void);
uint64_t wall_ns(void);

#endif
