"""Keeps networks' parts in step, and waits for them. Called by the reconcile engine."""

from datetime import timedelta
from typing import Final

import msgspec

from stratal.kernel.kind import Catalogue
from stratal.kernel.reconcile import Gone, Look, Observed, StillRemoving
from stratal.kernel.state import State
from stratal.kernel.store import Resource, Store
from stratal.kernel.transaction import Transaction
from stratal.network.br_net.model import BR_NET, BrNetSpec, BrNetStatus
from stratal.network.br_net.parts import Parts

BrNet = Resource[BrNetSpec, BrNetStatus]

_WAIT: Final = timedelta(seconds=5)
"""For parts, which wake their network when something about them changes."""


class BrNetReconciler:
    """A network is there once its parts are."""

    kind = BR_NET
    concurrency = 4

    def __init__(self, catalogue: Catalogue, parts: Parts) -> None:
        self._parts = parts
        #: those for whose sake a network is kept: interfaces of guests
        self._guests = [
            (Store(kind), kind.tables.spec.c[reference.field])
            for kind, reference in catalogue.referrers(BR_NET.name)
            if not reference.weak
        ]

    def reconcile(self, resource: BrNet, look: Look) -> Observed[BrNetStatus]:
        if not look.read(lambda tx: self._parts.covered(tx, resource)):
            look.write(lambda tx: self._parts.cover(tx, resource.id))
        elif look.read(lambda tx: self._count_guests(tx, resource.id)) or resource.status.vm_nic_num:
            look.write(lambda tx: self._parts.tell_namespaces(tx, resource.id))
        status, settled = look.read(lambda tx: self._observe(tx, resource))
        return Observed(status=status, settled=settled, again_after=None if settled else _WAIT)

    def remove(self, resource: BrNet, look: Look) -> Gone | StillRemoving[BrNetStatus]:
        look.write(lambda tx: self._parts.withdraw(tx, resource.id))
        if look.read(lambda tx: self._parts.remaining(tx, resource.id)):
            return StillRemoving(status=resource.status, again_after=_WAIT)
        return Gone()

    def _observe(self, transaction: Transaction, network: BrNet) -> tuple[BrNetStatus, bool]:
        bridges = self._parts.bridges(transaction, network.id)
        up = [each for each in bridges if each.state.state is State.ACTIVE and each.status.operstate == "up"]
        namespaces = self._parts.namespaces(transaction, network.id)
        status = msgspec.structs.replace(
            network.status, vm_nic_num=self._count_guests(transaction, network.id), bridge_num=len(up)
        )
        return status, len(up) == len(bridges) and all(each.status.ready for each in namespaces)

    def _count_guests(self, transaction: Transaction, id: int) -> int:
        return sum(store.count(transaction, column == id) for store, column in self._guests)
