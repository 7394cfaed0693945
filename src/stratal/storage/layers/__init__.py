"""The layer graph: what disks, snapshots, images and backup cuts are made of, and what to do about them.

Pure: nothing here touches storage, except `carry_out`, which hands one step to a driver. The reconcilers of
volumes, snapshots, images and cuts follow one protocol, in which everything may be killed anywhere:

1. *persist intent*: a decision (`snapshot`, `rollback`, `drop`, …) makes a new graph; store its `delta`;
2. *act*: `remaining(graph, observe(driver, graph), weigh)` gives steps; `carry_out` them in order until one
   raises;
3. *observe*: `observe(driver, graph)` again;
4. *record*: `record(graph, observed)`; store its `delta`; go to 2 until nothing remains.
"""

from stratal.storage.layers.accounting import Account, Accounts, account
from stratal.storage.layers.carrying_out import carry_out, observe
from stratal.storage.layers.collapse import collapse, depth
from stratal.storage.layers.decisions import (
    clone,
    create,
    drop,
    flatten,
    resize,
    rollback,
    share,
    snapshot,
)
from stratal.storage.layers.freeing import covers
from stratal.storage.layers.graph import Delta, Graph, Layer, Name, NameKind, State
from stratal.storage.layers.remaining import (
    Outstanding,
    Problem,
    Weigh,
    astray,
    attention,
    record,
    remaining,
)
from stratal.storage.layers.steps import (
    Absorb,
    Adopt,
    CreateChild,
    CreateRoot,
    Delete,
    Flatten,
    Freeze,
    Plan,
    Resize,
    Step,
)

__all__ = [
    "Absorb",
    "Account",
    "Accounts",
    "Adopt",
    "CreateChild",
    "CreateRoot",
    "Delete",
    "Delta",
    "Flatten",
    "Freeze",
    "Graph",
    "Layer",
    "Name",
    "NameKind",
    "Outstanding",
    "Plan",
    "Problem",
    "Resize",
    "State",
    "Step",
    "Weigh",
    "account",
    "astray",
    "attention",
    "carry_out",
    "clone",
    "collapse",
    "covers",
    "create",
    "depth",
    "drop",
    "flatten",
    "observe",
    "record",
    "remaining",
    "resize",
    "rollback",
    "share",
    "snapshot",
]
