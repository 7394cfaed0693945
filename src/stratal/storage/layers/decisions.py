"""Decisions about disks: each takes a graph and returns the graph as it shall be. Pure.

Called by the reconcilers of volumes, snapshots, images and backup cuts, with ids that they choose. All but
`create` from an image and `flatten` cost a fixed number of steps, at any depth and any size.
"""

from dataclasses import replace

from stratal.kernel.errors import Conflict
from stratal.storage.drivers.contract import LayerId, Location, Source
from stratal.storage.drivers.errors import CannotShrink
from stratal.storage.layers.graph import Draft, Graph, Layer, Name, NameKind, State
from stratal.storage.layers.steps import (
    Adopt,
    CreateChild,
    CreateRoot,
    Flatten,
    Freeze,
    Plan,
    Resize,
    Step,
)


def create(
    graph: Graph,
    *,
    name: Name,
    layer: LayerId,
    size_bytes: int,
    origin: Source | Location | None = None,
) -> Plan:
    """A layer of its own for a new volume, or for an image or another name that needs a frozen one.

    Empty, a copy of a `Source`, or the image at a `Location` taken over in place; then `size_bytes` must be
    what the image has, or for a volume at least that: it grows once it is there.
    """
    _unused(graph, name, layer)
    root = Layer(
        id=layer, parent=None, size_bytes=size_bytes, frozen=name.kind is not NameKind.HEAD, origin=origin
    )
    draft = Draft(graph)
    draft.put(root)
    draft.bind(name, layer)
    steps: list[Step] = [create_step(root)]
    if root.frozen:
        steps.append(Freeze(layer=layer))
    return _plan(draft, *steps)


def snapshot(graph: Graph, *, head: Name, name: Name, new_head: LayerId) -> Plan:
    """Keep what a volume holds now under a name; the volume goes on in a new layer on top."""
    _unused(graph, name, new_head)
    draft, steps = _frozen_under(graph, head, new_head)
    draft.bind(name, graph.named(head).id)
    return _plan(draft, *steps)


def clone(
    graph: Graph,
    *,
    source: Name,
    name: Name,
    layer: LayerId,
    size_bytes: int | None = None,
    new_head: LayerId | None = None,
) -> Plan:
    """A new volume that starts as a snapshot, an image or a cut, or as another volume is now.

    From a volume it needs `new_head`, the layer in which that one goes on: what both start from is frozen
    and hidden between them. `size_bytes` is at least the source's, and the source's where not given.
    """
    _unused(graph, name, layer)
    _is_head(name)
    origin = graph.named(source)
    if source.kind is NameKind.HEAD:
        if new_head is None:
            raise ValueError("a clone of a volume needs a layer in which the volume goes on")
        draft, steps = _frozen_under(graph, source, new_head)
    else:
        draft, steps = Draft(graph), ()
    child = _child(origin, layer, size_bytes)
    draft.put(child)
    draft.bind(name, layer)
    return _plan(draft, *steps, create_step(child))


def rollback(graph: Graph, *, head: Name, to: Name, new_head: LayerId, size_bytes: int | None = None) -> Plan:
    """Let a volume start again from a frozen layer, whatever lies between.

    What it wrote since its last snapshot is given up. All snapshots stay, those after `to` as well: one can
    roll forward again. `size_bytes` is at least the snapshot's, and the snapshot's where not given.
    """
    _is_head(head)
    graph.named(head)
    target = graph.named(to)
    if to.kind is NameKind.HEAD:
        raise Conflict(reason=f"{to.kind} {to.id} is no moment to go back to")
    _unused(graph, None, new_head)
    child = _child(target, new_head, size_bytes)
    draft = Draft(graph)
    draft.put(child)
    draft.bind(head, new_head)
    return _plan(draft, create_step(child))


def share(graph: Graph, *, source: Name, name: Name) -> Plan:
    """Give a frozen layer another name, as when a snapshot becomes an image. No data is touched."""
    _unused(graph, name, None)
    if NameKind.HEAD in (source.kind, name.kind):
        raise Conflict(reason="a volume shares its writable layer with nobody")
    draft = Draft(graph)
    draft.bind(name, graph.named(source).id)
    return _plan(draft)


def drop(graph: Graph, *, name: Name) -> Plan:
    """Let a name go. Done already if there is none.

    What nothing needs any more is removed or merged in the background; what others hang on stays, hidden.
    """
    draft = Draft(graph)
    draft.unbind(name)
    return _plan(draft)


def resize(graph: Graph, *, head: Name, size_bytes: int) -> Plan:
    """Grow a volume."""
    _is_head(head)
    layer = graph.named(head)
    if size_bytes < layer.size_bytes:
        raise CannotShrink(
            field="size_bytes", layer=layer.id, size_bytes=layer.size_bytes, wanted_bytes=size_bytes
        )
    draft = Draft(graph)
    if size_bytes == layer.size_bytes:
        return _plan(draft)
    draft.put(replace(layer, size_bytes=size_bytes, state=changed(layer)))
    return _plan(draft, Resize(layer=layer.id, size_bytes=size_bytes))


def flatten(graph: Graph, *, name: Name) -> Plan:
    """Make a volume, or whatever else has a name, independent of everything it came from, by copying."""
    layer = graph.named(name)
    draft = Draft(graph)
    if layer.parent is None:
        return _plan(draft)
    return rehang(draft, layer, None)


def rehang(draft: Draft, layer: Layer, onto: LayerId | None) -> Plan:
    """Copy what lies between the layer and its ancestor `onto`. Shared with `collapse`."""
    if layer.state is State.PLANNED:
        # Made without its parent, it would be made empty.
        raise Conflict(reason=f"layer {layer.id} is still being made")
    draft.put(replace(layer, parent=onto, state=State.CHANGED))
    return _plan(draft, Flatten(layer=layer.id, onto=onto))


def create_step(layer: Layer) -> Step:
    """How a layer is made. Shared with `remaining`."""
    if layer.parent is not None:
        return CreateChild(layer=layer.id, parent=layer.parent, size_bytes=layer.size_bytes)
    if isinstance(layer.origin, Location):
        return Adopt(layer=layer.id, location=layer.origin)
    return CreateRoot(layer=layer.id, size_bytes=layer.size_bytes, source=layer.origin)


def changed(layer: Layer) -> State:
    """The state after a decision: what is not made yet is simply made as decided last."""
    return State.PLANNED if layer.state is State.PLANNED else State.CHANGED


def _frozen_under(graph: Graph, head: Name, new_head: LayerId) -> tuple[Draft, tuple[Step, ...]]:
    """Freeze a volume's layer and let the volume go on in a new one on top."""
    _is_head(head)
    _unused(graph, None, new_head)
    old = graph.named(head)
    new = _child(old, new_head, None)
    draft = Draft(graph)
    draft.put(replace(old, frozen=True, state=changed(old)))
    draft.put(new)
    draft.bind(head, new_head)
    return draft, (Freeze(layer=old.id), create_step(new))


def _child(parent: Layer, layer: LayerId, size_bytes: int | None) -> Layer:
    size_bytes = parent.size_bytes if size_bytes is None else size_bytes
    if size_bytes < parent.size_bytes:
        raise CannotShrink(
            field="size_bytes", layer=parent.id, size_bytes=parent.size_bytes, wanted_bytes=size_bytes
        )
    return Layer(id=layer, parent=parent.id, size_bytes=size_bytes)


def _is_head(name: Name) -> None:
    if name.kind is not NameKind.HEAD:
        raise Conflict(reason=f"{name.kind} {name.id} is frozen; only a volume can be written to")


def _unused(graph: Graph, name: Name | None, layer: LayerId | None) -> None:
    if name is not None and name in graph.names:
        raise Conflict(reason=f"{name.kind} {name.id} exists already")
    if layer is not None and layer in graph.layers:
        raise Conflict(reason=f"layer {layer} exists already")


def _plan(draft: Draft, *steps: Step) -> Plan:
    graph, delta = draft.seal()
    return Plan(graph=graph, delta=delta, steps=steps)
