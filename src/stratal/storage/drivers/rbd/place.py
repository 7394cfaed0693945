"""Where the layers are, and the names of what lies there. Made by the composition root and by tests."""

import re
from dataclasses import dataclass
from pathlib import Path

from stratal.storage.drivers.contract import LayerId, Location, Transport

IMAGE_PREFIX = "stratal-"
RESERVED_PREFIX = "stratal."
SESSIONS_IMAGE = "stratal.sessions"
CATALOGUE_OBJECT = "stratal.catalogue"
_PLAIN = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True, kw_only=True)
class RbdPlace:
    """A pool, or a namespace of it, and how to reach and use it."""

    #: ceph.conf: names the monitors and the keyring
    conf: Path
    pool: str
    namespace: str = ""
    #: the part of `client.<user>`; needs the capabilities `profile rbd` for mon, mgr and osd
    user: str = "admin"
    #: after so much silence of the cluster an operation fails instead of waiting on
    timeout_seconds: int = 15
    #: of new images; a power of two. Also the granularity of extents: the unit of object maps
    object_bytes: int = 4 * 2**20
    #: snapshots in one image before the next layer starts a new one; __init__ tells where 256 comes from
    run_length: int = 256

    def __str__(self) -> str:
        return f"pool {self.pool}" + (f"/{self.namespace}" if self.namespace else "")

    def address(self, image: str, snapshot: str | None = None) -> str:
        """As in `Location.address`."""
        parts = [self.pool, self.namespace, image] if self.namespace else [self.pool, image]
        return "/".join(parts) + (f"@{snapshot}" if snapshot else "")

    def location(self, image: str, snapshot: str | None = None) -> Location:
        return Location(transport=Transport.RBD, address=self.address(image, snapshot), format="raw")

    def source_of(self, address: str) -> tuple[str, str | None] | None:
        """The image and, where one is named, the snapshot of it, if the address is one of this place.

        Only such names as QEMU takes without escapes.
        """
        address, _, snapshot = address.partition("@")
        image = self.image_of(address)
        if image is None or not _PLAIN.fullmatch(image) or (snapshot and not _PLAIN.fullmatch(snapshot)):
            return None
        return image, snapshot or None

    def image_of(self, address: str) -> str | None:
        """The name of the image if the address is one of this place and without snapshot; else None."""
        *path, image = address.split("/")
        here = [self.pool, self.namespace] if self.namespace else [self.pool]
        return image if path == here and image and "@" not in image else None


def image_name(layer: LayerId, attempt: int = 0) -> str:
    """The image whose first layer this is. Further attempts are for names that are taken: a run outlives
    its first layer, whose id may come again."""
    return IMAGE_PREFIX + layer + (f".{attempt}" if attempt else "")
