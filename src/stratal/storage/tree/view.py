"""The tree of a volume, for people to look at. Called by faces."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from stratal.kernel.access import Access, Reach
from stratal.kernel.errors import NotFound
from stratal.kernel.kind import Scope
from stratal.kernel.operation import Progress
from stratal.kernel.service import ResourceService
from stratal.kernel.store import Store
from stratal.kernel.transaction import Transaction
from stratal.storage.background import Background
from stratal.storage.drivers.contract import LayerId
from stratal.storage.layers import Name, NameKind, account
from stratal.storage.tree import rows
from stratal.storage.tree.waking import KIND_OF


class TreeName(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A resource that needs a layer. Of another project's, only its kind is told."""

    resource_type: str
    id: int | None = None
    name: str | None = None


class TreeNode(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One layer."""

    id: str
    parent: str | None
    names: list[TreeName]
    hidden: Annotated[
        bool, msgspec.Meta(description="Whether it has no name, and stays only for those above it.")
    ]
    frozen: bool
    size_byte: int
    allocated_byte: Annotated[int, msgspec.Meta(description="Its own bytes, as last weighed.")]
    state: Annotated[
        str, msgspec.Meta(description="planned: not made yet; changed: about to change; settled.")
    ]
    #: what is being done to it
    done_byte: Annotated[int | None, msgspec.Meta(description="How far the work on it is.")] = None
    total_byte: int | None = None
    problem: str | None = None


class VolumeTree(msgspec.Struct, frozen=True, kw_only=True):
    """All layers that a volume has to do with: its own, and those of whatever shares data with it.

    exclusive + shared + reclaimable = allocated.
    """

    bs_volume_id: int
    nodes: list[TreeNode]
    virtual_byte: Annotated[int, msgspec.Meta(description="The sizes of all volumes in the tree.")]
    allocated_byte: int
    exclusive_byte: Annotated[int, msgspec.Meta(description="What just one resource needs.")]
    shared_byte: Annotated[int, msgspec.Meta(description="What several need, counted once.")]
    reclaimable_byte: Annotated[int, msgspec.Meta(description="What nobody needs any more.")]


class TreeView:
    def __init__(self, volumes: ResourceService[Any, Any], background: Background) -> None:
        self._volumes = volumes
        self._background = background

    def of_volume(self, transaction: Transaction, access: Access, id: int) -> VolumeTree:
        """The tree that a volume is in. Raises NotFound."""
        self._volumes.show(transaction, access, id)
        tree_id = rows.tree_of(transaction, rows.name_of(NameKind.HEAD, id))
        if tree_id is None:
            raise NotFound(kind=self._volumes.kind.name, id=id)
        stored = rows.load(transaction, tree_id)
        shown = self._names(transaction, access, stored)
        progress = self._background.look(tree_id).progress
        accounts = account(
            stored.graph,
            allocated={each: stored.weigh(each) for each in stored.layers},
            covered=stored.covered,
            owner=lambda name: name,
        )
        return VolumeTree(
            bs_volume_id=id,
            nodes=[_node(stored, layer, shown, progress.get(layer)) for layer in _in_order(stored)],
            virtual_byte=accounts.virtual_bytes,
            allocated_byte=accounts.allocated_bytes,
            exclusive_byte=accounts.exclusive_bytes,
            shared_byte=accounts.shared_bytes,
            reclaimable_byte=accounts.reclaimable_bytes,
        )

    def _names(self, transaction: Transaction, access: Access, stored: rows.Stored) -> dict[Name, TreeName]:
        shown: dict[Name, TreeName] = {}
        for kind_name in NameKind:
            names = [name for name in stored.graph.names if name.kind is kind_name]
            kind = self._volumes.catalogue.get(KIND_OF.get(kind_name, ""))
            if not names or kind is None:
                continue
            store: Store[Any, Any] = Store(kind)
            columns = kind.tables.spec.c
            for resource in store.find(
                transaction, columns.id.in_([int(name.id) for name in names]), labels=False
            ):
                if (
                    access.reach is Reach.ALL
                    or kind.scope is not Scope.PROJECT
                    or resource.spec.project_id == access.project_id
                ):
                    shown[rows.name_of(kind_name, resource.id)] = TreeName(
                        resource_type=kind.name, id=resource.id, name=resource.spec.name
                    )
        return shown


def _in_order(stored: rows.Stored) -> list[LayerId]:
    """The layers, each after the one it hangs on."""
    order = [layer.id for layer in stored.graph.layers.values() if layer.parent is None]
    for layer in order:  # grows while it is walked over
        order.extend(sorted(stored.graph.children(layer)))
    return order


def _node(
    stored: rows.Stored, id: LayerId, shown: Mapping[Name, TreeName], progress: Progress | None
) -> TreeNode:
    layer = stored.graph.layer(id)
    names = sorted(stored.graph.names_of(id), key=lambda name: (name.kind, int(name.id)))
    return TreeNode(
        id=id,
        parent=layer.parent,
        names=[
            shown.get(name) or TreeName(resource_type=KIND_OF.get(name.kind, name.kind)) for name in names
        ],
        hidden=not names,
        frozen=layer.frozen,
        size_byte=layer.size_bytes,
        allocated_byte=stored.weigh(id),
        state=layer.state.value,
        done_byte=progress.done_bytes if progress else None,
        total_byte=progress.total_bytes if progress else None,
        problem=stored.layers[id].problem,
    )
