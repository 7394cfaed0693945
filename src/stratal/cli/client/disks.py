"""What the commands about volumes, images and machines have to know of disks."""

from typing import Any

from stratal.cli.client.errors import BadArgument, Refused
from stratal.cli.client.kinds import JSON
from stratal.cli.client.session import Session, id_of
from stratal.cli.client.sizes import MIB, size_mb
from stratal.cli.client.waiting import Progress

VOLUMES, IMAGES, POLICIES, DISKS = "bs-volumes", "vm-images", "bs-policies", "vm-disks"


def new_volume(session: Session, *, size: str | None, policy: str | None, image: str | None) -> JSON:
    """The part of a body that says what a new volume starts as, and where it is kept."""
    spec: JSON = {}
    if image is not None:
        item = session.show(IMAGES, session.find(IMAGES, image))
        spec["vm_image_id"] = id_of(item)
        least = -(-int(item["status"].get("size_byte") or 0) // MIB)
        spec["size_mb"] = size_mb(size) if size else max(1, least)
        if policy is None:
            spec["bs_policy_id"] = item["spec"]["bs_policy_id"]  # where a clone costs nothing
    elif size is None:
        raise BadArgument(reason="say how large it is to be, with --size")
    else:
        spec["size_mb"] = size_mb(size)
    if "bs_policy_id" not in spec:
        spec["bs_policy_id"] = (
            session.find(POLICIES, policy) if policy else session.only(POLICIES, "--policy")
        )
    return spec


def kept_disk(session: Session, machine_snapshot: int, disk: str) -> int:
    """A disk in a snapshot of a machine, by the name or the id that it has in the machine."""
    parts = list(session.items("vm-disk-snaps", query=f"spec.vm_snap_id:{machine_snapshot}"))
    named = [each for each in parts if disk in (each["metadata"]["name"], str(each["spec"]["vm_disk_id"]))]
    if len(named) != 1:
        there_are = ", ".join(str(each["metadata"]["name"]) for each in parts) or "none"
        raise BadArgument(reason=f"no disk in that snapshot is called {disk}; there are: {there_are}")
    return id_of(named[0])


def going_along(session: Session, plural: str, ids: list[int]) -> str:
    """What else goes with resources that are about to be deleted, for the question whether that is meant."""
    if plural != "virtual-machines" or not ids:
        return ""
    query = f"spec.vm_id:({' '.join(str(id) for id in ids)})"
    count = sum(1 for _ in session.items("vm-snaps", query=query))
    return f" with {count} snapshot{'s' if count > 1 else ''}" if count else ""


def volume_progress(session: Session) -> Progress:
    """How far the work on the layers of a volume is."""

    def progress(item: JSON) -> tuple[int, int] | None:
        return _work_below(session, [id_of(item)])

    return progress


def machine_progress(session: Session) -> Progress:
    """How far the work on the layers of all disks of a machine is."""

    def progress(item: JSON) -> tuple[int, int] | None:
        disks = session.items(DISKS, query=f"spec.vm_id:{id_of(item)}")
        return _work_below(session, [int(each["spec"]["bs_volume_id"]) for each in disks])

    return progress


def _work_below(session: Session, volume_ids: list[int]) -> tuple[int, int] | None:
    """Of all the trees that these volumes are in, the bytes that are done and that are to be done."""
    works: dict[str, tuple[int, int]] = {}
    for id in volume_ids:
        try:
            tree: Any = session.connection.get(f"/{VOLUMES}/{id}/tree")
        except Refused:  # it may be gone meanwhile
            continue
        for node in tree["nodes"]:
            if node.get("total_byte"):
                works[node["id"]] = (int(node.get("done_byte") or 0), int(node["total_byte"]))
    if not works:
        return None
    return sum(done for done, _ in works.values()), sum(total for _, total in works.values())
