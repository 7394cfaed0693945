"""What the reconcilers of disks, interfaces and drives have in common. Called by the reconcile engine.

They touch no hypervisor: the reconciler of machines does, and notes what it saw (see `parts`). Here that
becomes the status, and a part that is being deleted goes once its guest has let go of it.
"""

from abc import ABC, abstractmethod
from datetime import timedelta
from typing import Final, Generic, TypeVar

from stratal.compute import parts
from stratal.compute.machines import machine_of
from stratal.compute.parts import Part, PartKind
from stratal.kernel.fields import Status, TenantSpec
from stratal.kernel.kind import Kind
from stratal.kernel.reconcile import Gone, Look, Observed, StillRemoving
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction

S = TypeVar("S", bound=TenantSpec)
T = TypeVar("T", bound=Status)

_WAIT: Final = timedelta(seconds=60)
"""How long to wait for the machine's reconciler, which asks for a look by itself."""

_SOON: Final = timedelta(seconds=1)
"""How long to wait for what asks for a look a moment before it is there."""


class PartReconciler(ABC, Generic[S, T]):
    concurrency = 16

    def __init__(self, kind: Kind[S, T], part_kind: PartKind) -> None:
        self.kind = kind
        self._part_kind = part_kind

    def reconcile(self, resource: Resource[S, T], look: Look) -> Observed[T]:
        part, status, ready = look.read(lambda tx: self._look(tx, resource))
        settled = ready and part is not None and part.settled
        again_after = None if settled else _WAIT if ready else _SOON
        return Observed(status=status, settled=settled, again_after=again_after)

    def remove(self, resource: Resource[S, T], look: Look) -> Gone | StillRemoving[T]:
        part, status, _ = look.read(lambda tx: self._look(tx, resource))
        if not (part is not None and part.released) and look.read(
            lambda tx: machine_of(tx, self.vm_id(resource)) is not None
        ):
            return StillRemoving(status=status, again_after=_WAIT)
        look.write(lambda tx: self._let_go(tx, resource))
        return Gone()

    # -- what differs --------------------------------------------------------------------------------

    @abstractmethod
    def vm_id(self, resource: Resource[S, T]) -> int:
        """The machine that it belongs to."""

    @abstractmethod
    def observe(self, transaction: Transaction, resource: Resource[S, T], part: Part) -> tuple[T, bool]:
        """The status as it should read now, and whether all that it hangs on is there."""

    def let_go(self, transaction: Transaction, resource: Resource[S, T]) -> None:
        """What goes with a part that its guest has let go of; nothing, unless a kind says otherwise."""
        return

    def _look(self, transaction: Transaction, resource: Resource[S, T]) -> tuple[Part | None, T, bool]:
        part = parts.of(transaction, self._part_kind, resource.id)
        seen = part or Part(kind=self._part_kind, id=resource.id, attached=False, settled=False)
        return part, *self.observe(transaction, resource, seen)

    def _let_go(self, transaction: Transaction, resource: Resource[S, T]) -> None:
        self.let_go(transaction, resource)
        parts.forget(transaction, self._part_kind, resource.id)
