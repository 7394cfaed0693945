"""The places of disks and CD-ROM drives in a guest: vda, sda, hda. Pure.

A place is given once and stays, so that what a guest calls vdb is vdb for as long as it has it.
"""

from collections.abc import Collection
from itertools import count
from typing import Final

MOST_DISKS: Final = 32
MOST_CD_ROMS: Final = 4

PREFIXES: Final = {"virtio": "vd", "scsi": "sd", "sata": "sd", "ide": "hd"}
MOST_ON_BUS: Final = {"ide": 4, "sata": 6}
"""Disks and CD-ROM drives together: four places on the two IDE channels, six ports of one AHCI controller."""


def first_free(bus: str, taken: Collection[str]) -> str:
    """The first place on this bus that nothing has."""
    prefix = PREFIXES[bus]
    return next(name for name in (prefix + letters(number) for number in count()) if name not in taken)


def letters(number: int) -> str:
    """a to z, then aa, ab and so on."""
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("a") + rest) + text
    return text
