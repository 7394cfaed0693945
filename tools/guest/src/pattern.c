/* Bytes that depend on a seed and on their position, so that whatever is lost, swapped, moved or stale shows.
 *
 * Every sector of 512 bytes is one base word, repeated, each repetition XORed with a word for its place in the
 * sector; the base word depends on the seed and on the sector's number. tests/guest/pattern.py makes the same bytes.
 */
#include "guest.h"

#include <string.h>

#define WORDS (SECTOR_BYTES / 8)
#define STEP 0x9e3779b97f4a7c15ULL

/* The finaliser of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). */
uint64_t mix(uint64_t value) {
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
    return value ^ (value >> 31);
}

void fill_pattern(unsigned char *data, uint64_t seed, uint64_t first_sector, size_t sectors) {
    uint64_t places[WORDS], start = mix(seed);
    for (uint64_t word = 0; word < WORDS; word++)
        places[word] = mix((word + 1) * STEP);
    for (uint64_t sector = first_sector; sector < first_sector + sectors; sector++) {
        uint64_t base = mix(start + (sector + 1) * STEP), words[WORDS];
        for (size_t word = 0; word < WORDS; word++)
            words[word] = base ^ places[word];
        memcpy(data, words, SECTOR_BYTES);
        data += SECTOR_BYTES;
    }
}
