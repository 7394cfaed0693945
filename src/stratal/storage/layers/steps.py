"""What can be done to layers, as data: one step for each verb of the driver contract that changes something.

Declared by decisions and by `remaining`, carried out by `carrying_out`. Every step may be repeated.
"""

from dataclasses import dataclass

from stratal.storage.drivers.contract import Direction, LayerId, Location, Source
from stratal.storage.layers.graph import Delta, Graph


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateRoot:
    layer: LayerId
    size_bytes: int
    source: Source | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Adopt:
    layer: LayerId
    location: Location


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateChild:
    layer: LayerId
    parent: LayerId
    size_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Freeze:
    layer: LayerId


@dataclass(frozen=True, kw_only=True, slots=True)
class Resize:
    layer: LayerId
    size_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Absorb:
    parent: LayerId
    into: LayerId
    direction: Direction


@dataclass(frozen=True, kw_only=True, slots=True)
class Flatten:
    layer: LayerId
    onto: LayerId | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Delete:
    layer: LayerId


Step = CreateRoot | Adopt | CreateChild | Freeze | Resize | Absorb | Flatten | Delete


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A decision: the graph as it shall be, and the steps there in a world that agrees with the graph before.

    Where the world may not agree, after a crash or because older work is still under way, `remaining`
    computes the steps from what is observed, and gives just these where it does agree. What the decision
    leaves unneeded is no part of the steps: it is tidied up in the background, by `remaining` too.
    """

    graph: Graph
    delta: Delta
    steps: tuple[Step, ...]
