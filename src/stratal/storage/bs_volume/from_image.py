"""Whether a volume can start as an image. Called by the service of volumes."""

from stratal.kernel.errors import Conflict, Invalid
from stratal.kernel.store import Store
from stratal.kernel.transaction import Transaction
from stratal.storage.bs_policy.model import BsPolicySpec
from stratal.storage.bs_volume.model import MIB
from stratal.storage.layers import NameKind, State
from stratal.storage.tree import rows
from stratal.storage.tree.model import TREE

_TREES = Store(TREE)


def check_image(transaction: Transaction, image_id: int, *, policy: BsPolicySpec, size_bytes: int) -> None:
    """Raises Conflict for an image without content, Invalid for a volume that cannot hold or share it."""
    name = rows.name_of(NameKind.IMAGE, image_id)
    path, tree_id = rows.path(transaction, name), rows.tree_of(transaction, name)
    tree = None if tree_id is None else _TREES.get(transaction, tree_id, labels=False)
    if not path or tree is None or path[0].layer.state is State.PLANNED:
        raise Conflict(reason=f"vm_image {image_id} has no content yet: wait until it is active")
    image_bytes = path[0].layer.size_bytes
    if size_bytes < image_bytes:
        least = -(-image_bytes // MIB)
        raise Invalid(
            field="spec.size_mb",
            reason=f"vm_image {image_id} has {image_bytes} bytes: at least {least} MiB are needed",
        )
    if (tree.spec.driver, tree.spec.place) != (policy.driver, policy.place):
        raise Invalid(
            field="spec.bs_policy_id",
            reason=f"vm_image {image_id} is kept in another place; a volume of it goes there too",
        )
