/* The answer to one request: a JSON object that grows, or the text of a failure. */
#include "guest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void append(struct answer *answer, const char *data, size_t length) {
    if (answer->length + length + 1 > answer->room) {
        answer->room = 2 * (answer->length + length + 1);
        answer->text = realloc(answer->text, answer->room);
        if (!answer->text)
            abort();
    }
    memcpy(answer->text + answer->length, data, length);
    answer->length += length;
    answer->text[answer->length] = 0;
}

static void append_text(struct answer *answer, const char *text) { append(answer, text, strlen(text)); }

/* Bytes outside of ASCII are taken for Latin-1, so that whatever a disk holds can be told. */
static void append_quoted(struct answer *answer, const unsigned char *data, size_t length) {
    append_text(answer, "\"");
    for (size_t at = 0; at < length; at++) {
        char escaped[8];
        unsigned char byte = data[at];
        if (byte == '"' || byte == '\\' || byte < 0x20 || byte > 0x7e)
            append(answer, escaped, (size_t)snprintf(escaped, sizeof escaped, "\\u%04x", byte));
        else
            append(answer, (const char *)&data[at], 1);
    }
    append_text(answer, "\"");
}

/* What stands before a value: a comma unless it is the first of its object or array, and its key. */
static void begin(struct answer *answer, const char *key) {
    if (answer->length && !strchr("{[", answer->text[answer->length - 1]))
        append_text(answer, ",");
    if (key) {
        append_quoted(answer, (const unsigned char *)key, strlen(key));
        append_text(answer, ":");
    }
}

void open_object(struct answer *answer, const char *key) {
    begin(answer, key);
    append_text(answer, "{");
}

void close_object(struct answer *answer) { append_text(answer, "}"); }

void open_array(struct answer *answer, const char *key) {
    begin(answer, key);
    append_text(answer, "[");
}

void close_array(struct answer *answer) { append_text(answer, "]"); }

void put_bytes(struct answer *answer, const char *key, const void *data, size_t length) {
    begin(answer, key);
    append_quoted(answer, data, length);
}

void put_text(struct answer *answer, const char *key, const char *value) {
    put_bytes(answer, key, value, strlen(value));
}

void put_hex(struct answer *answer, const char *key, const unsigned char *data, size_t length) {
    begin(answer, key);
    append_text(answer, "\"");
    for (size_t at = 0; at < length; at++) {
        char digits[3];
        snprintf(digits, sizeof digits, "%02x", data[at]);
        append(answer, digits, 2);
    }
    append_text(answer, "\"");
}

void put_number(struct answer *answer, const char *key, int64_t value) {
    char digits[32];
    begin(answer, key);
    append(answer, digits, (size_t)snprintf(digits, sizeof digits, "%" PRId64, value));
}

void put_truth(struct answer *answer, const char *key, bool value) {
    begin(answer, key);
    append_text(answer, value ? "true" : "false");
}

void fail(struct answer *answer, const char *format, ...) {
    char text[512];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    for (char *at = text; *at; at++)
        if (*at == '\n')
            *at = ' ';
    answer->length = 0;
    answer->failed = true;
    append_text(answer, text);
}

void fail_errno(struct answer *answer, const char *what) { fail(answer, "%s: %s", what, strerror(errno)); }
