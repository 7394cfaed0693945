"""What each verb does to the catalogue: the bodies of its transactions, which read and write records only."""

from msgspec.structs import replace

from stratal.storage.drivers.contract import LayerId, LayerInfo
from stratal.storage.drivers.errors import CannotShrink, LayerHasChildren, NotAnAncestor
from stratal.storage.drivers.rbd.catalogue import ImageRecord, LayerRecord, Transaction


def continue_run(tx: Transaction, layer: LayerId, parent: LayerId, size_bytes: int, *, fitted: bool) -> bool:
    """Make the layer the head of its parent's image; False where that can't be.

    `fitted`: the caller holds the parent and has given the head this size.
    """
    below = tx.layer(parent)
    image = tx.image(below.image)
    if image.head != parent or not below.frozen or tx.find(LayerRecord, layer) is not None:
        return False
    if not fitted and (image.resized or size_bytes != below.size_bytes):
        return False
    tx.put(layer, LayerRecord(image=below.image, size_bytes=size_bytes, parent=parent))
    tx.put(below.image, replace(image, head=layer, resized=False))
    tx.count_child(parent, 1)
    return True


def mark_resized(tx: Transaction, name: str, head: LayerId) -> bool:
    """Note that the free head is about to get another size; False where it is free no more."""
    image = tx.image(name)
    if image.head != head:
        return False
    tx.put(name, replace(image, resized=True))
    return True


def freeze(tx: Transaction, layer: LayerId, snapshot: int, *, ends_run: bool) -> None:
    record = tx.layer(layer)
    tx.put(layer, replace(record, snapshot=snapshot))
    if ends_run:
        tx.put(record.image, replace(tx.image(record.image), head=None))


def grow(tx: Transaction, layer: LayerId, size_bytes: int) -> None:
    tx.put(layer, replace(tx.layer(layer), size_bytes=size_bytes))


def absorb(tx: Transaction, parent: LayerId, into: LayerId) -> str:
    """The image that the parent was in."""
    below, above = tx.layer(parent), tx.layer(into)
    if above.parent != parent:
        raise NotAnAncestor(ancestor=parent, layer=into)
    if below.children > 1:
        raise LayerHasChildren(layer=parent, children=below.children)
    tx.put(into, replace(above, parent=below.parent))
    tx.drop(LayerRecord, parent)
    _leave(tx, below.image, parent)
    return below.image


def rehang(tx: Transaction, layer: LayerId, onto: LayerId | None) -> None:
    record = tx.layer(layer)
    if record.parent != onto:
        tx.count_child(record.parent, -1)
        tx.count_child(onto, 1)
        tx.put(layer, replace(record, parent=onto))


def detach(tx: Transaction, name: str) -> str | None:
    """Record that an image is no clone any more; what it was a clone of."""
    record = tx.find(ImageRecord, name)
    if record is None or record.parent is None:
        return None
    tx.put(name, replace(record, parent=None, parent_snapshot=None))
    return record.parent


def delete(tx: Transaction, layer: LayerId) -> None:
    record = tx.find(LayerRecord, layer)
    if record is None:
        return
    if record.children:
        raise LayerHasChildren(layer=layer, children=record.children)
    tx.count_child(record.parent, -1)
    tx.drop(LayerRecord, layer)
    _leave(tx, record.image, layer)


def _leave(tx: Transaction, name: str, layer: LayerId) -> None:
    """A layer is no longer in the image; a head that was its, or belongs to nobody, may now hold for nobody
    what it doesn't share with the last snapshot."""
    image = tx.image(name)
    if image.head in (layer, None):
        tx.put(name, replace(image, head=None, dirty=True))


def forbid_shrinking(layer: LayerId, record: LayerRecord, size_bytes: int) -> None:
    if size_bytes < record.size_bytes:
        raise CannotShrink(
            field="size_bytes", layer=layer, size_bytes=record.size_bytes, wanted_bytes=size_bytes
        )


def info(layer: LayerId, record: LayerRecord) -> LayerInfo:
    return LayerInfo(
        layer=layer,
        parent=record.parent,
        frozen=record.frozen,
        size_bytes=record.size_bytes,
    )
