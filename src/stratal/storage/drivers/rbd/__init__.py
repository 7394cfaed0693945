"""Layers in a Ceph pool: RBD images, their snapshots and clones.

**How a layer is held.** A *run* of layers that follow each other lies in one image: each frozen layer is a
snapshot of it, and the writable one its head. A snapshot of a volume is thus a bare RBD snapshot, which a
guest needs not be told of, and its new head the same image as before. Where a second layer is hung on a
frozen one (rollback, clone, template), or a run reaches its length limit, a clone of that snapshot starts a
new image. A *catalogue*, an omap of one RADOS object, says which layer is where; it is changed by atomic
compare-and-set transactions, so that every verb has one instant at which it happens.

**Why not one image for each layer.** Opening an image opens all that it is a clone of: 7 ms for each level
(measured on loopback, with 30 levels 230 ms; the reads pay as well). And RBD can't hang a clone on another
parent, so that a merge had to copy both layers into a new image. In a run, reading costs the same at any
depth, and a merge is the removal of a snapshot, whose unshared objects the OSDs trim on their own: no data
moves. Snapshots aren't free either: with 1,000 of them in one image it opens in 110 ms instead of 5, and the
next one takes 190 ms instead of 30. Hence runs of at most 256, which is where the 1,000th snapshot of a disk
is cheapest (measured with 128, 256 and 400: 2.0, 1.8 and 2.8 times the first); writes don't notice them.

**Merges across images.** A frozen layer with one child in another image is dropped from the catalogue, and
its snapshot moves to RBD's trash namespace, where clones keep it and the last one to go takes it along
(clone v2). The child then owns what it holds there. What both hold of the same object stays allocated twice
until the child is flattened.

**Flattening** an image moves data (`rbd flatten`, in the speed of the pool); within a run it is a change of
the catalogue, because snapshots of one image don't depend on each other.

Only the composition root and the tests import this package. It needs Debian's python3-rados, python3-rbd.
"""

from stratal.storage.drivers.rbd.driver import RbdDriver
from stratal.storage.drivers.rbd.place import RbdPlace

__all__ = ["RbdDriver", "RbdPlace"]
