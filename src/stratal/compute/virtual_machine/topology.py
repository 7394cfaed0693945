"""How many processors a machine has, and how they are laid out. Pure."""

from collections.abc import Mapping
from typing import Final

from stratal.compute.virtual_machine.model import MOST_CPUS
from stratal.kernel.errors import Invalid

FIELDS: Final = ("socket_num", "core_num_per_socket", "thread_num_per_core")


def complete(said: Mapping[str, int], before: Mapping[str, int] | None = None) -> dict[str, int]:
    """The whole topology from what was said of it, so that `cpu_num` is the product of the three others.

    With `before`, the topology that is to change: what was not said stays, if it can. Otherwise sockets
    follow from the number of processors, then cores, then threads, and what is still open is one. Raises
    Invalid where what was said does not go together.
    """
    parts = {name: said[name] for name in FIELDS if name in said}
    wanted = said.get("cpu_num")
    if wanted is None:
        return _checked({**dict.fromkeys(FIELDS, 1), **(before or {}), **parts})
    if before is not None:
        kept = {**{name: before[name] for name in FIELDS}, **parts}
        if _product(kept) == wanted:
            return _checked(kept)
        # only what decides the layout inside a socket is kept: machines grow by sockets
        parts = {**{name: before[name] for name in FIELDS[1:]}, **parts}
    for name in FIELDS:
        if name not in parts:
            others = _product({other: parts.get(other, 1) for other in FIELDS if other != name})
            if wanted % others == 0:
                parts[name] = wanted // others
            break
    found = {**dict.fromkeys(FIELDS, 1), **parts}
    if _product(found) != wanted:
        layout = " times ".join(f"{name} {found[name]}" for name in FIELDS)
        raise Invalid(field="spec.cpu_num", reason=f"{wanted} is not {layout}")
    return _checked(found)


def _checked(parts: Mapping[str, int]) -> dict[str, int]:
    topology = {name: parts[name] for name in FIELDS}
    cpu_num = _product(topology)
    if cpu_num > MOST_CPUS:
        raise Invalid(field="spec.cpu_num", reason=f"{cpu_num} are too many: at most {MOST_CPUS} go")
    return {**topology, "cpu_num": cpu_num}


def _product(parts: Mapping[str, int]) -> int:
    product = 1
    for name in FIELDS:
        product *= parts.get(name, 1)
    return product
