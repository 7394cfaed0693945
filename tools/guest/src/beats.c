/* Heartbeats: a thread that keeps writing numbered, timed blocks, and knows the largest gap between two of them.
 *
 * What a guest sees of a pause is a gap here. Beat N lies in slot N modulo the range's slots, so a disk that was
 * frozen at one moment holds every beat up to some number and none after it.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SLOT_BYTES 4096
#define MOST_BEATS 32
#define MAGIC 0x5354524245415431ULL

/* The start of a slot; the rest is a pattern of the run and the number, so that a torn block shows. */
struct record {
    uint64_t magic, run, number, monotonic, wall;
};

struct beat {
    char name[64], path[256];
    uint64_t offset, slots, interval_ns, run;
    int file;
    bool flush, echo;
    pthread_t thread;
    pthread_mutex_t lock;
    /* Under the lock. A gap counts from the end of one write to the end of the next. */
    bool stopping, running;
    uint64_t written, last_ns, largest_gap_ns, largest_gap_after, longest_write_ns, marked;
    char error[128];
};

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static struct beat *beats[MOST_BEATS];

static void fill_slot(void *slot, const struct record *record) {
    fill_pattern(slot, record->run, record->number * (SLOT_BYTES / SECTOR_BYTES), SLOT_BYTES / SECTOR_BYTES);
    memcpy(slot, record, sizeof *record);
}

static void count(struct beat *beat, uint64_t begun, uint64_t ended) {
    pthread_mutex_lock(&beat->lock);
    if (beat->last_ns && ended - beat->last_ns > beat->largest_gap_ns) {
        beat->largest_gap_ns = ended - beat->last_ns;
        beat->largest_gap_after = beat->written - 1;
    }
    if (ended - begun > beat->longest_write_ns)
        beat->longest_write_ns = ended - begun;
    beat->last_ns = ended;
    beat->written++;
    pthread_mutex_unlock(&beat->lock);
}

static bool stopping(struct beat *beat) {
    pthread_mutex_lock(&beat->lock);
    bool answer = beat->stopping;
    pthread_mutex_unlock(&beat->lock);
    return answer;
}

static void *keep_beating(void *argument) {
    struct beat *beat = argument;
    void *slot = aligned_buffer(SLOT_BYTES);
    char line[128];
    for (uint64_t number = 0; !stopping(beat); number++) {
        uint64_t begun = monotonic_ns();
        struct record record = {MAGIC, beat->run, number, begun, wall_ns()};
        fill_slot(slot, &record);
        if (!write_whole(beat->file, slot, SLOT_BYTES, beat->offset + number % beat->slots * SLOT_BYTES) ||
            (beat->flush && fdatasync(beat->file))) {
            pthread_mutex_lock(&beat->lock);
            snprintf(beat->error, sizeof beat->error, "%s", strerror(errno));
            pthread_mutex_unlock(&beat->lock);
            break;
        }
        uint64_t ended = monotonic_ns();
        count(beat, begun, ended);
        if (beat->echo)
            tell(line, (size_t)snprintf(line, sizeof line, "! beat %s %" PRIu64 " %" PRIu64 "\n", beat->name, number,
                                        ended));
        struct timespec pause = {(time_t)(beat->interval_ns / 1000000000), (long)(beat->interval_ns % 1000000000)};
        nanosleep(&pause, NULL);
    }
    free(slot);
    close(beat->file);
    pthread_mutex_lock(&beat->lock);
    beat->running = false;
    pthread_mutex_unlock(&beat->lock);
    return NULL;
}

/* The place of a beat in the table, or of the first free one with a NULL name; NULL when there is none. */
static struct beat **place_of(const char *name) {
    for (size_t at = 0; at < MOST_BEATS; at++)
        if (name ? beats[at] && !strcmp(beats[at]->name, name) : !beats[at])
            return &beats[at];
    return NULL;
}

static void put_report(struct answer *answer, struct beat *beat) {
    pthread_mutex_lock(&beat->lock);
    put_truth(answer, "running", beat->running);
    put_number(answer, "run", (int64_t)beat->run);
    put_number(answer, "written", (int64_t)beat->written);
    put_number(answer, "since_mark", (int64_t)(beat->written - beat->marked));
    put_number(answer, "largest_gap_ns", (int64_t)beat->largest_gap_ns);
    put_number(answer, "largest_gap_after", (int64_t)beat->largest_gap_after);
    put_number(answer, "longest_write_ns", (int64_t)beat->longest_write_ns);
    put_number(answer, "since_last_ns", beat->last_ns ? (int64_t)(monotonic_ns() - beat->last_ns) : 0);
    put_text(answer, "error", beat->error);
    pthread_mutex_unlock(&beat->lock);
}

/* beat-start NAME PATH OFFSET LENGTH INTERVAL_US FLUSH ECHO: FLUSH makes each beat durable, ECHO tells the host. */
static void start_beat(struct answer *answer, char **arguments) {
    uint64_t offset, length, interval_us;
    if (!number(answer, arguments[2], &offset) || !number(answer, arguments[3], &length) ||
        !number(answer, arguments[4], &interval_us))
        return;
    if (offset % SLOT_BYTES || length % SLOT_BYTES || !length)
        return fail(answer, "offset and length must be multiples of %d", SLOT_BYTES);
    pthread_mutex_lock(&table_lock);
    struct beat **place = place_of(NULL);
    if (place_of(arguments[0])) {
        fail(answer, "a beat of that name exists");
    } else if (!place) {
        fail(answer, "there are %d beats already", MOST_BEATS);
    } else {
        int file = open_range(answer, arguments[1], O_WRONLY | (strncmp(arguments[1], "/dev/", 5) ? O_CREAT : 0));
        struct beat *beat = file < 0 ? NULL : calloc(1, sizeof *beat);
        if (beat) {
            *beat = (struct beat){.offset = offset, .slots = length / SLOT_BYTES, .interval_ns = interval_us * 1000,
                                  /* Positive in a signed word, and another one for each start. */
                                  .run = mix(wall_ns() ^ monotonic_ns()) >> 2, .file = file, .running = true,
                                  .flush = !strcmp(arguments[5], "1"), .echo = !strcmp(arguments[6], "1")};
            snprintf(beat->name, sizeof beat->name, "%s", arguments[0]);
            pthread_mutex_init(&beat->lock, NULL);
            if (pthread_create(&beat->thread, NULL, keep_beating, beat)) {
                fail(answer, "no thread");
                close(file);
                free(beat);
            } else {
                *place = beat;
                put_report(answer, beat);
            }
        }
    }
    pthread_mutex_unlock(&table_lock);
}

/* beat-report NAME MARK: with MARK 1, the largest gap and write are forgotten after they are reported. */
static void report_beat(struct answer *answer, char **arguments) {
    pthread_mutex_lock(&table_lock);
    struct beat **place = place_of(arguments[0]);
    if (place) {
        put_report(answer, *place);
        if (!strcmp(arguments[1], "1")) {
            pthread_mutex_lock(&(*place)->lock);
            (*place)->largest_gap_ns = (*place)->longest_write_ns = (*place)->largest_gap_after = 0;
            (*place)->marked = (*place)->written;
            pthread_mutex_unlock(&(*place)->lock);
        }
    } else {
        fail(answer, "no beat of that name");
    }
    pthread_mutex_unlock(&table_lock);
}

/* beat-stop NAME: the last report. Waits for a write under way. */
static void stop_beat(struct answer *answer, char **arguments) {
    pthread_mutex_lock(&table_lock);
    struct beat **place = place_of(arguments[0]), *beat = place ? *place : NULL;
    if (place)
        *place = NULL;
    pthread_mutex_unlock(&table_lock);
    if (!beat)
        return fail(answer, "no beat of that name");
    pthread_mutex_lock(&beat->lock);
    beat->stopping = true;
    pthread_mutex_unlock(&beat->lock);
    pthread_join(beat->thread, NULL);
    put_report(answer, beat);
    free(beat);
}


static int by_number(const void *left, const void *right) {
    const struct record *a = left, *b = right;
    return a->number < b->number ? -1 : a->number > b->number;
}

/* beat-read PATH OFFSET LENGTH RUN: what beats a range holds, of one run (0: of the run of the latest beat). */
static void read_beats(struct answer *answer, char **arguments) {
    uint64_t offset, length, run;
    if (!number(answer, arguments[1], &offset) || !number(answer, arguments[2], &length) ||
        !number(answer, arguments[3], &run))
        return;
    int file = open_range(answer, arguments[0], O_RDONLY);
    if (file < 0)
        return;
    uint64_t slots = length / SLOT_BYTES, known = 0, torn = 0, latest = 0;
    struct record *records = calloc(slots + 1, sizeof *records);
    unsigned char *slot = aligned_buffer(SLOT_BYTES), *expected = aligned_buffer(SLOT_BYTES);
    for (uint64_t at = 0; at < slots && !answer->failed; at++) {
        struct record record;
        if (!read_whole(file, slot, SLOT_BYTES, offset + at * SLOT_BYTES))
            fail_errno(answer, arguments[0]);
        memcpy(&record, slot, sizeof record);
        fill_slot(expected, &record);
        if (answer->failed || record.magic != MAGIC)
            continue;
        if (memcmp(expected, slot, SLOT_BYTES)) {
            torn++;
            continue;
        }
        records[known++] = record;
        if (record.wall > latest && !strcmp(arguments[3], "0")) {
            latest = record.wall;
            run = record.run;
        }
    }
    uint64_t kept = 0, missing = 0, gap = 0;
    for (uint64_t at = 0; at < known; at++)
        if (records[at].run == run)
            records[kept++] = records[at];
    qsort(records, kept, sizeof *records, by_number);
    for (uint64_t at = 1; at < kept; at++) {
        missing += records[at].number - records[at - 1].number - 1;
        if (records[at].monotonic - records[at - 1].monotonic > gap)
            gap = records[at].monotonic - records[at - 1].monotonic;
    }
    if (!answer->failed) {
        put_number(answer, "run", (int64_t)run);
        put_number(answer, "count", (int64_t)kept);
        put_number(answer, "first", kept ? (int64_t)records[0].number : -1);
        put_number(answer, "last", kept ? (int64_t)records[kept - 1].number : -1);
        put_number(answer, "missing", (int64_t)missing);
        put_number(answer, "torn", (int64_t)torn);
        put_number(answer, "largest_gap_ns", (int64_t)gap);
    }
    free(records);
    free(slot);
    free(expected);
    close(file);
}

const struct verb beat_verbs[] = {
    {"beat-start", 7, start_beat},
    {"beat-report", 2, report_beat},
    {"beat-stop", 1, stop_beat},
    {"beat-read", 4, read_beats},
    {0},
};
