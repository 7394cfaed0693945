"""Resources that come and go with others: nobody creates them, users list and show them.

Called by the services and reconcilers of what they follow from, in the transactions of those; no audit row of
their own is written, since what was asked for was something else.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from stratal.kernel import work
from stratal.kernel.fields import Spec, Status
from stratal.kernel.service import ResourceService
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction

S = TypeVar("S", bound=Spec)
T = TypeVar("T", bound=Status)


class DerivedService(ResourceService[S, T]):
    """A service of resources that nobody asks for by themselves."""

    def add(self, transaction: Transaction, spec: Mapping[str, Any]) -> int:
        """Make one, and ask for a look at it and at what it refers to. Returns its id."""
        id = self.store.insert(transaction, {"description": "", **spec})
        self._ask(transaction, id, spec)
        return id

    def of(self, transaction: Transaction, **owner: int) -> list[Resource[S, T]]:
        """Those of an owner, by the column that names it, without those that are on their way out."""
        named = [self.columns[name] == id for name, id in owner.items()]
        return self.store.find(transaction, *named, self.columns.deletion_begin.is_(None), labels=False)

    def follow(self, transaction: Transaction, resource: Resource[S, T], **values: object) -> None:
        """Bring columns of the spec to what they follow from, and ask for a look."""
        changed = {name: value for name, value in values.items() if getattr(resource.spec, name) != value}
        if changed:
            self.store.change_spec(transaction, resource.id, changed)
        work.ask(transaction, self.kind.name, resource.id)

    def drop(self, transaction: Transaction, id: int) -> None:
        """Begin its deletion. Idempotent."""
        found = self.store.get(transaction, id, labels=False)
        if found is not None and found.spec.deletion_begin is None:
            self.store.mark(transaction, id, {"deletion_begin": transaction.now})
            self._ask(transaction, id, msgspec.structs.asdict(found.spec))

    def _ask(self, transaction: Transaction, id: int, spec: Mapping[str, Any]) -> None:
        work.ask(transaction, self.kind.name, id)
        self._wake_targets(transaction, spec)
