"""Where this process is, and what it has to know of nodes and of guests. Given by the composition root."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Final, TypeVar

from stratal.kernel.fields import Spec, Status
from stratal.kernel.reconcile import Observed
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction

S = TypeVar("S", bound=Spec)
T = TypeVar("T", bound=Status)

NodesOf = Callable[[Transaction], Sequence[int]]
"""The nodes that networks are to be on, by their ids."""

GuestsOf = Callable[[Transaction, int], Mapping[str, str | None]]
"""The guests of a network, by its id: the MAC of each interface, with the address that is kept for it."""

PortsOf = Callable[[Transaction, Collection[int]], Collection[int]]
"""Which of these interfaces of guests there are, wherever they run."""

LOOK_AGAIN: Final = timedelta(seconds=30)
"""How often it is looked whether the host still is as it should be."""

PASS_ON: Final = timedelta(seconds=2)
"""How soon what another node has to do is offered again to its process."""


class Here:
    """The node of this process, once that is known."""

    def __init__(self) -> None:
        self.node_id: int | None = None

    def is_mine(self, node_id: int) -> bool:
        return self.node_id == node_id


def pass_on(resource: Resource[S, T]) -> Observed[T]:
    """The outcome of a look at what another node's process has to look at."""
    created = resource.spec.creation_finish is not None
    return Observed(status=resource.status, settled=created, again_after=LOOK_AGAIN if created else PASS_ON)


def all_of(transaction: Transaction, vm_nic_ids: Collection[int]) -> Collection[int]:
    """The interfaces of guests where nobody knows which there are."""
    return vm_nic_ids


def nobody(transaction: Transaction, br_net_id: int) -> Mapping[str, str | None]:
    """The guests of networks where there are no guests."""
    return {}
