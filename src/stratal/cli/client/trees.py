"""Trees of snapshots, drawn: of a volume by its layers, of a machine by the layers of its disks."""

from collections.abc import Callable, Mapping
from typing import Any

from stratal.cli.client import output
from stratal.cli.client.kinds import JSON
from stratal.cli.client.session import Session, id_of
from stratal.cli.client.sizes import shown_bytes

DISKS, DISK_SNAPS, SNAPS, MACHINES, VOLUMES = (
    "vm-disks",
    "vm-disk-snaps",
    "vm-snaps",
    "virtual-machines",
    "bs-volumes",
)
_MARKS = {"bs_volume": "●", "virtual_machine": "●", "bs_snap": "◆", "vm_snap": "◆", "vm_image": "▣"}


def print_volume_tree(tree: JSON) -> None:
    """The layers, each with what it is called, its own bytes, and what is being done to it."""

    def label(node: JSON) -> str:
        names = ", ".join(map(_name, node["names"])) or "(kept for those above it)"
        parts = [names, f"{shown_bytes(int(node['allocated_byte']))} of its own"]
        if node["state"] != "settled":
            parts.append(str(node["state"]))
        if node.get("total_byte"):
            parts.append(f"{int(node.get('done_byte') or 0) * 100 // int(node['total_byte'])} % done")
        if node.get("problem"):
            parts.append(str(node["problem"]))
        return "  ".join(parts)

    _draw(tree["nodes"], label)
    print(
        f"{shown_bytes(int(tree['allocated_byte']))} in all: "
        f"{shown_bytes(int(tree['exclusive_byte']))} needed by one, "
        f"{shown_bytes(int(tree['shared_byte']))} shared, "
        f"{shown_bytes(int(tree['reclaimable_byte']))} to be freed"
    )


def machine_tree(session: Session, machine_id: int) -> list[JSON]:
    """The snapshots of a machine and whatever was cloned from them, as the tree of its first disk has them.

    Each node: id, parent, names (resource_type, id, name). A machine without disks has no tree: then its
    snapshots stand beside each other.
    """
    snapshots = {
        id_of(each): str(each["metadata"]["name"])
        for each in session.items(SNAPS, query=f"spec.vm_id:{machine_id}")
    }
    disks = sorted(
        session.items(DISKS, query=f"spec.vm_id:{machine_id}"),
        key=lambda each: (not each["spec"].get("boot"), id_of(each)),
    )
    if not disks:
        return [_lone("vm_snap", id, name) for id, name in snapshots.items()]
    tree: Any = session.connection.get(f"/{VOLUMES}/{disks[0]['spec']['bs_volume_id']}/tree")
    nodes: list[JSON] = tree["nodes"]
    names = [name for node in nodes for name in node["names"] if "id" in name]
    snap_of = _machine_snapshots(session, [n["id"] for n in names if n["resource_type"] == "bs_snap"])
    machine_of = _machines(session, [n["id"] for n in names if n["resource_type"] == "bs_volume"])
    for node in nodes:
        node["names"] = [_of_machine(name, snap_of, machine_of) for name in node["names"]]
    drawn = {name.get("id") for node in nodes for name in node["names"] if name["resource_type"] == "vm_snap"}
    # of disks that the machine had then and has no more
    return nodes + [_lone("vm_snap", id, name) for id, name in snapshots.items() if id not in drawn]


def print_machine_tree(nodes: list[JSON], machine_id: int) -> None:
    def label(node: JSON) -> str:
        names: list[JSON] = node["names"]
        here = any(n["resource_type"] == "virtual_machine" and n.get("id") == machine_id for n in names)
        return (", ".join(map(_name, names)) or "(kept for those above it)") + ("  ← now" if here else "")

    _draw(nodes, label)


def _draw(nodes: list[JSON], label: Callable[[JSON], str]) -> None:
    from rich.text import Text
    from rich.tree import Tree

    known = {node["id"] for node in nodes}
    below: dict[str, list[JSON]] = {}
    for node in nodes:
        below.setdefault(node["parent"] if node.get("parent") in known else "", []).append(node)

    def line(node: JSON) -> Text:
        kinds = {name["resource_type"] for name in node["names"]}
        live = kinds & {"bs_volume", "virtual_machine"}
        return Text(label(node), style="bold" if live else "" if kinds else "bright_black")

    for root in below.get("", []):
        drawn = Tree(line(root))
        waiting: list[tuple[Tree, JSON]] = [(drawn, root)]
        while waiting:  # not by recursion: a chain may be longer than the interpreter's stack
            branch, node = waiting.pop()
            waiting += [(branch.add(line(each)), each) for each in below.get(node["id"], [])]
        output.console().print(drawn)


def _name(name: JSON) -> str:
    mark = _MARKS.get(str(name["resource_type"]), "·")
    what = str(name["resource_type"]).removeprefix("bs_").removeprefix("vm_").replace("_", " ")
    if "id" not in name:
        return f"{mark} {what} of another project"
    return f"{mark} {what} {name.get('name', '')} ({name['id']})"


def _lone(resource_type: str, id: int, name: str) -> JSON:
    names = [{"resource_type": resource_type, "id": id, "name": name}]
    return {"id": f"{resource_type}-{id}", "parent": None, "names": names}


def _of_machine(name: JSON, snaps: Mapping[int, JSON], machines: Mapping[int, JSON]) -> JSON:
    found = {"bs_snap": snaps, "bs_volume": machines}.get(str(name["resource_type"]), {})
    return found.get(int(name.get("id") or 0), name)


def _machine_snapshots(session: Session, volume_snapshots: list[int]) -> dict[int, JSON]:
    """The machine's snapshot that each of these snapshots of volumes belongs to."""
    of = _pairs(session, DISK_SNAPS, "bs_snap_id", "vm_snap_id", volume_snapshots)
    names = session.names_of(SNAPS, set(of.values()))
    return {bs: {"resource_type": "vm_snap", "id": vm, "name": names.get(vm, "")} for bs, vm in of.items()}


def _machines(session: Session, volumes: list[int]) -> dict[int, JSON]:
    """The machine that each of these volumes is a disk of."""
    of = _pairs(session, DISKS, "bs_volume_id", "vm_id", volumes)
    names = session.names_of(MACHINES, set(of.values()))
    return {
        volume: {"resource_type": "virtual_machine", "id": vm, "name": names.get(vm, "")}
        for volume, vm in of.items()
    }


def _pairs(session: Session, plural: str, field: str, other: str, values: list[int]) -> dict[int, int]:
    """For each of `values` of `field` the `other` field of the same resource."""
    found: dict[int, int] = {}
    for start in range(0, len(values), 200):  # a filter has at most 256 values
        some = " ".join(map(str, values[start : start + 200]))
        for item in session.items(plural, query=f"spec.{field}:({some})"):
            found[int(item["spec"][field])] = int(item["spec"][other])
    return found
