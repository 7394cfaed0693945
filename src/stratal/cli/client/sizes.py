"""Sizes as people write and read them. Binary units throughout: 10G is 10 GiB."""

import re

from stratal.cli.client.errors import BadArgument

MIB = 2**20
_UNITS = "KMGTPE"
_SIZE = re.compile(
    r"^\s*(?P<number>[0-9]+(\.[0-9]+)?)\s*(?P<unit>[KMGTPE])?(i?B)?\s*$", re.IGNORECASE | re.ASCII
)


def size_bytes(text: str, *, unit: str = "") -> int:
    """`10G`, `1.5 TiB`, `512M` in bytes. A plain number counts `unit`s. Raises BadArgument."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise BadArgument(reason=f"{text} is not a size, such as 512M or 10G")
    chosen = (match["unit"] or unit).upper()
    factor = 1024 ** (_UNITS.index(chosen) + 1) if chosen else 1
    whole, _, decimals = match["number"].partition(".")
    # in whole numbers: a size must not be rounded on its way
    exact = int(whole) * factor
    if decimals:
        exact += int(decimals) * factor // 10 ** len(decimals)
    return exact


def size_mb(text: str) -> int:
    """A size in MiB, which a plain number counts. Raises BadArgument for what is no whole number of them."""
    number = size_bytes(text, unit="M")
    if number % MIB:
        raise BadArgument(reason=f"{text} is not a whole number of MiB")
    return number // MIB


def shown_bytes(number: int) -> str:
    """A number of bytes for people."""
    size, unit = float(number), "B"
    for each in _UNITS:
        if abs(size) < 1024:
            break
        size, unit = size / 1024, f"{each}iB"
    return f"{number} B" if unit == "B" else f"{size:.1f}".removesuffix(".0") + f" {unit}"
