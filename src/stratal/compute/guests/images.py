"""Between where storage says that content is and what hypervisors open. Pure."""

from collections.abc import Sequence
from pathlib import Path

from stratal.compute.domain import CephCluster, Chain, FileImage, Image, RbdImage
from stratal.kernel.errors import Unavailable
from stratal.storage import Location, Transport


def chain_of(locations: Sequence[Location], ceph: CephCluster | None) -> Chain:
    """What a guest opens. Raises Unavailable for what no hypervisor here can."""
    return tuple(_image(location, ceph) for location in locations)


def address_of(image: Image) -> str:
    """As `Location.address`."""
    if isinstance(image, FileImage):
        return str(image.path)
    path = "/".join(part for part in (image.pool, image.namespace, image.image) if part)
    return path + (f"@{image.snapshot}" if image.snapshot else "")


def _image(location: Location, ceph: CephCluster | None) -> Image:
    if location.transport is Transport.FILE:
        return FileImage(path=Path(location.address), format=location.format)
    if location.transport is Transport.RBD and ceph is not None:
        path, _, snapshot = location.address.partition("@")
        pool, *namespace, image = path.split("/")
        return RbdImage(
            cluster=ceph,
            pool=pool,
            namespace="/".join(namespace),
            image=image,
            snapshot=snapshot or None,
        )
    raise Unavailable(reason=f"no hypervisor here can open {location.transport} {location.address}")
