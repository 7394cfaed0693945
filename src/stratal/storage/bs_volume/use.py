"""Who has volumes open: what storage has to know of compute, and asks it through one function.

Given to the storage facade by the composition root; called by the service and the reconciler of volumes.
"""

from collections.abc import Callable
from dataclasses import dataclass

from stratal.kernel import work
from stratal.kernel.transaction import Transaction
from stratal.storage.lending.lent import Keeper


@dataclass(frozen=True, kw_only=True)
class Use:
    """How a volume is used now."""

    #: the virtual disk that it is, if any
    vm_disk_id: int | None
    #: by how many it is open: running guests, exports
    mapping_num: int
    #: how it is reached, such as `nbd`; None: as the driver has it, if it is open
    protocol: str | None
    #: kind and id of the resource whose reconciler opens it for a guest
    keeper: Keeper | None = None


UseOf = Callable[[Transaction, int], Use | None]
"""The use of a volume, by its id; None: it lies there detached."""


def detached(transaction: Transaction, volume_id: int) -> Use | None:
    """The use of volumes where there is nobody to use them."""
    return None


def ask_users(transaction: Transaction, use: Use | None) -> None:
    """Ask for a look at the disk that a volume is, and at whoever opens it, since the volume has changed."""
    if use is not None and use.vm_disk_id is not None:
        work.ask(transaction, "vm_disk", use.vm_disk_id)
    if use is not None and use.keeper is not None:
        work.ask(transaction, *use.keeper)
