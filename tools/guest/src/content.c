/* Verbs about what is on a disk or in a file: patterns, hashes, small texts. */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHUNK_BYTES (1 << 20)
#define TEXT_LIMIT 65536

/* Past the page cache where the file system can: what is verified must come from the disk. */
int open_range(struct answer *answer, const char *path, int flags) {
    int file = open(path, flags | O_DIRECT | O_CLOEXEC, 0644);
    if (file < 0 && errno == EINVAL)
        file = open(path, flags | O_CLOEXEC, 0644);
    if (file < 0)
        fail_errno(answer, path);
    return file;
}

bool read_whole(int file, void *data, size_t length, uint64_t offset) {
    for (size_t done = 0; done < length;) {
        ssize_t got = pread(file, (char *)data + done, length - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0)
            errno = ENODATA;
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

bool write_whole(int file, const void *data, size_t length, uint64_t offset) {
    for (size_t done = 0; done < length;) {
        ssize_t put = pwrite(file, (const char *)data + done, length - done, (off_t)(offset + done));
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        done += (size_t)put;
    }
    return true;
}

void *aligned_buffer(size_t length) {
    void *buffer = NULL;
    if (posix_memalign(&buffer, 4096, length))
        abort();
    return buffer;
}

struct range {
    uint64_t offset, length;
};

static bool range_of(struct answer *answer, char **arguments, struct range *range) {
    if (!number(answer, arguments[0], &range->offset) || !number(answer, arguments[1], &range->length))
        return false;
    if (range->offset % SECTOR_BYTES || range->length % SECTOR_BYTES)
        fail(answer, "offset and length must be multiples of %d", SECTOR_BYTES);
    return !answer->failed;
}

static size_t chunk_at(const struct range *range, uint64_t done) {
    uint64_t left = range->length - done;
    return left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES;
}

/* pattern-write PATH SEED OFFSET LENGTH: durable when it answers. */
static void write_pattern(struct answer *answer, char **arguments) {
    uint64_t seed;
    struct range range;
    if (!number(answer, arguments[1], &seed) || !range_of(answer, arguments + 2, &range))
        return;
    int file = open_range(answer, arguments[0], O_WRONLY | (strncmp(arguments[0], "/dev/", 5) ? O_CREAT : 0));
    if (file < 0)
        return;
    unsigned char *buffer = aligned_buffer(CHUNK_BYTES);
    uint64_t begun = monotonic_ns(), done = 0;
    for (; done < range.length && !answer->failed; done += chunk_at(&range, done)) {
        size_t chunk = chunk_at(&range, done);
        fill_pattern(buffer, seed, (range.offset + done) / SECTOR_BYTES, chunk / SECTOR_BYTES);
        if (!write_whole(file, buffer, chunk, range.offset + done))
            fail_errno(answer, arguments[0]);
    }
    if (!answer->failed && fdatasync(file))
        fail_errno(answer, arguments[0]);
    if (close(file) && !answer->failed)
        fail_errno(answer, arguments[0]);
    free(buffer);
    if (!answer->failed)
        put_number(answer, "nanoseconds", (int64_t)(monotonic_ns() - begun));
}

static void put_difference(struct answer *answer, uint64_t offset, const unsigned char *expected,
                           const unsigned char *found, size_t length) {
    size_t at = 0;
    while (expected[at] == found[at])
        at++;
    size_t shown = length - at < 16 ? length - at : 16;
    put_truth(answer, "matches", false);
    put_number(answer, "offset", (int64_t)(offset + at));
    put_hex(answer, "expected", expected + at, shown);
    put_hex(answer, "found", found + at, shown);
}

/* pattern-verify PATH SEED OFFSET LENGTH: the first byte that differs, if one does. */
static void verify_pattern(struct answer *answer, char **arguments) {
    uint64_t seed;
    struct range range;
    if (!number(answer, arguments[1], &seed) || !range_of(answer, arguments + 2, &range))
        return;
    int file = open_range(answer, arguments[0], O_RDONLY);
    if (file < 0)
        return;
    unsigned char *found = aligned_buffer(CHUNK_BYTES), *expected = aligned_buffer(CHUNK_BYTES);
    bool same = true;
    for (uint64_t done = 0; done < range.length && same; done += chunk_at(&range, done)) {
        size_t chunk = chunk_at(&range, done);
        fill_pattern(expected, seed, (range.offset + done) / SECTOR_BYTES, chunk / SECTOR_BYTES);
        if (!read_whole(file, found, chunk, range.offset + done)) {
            fail_errno(answer, arguments[0]);
            break;
        }
        same = !memcmp(expected, found, chunk);
        if (!same)
            put_difference(answer, range.offset + done, expected, found, chunk);
    }
    if (same && !answer->failed)
        put_truth(answer, "matches", true);
    close(file);
    free(found);
    free(expected);
}

/* hash PATH OFFSET LENGTH: SHA-256, by busybox, which knows how. */
static void hash(struct answer *answer, char **arguments) {
    struct range range;
    if (!range_of(answer, arguments + 1, &range))
        return;
    int file = open_range(answer, arguments[0], O_RDONLY);
    if (file < 0)
        return;
    int input[2], output[2];
    if (pipe2(input, O_CLOEXEC) || pipe2(output, O_CLOEXEC)) {
        fail_errno(answer, "pipe");
        close(file);
        return;
    }
    pid_t child = fork();
    if (child == 0) {
        dup2(input[0], 0);
        dup2(output[1], 1);
        execl("/bin/busybox", "sha256sum", (char *)NULL);
        _exit(127);
    }
    close(input[0]);
    close(output[1]);
    void *buffer = aligned_buffer(CHUNK_BYTES);
    for (uint64_t done = 0; done < range.length && !answer->failed; done += chunk_at(&range, done)) {
        size_t chunk = chunk_at(&range, done);
        if (!read_whole(file, buffer, chunk, range.offset + done))
            fail_errno(answer, arguments[0]);
        for (size_t put = 0; put < chunk && !answer->failed;) {
            ssize_t some = write(input[1], (char *)buffer + put, chunk - put);
            if (some < 0)
                fail_errno(answer, "sha256sum");
            else
                put += (size_t)some;
        }
    }
    close(input[1]);
    char digest[65] = "";
    ssize_t got = read(output[0], digest, 64);
    waitpid(child, NULL, 0);
    if (!answer->failed && got != 64)
        fail(answer, "sha256sum did not answer");
    if (!answer->failed)
        put_text(answer, "sha256", digest);
    close(output[0]);
    close(file);
    free(buffer);
}

/* file-write PATH TEXT: in place of what the file held; durable, with its name, when it answers. */
static void write_file(struct answer *answer, char **arguments) {
    int file = open(arguments[0], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0)
        return fail_errno(answer, arguments[0]);
    if (!write_whole(file, arguments[1], strlen(arguments[1]), 0) || fsync(file))
        fail_errno(answer, arguments[0]);
    close(file);
    char folder[512];
    snprintf(folder, sizeof folder, "%s", arguments[0]);
    char *slash = strrchr(folder, '/');
    if (answer->failed || !slash)
        return;
    slash[slash == folder] = 0;
    int directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0 || fsync(directory))
        fail_errno(answer, folder);
    if (directory >= 0)
        close(directory);
}

/* file-read PATH: at most 64 KiB. */
static void read_file(struct answer *answer, char **arguments) {
    int file = open(arguments[0], O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return fail_errno(answer, arguments[0]);
    char *buffer = aligned_buffer(TEXT_LIMIT);
    ssize_t got = read(file, buffer, TEXT_LIMIT);
    if (got < 0)
        fail_errno(answer, arguments[0]);
    else
        put_bytes(answer, "text", buffer, (size_t)got);
    free(buffer);
    close(file);
}

const struct verb content_verbs[] = {
    {"pattern-write", 4, write_pattern},
    {"pattern-verify", 4, verify_pattern},
    {"hash", 3, hash},
    {"file-write", 2, write_file},
    {"file-read", 1, read_file},
    {0},
};
