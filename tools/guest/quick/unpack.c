/* Unpacks the kernel where it belongs: LZ4's legacy frame, as `lz4 -l` writes it.
 *
 * The packed kernel is moved first, so that it ends a little behind where the unpacked one will; writing then never
 * gets ahead of reading.
 */
#include <stdint.h>

extern const uint8_t payload[];

static void copy_forwards(uint8_t *to, const uint8_t *from, uint64_t length) {
    /* A match may overlap what it makes; then it goes byte by byte, unless it lies eight bytes back or more. */
    if (to - from >= 8 || from > to)
        for (; length >= 8; length -= 8, to += 8, from += 8)
            __builtin_memcpy(to, from, 8);
    while (length--)
        *to++ = *from++;
}

static void copy_backwards(uint8_t *to, const uint8_t *from, uint64_t length) {
    while (length % 8)
        length--, to[length] = from[length];
    for (; length; length -= 8)
        __builtin_memcpy(to + length - 8, from + length - 8, 8);
}

static uint64_t extended(uint64_t length, const uint8_t **from) {
    if (length == 15)
        do
            length += **from;
        while (*(*from)++ == 255);
    return length;
}

/* LZ4 block format: literals, then a match of what was written before; the last sequence has no match. */
static uint8_t *unpack_block(uint8_t *to, const uint8_t *from, const uint8_t *end) {
    while (from < end) {
        uint8_t token = *from++;
        uint64_t literals = extended(token >> 4, &from);
        copy_forwards(to, from, literals);
        to += literals;
        from += literals;
        if (from >= end)
            break;
        uint64_t distance = from[0] | from[1] << 8;
        from += 2;
        uint64_t match = extended(token & 15, &from) + 4;
        copy_forwards(to, to - distance, match);
        to += match;
    }
    return to;
}

void unpack(void) {
    uint8_t *to = (uint8_t *)KERNEL_START, *moved = to + KERNEL_BYTES + MARGIN - PAYLOAD_BYTES;
    if (moved > payload)
        copy_backwards(moved, payload, PAYLOAD_BYTES);
    const uint8_t *from = (moved > payload ? moved : payload), *end = from + PAYLOAD_BYTES;
    for (from += 4; from < end;) { /* behind the frame's magic number */
        uint32_t size;
        __builtin_memcpy(&size, from, 4);
        from += 4;
        to = unpack_block(to, from, from + size);
        from += size;
    }
    for (uint64_t *clear = (uint64_t *)to; (uint64_t)clear < KERNEL_END; clear++)
        *clear = 0;
}
