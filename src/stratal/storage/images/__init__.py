"""Disk images from outside: what they are, whether they may be opened, and their conversion.

`inspect` comes first, before any program opens the file; `confirm` and `convert` then run qemu-img on it.
"""

from stratal.storage.images.conversion import confirm, convert
from stratal.storage.images.facts import (
    DamagedImage,
    HostileImage,
    ImageFacts,
    ImageFormat,
    ImageRefused,
    ImageTooLarge,
    InspectionLimits,
    UnsupportedImage,
    WrongFormat,
)
from stratal.storage.images.inspection import inspect

__all__ = [
    "DamagedImage",
    "HostileImage",
    "ImageFacts",
    "ImageFormat",
    "ImageRefused",
    "ImageTooLarge",
    "InspectionLimits",
    "UnsupportedImage",
    "WrongFormat",
    "confirm",
    "convert",
    "inspect",
]
