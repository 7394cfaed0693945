"""The bytes that the guest writes with `write_pattern`, for whoever looks at a disk from outside.

The same as tools/guest/src/pattern.c; a test compares the two.
"""

import functools

SECTOR_BYTES = 512

_WORDS = SECTOR_BYTES // 8
_STEP = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def _mix(value: int) -> int:
    value = ((value ^ value >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ value >> 27) * 0x94D049BB133111EB) & _MASK
    return value ^ value >> 31


@functools.cache
def _places() -> int:
    return int.from_bytes(
        b"".join(_mix((word + 1) * _STEP & _MASK).to_bytes(8, "little") for word in range(_WORDS)), "little"
    )


#: A number with a one at the start of each word: times a word, it is that word repeated.
_REPEATED = int.from_bytes((1).to_bytes(8, "little") * _WORDS, "little")


def pattern(seed: int, offset: int, length: int) -> bytes:
    """What a disk holds at `offset` bytes after `write_pattern(..., seed, ...)`. About 300 MB/s."""
    if offset % SECTOR_BYTES or length % SECTOR_BYTES:
        raise ValueError(f"offset and length must be multiples of {SECTOR_BYTES}")
    start, places = _mix(seed & _MASK), _places()
    first = offset // SECTOR_BYTES
    return b"".join(
        (places ^ _mix((start + (sector + 1) * _STEP) & _MASK) * _REPEATED).to_bytes(SECTOR_BYTES, "little")
        for sector in range(first, first + length // SECTOR_BYTES)
    )
