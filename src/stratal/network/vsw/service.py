"""What may be asked of virtual switches. Called by faces and at the server's start."""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import select

from stratal.kernel import work
from stratal.kernel.access import SYSTEM, Access
from stratal.kernel.actions import action
from stratal.kernel.errors import Conflict, Invalid
from stratal.kernel.fields import given
from stratal.kernel.kind import Catalogue
from stratal.kernel.service import Change, ResourceService
from stratal.kernel.store import Resource, Store
from stratal.kernel.transaction import Transaction
from stratal.network.br_net.model import BR_NET
from stratal.network.bridge.model import BRIDGE
from stratal.network.nic.model import NicSpec, NicStatus
from stratal.network.nic.service import NicService
from stratal.network.vsw.model import VSW, SwitchNics, VswCreate, VswSpec, VswStatus, VswType, VswUpdate

Vsw = Resource[VswSpec, VswStatus]
Nic = Resource[NicSpec, NicStatus]

FIRST_SWITCH = "system"


class VswService(ResourceService[VswSpec, VswStatus]):
    create_body = VswCreate
    update_body = VswUpdate

    def __init__(self, catalogue: Catalogue, nics: NicService) -> None:
        super().__init__(VSW, catalogue)
        self._nics = nics
        self._networks = Store(BR_NET)
        self._bridges = Store(BRIDGE)

    def seed(self, transaction: Transaction) -> None:
        """Create the switch that every installation has. Idempotent."""
        if transaction.execute(select(self.columns.id).limit(1)).first() is None:
            values: dict[str, object] = {
                "name": FIRST_SWITCH,
                "description": "Made at the first start. Without uplinks: what is on it stays on its node.",
                "type": VswType.LINUX_BRIDGE,
                "mtu": 1500,
                "nic_ids": [],
                "system": True,
            }
            id = self.store.insert(transaction, values)
            self._written(transaction, SYSTEM, "create", id, None, values)

    def create(self, transaction: Transaction, access: Access, body: VswCreate) -> Vsw:
        nics = self._free(transaction, body.nic_ids)
        _check_bonding(nics, body.bond_mode is not None)
        vsw = super().create(transaction, access, body)
        self._assign(transaction, nics, vsw.id)
        return vsw

    def new(self, transaction: Transaction, access: Access, body: VswCreate) -> Change:
        return {**msgspec.structs.asdict(body), "nic_ids": sorted(body.nic_ids), "system": False}

    def changed(self, transaction: Transaction, access: Access, resource: Vsw, body: VswUpdate) -> Change:
        if body.mtu is not msgspec.UNSET:
            self._check_mtu(transaction, resource.id, body.mtu)
        if body.bond_mode is None:
            _check_bonding(self._nics.of(transaction, vsw_id=resource.id), False, field="spec.bond_mode")
        self._ask_for_bridges(transaction, resource.id)
        return given(body)

    def before_delete(self, transaction: Transaction, access: Access, resource: Vsw) -> None:
        if resource.spec.system:
            raise Conflict(reason=f"vsw {resource.id} is the system's own and stays")

    @action("attach-nics", SwitchNics)
    def attach_nics(self, transaction: Transaction, access: Access, id: int, body: SwitchNics) -> Vsw:
        """Make network cards uplinks of this switch."""
        vsw = self.changeable(transaction, access, id)
        present = self._nics.of(transaction, vsw_id=id)
        mine = {nic.id for nic in present}
        nics = self._free(transaction, [each for each in body.nic_ids if each not in mine])
        _check_bonding([*present, *nics], vsw.spec.bond_mode is not None)
        self._assign(transaction, nics, id)
        return self._with_nics(transaction, access, vsw, "attach-nics", mine | {nic.id for nic in nics})

    @action("detach-nics", SwitchNics)
    def detach_nics(self, transaction: Transaction, access: Access, id: int, body: SwitchNics) -> Vsw:
        """Take network cards out of this switch."""
        vsw = self.changeable(transaction, access, id)
        present = {nic.id: nic for nic in self._nics.of(transaction, vsw_id=id)}
        for index, each in enumerate(body.nic_ids):
            if each not in present:
                raise Invalid(field=f"spec.nic_ids[{index}]", reason=f"no nic {each} in vsw {id}")
        self._assign(transaction, [present[each] for each in body.nic_ids], None)
        return self._with_nics(transaction, access, vsw, "detach-nics", present.keys() - body.nic_ids)

    # -- parts ---------------------------------------------------------------------------------------

    def _with_nics(
        self, transaction: Transaction, access: Access, vsw: Vsw, action: str, nic_ids: Iterable[int]
    ) -> Vsw:
        self._ask_for_bridges(transaction, vsw.id)
        return self.change(transaction, access, vsw, action, {"nic_ids": sorted(nic_ids)})

    def _free(self, transaction: Transaction, nic_ids: Sequence[int]) -> list[Nic]:
        """The cards, if all of them may become uplinks."""
        nics: list[Nic] = []
        for index, id in enumerate(nic_ids):
            field = f"spec.nic_ids[{index}]"
            if id in nic_ids[:index]:
                raise Invalid(field=field, reason=f"nic {id} is named twice")
            nic = self._nics.store.get(transaction, id, lock=True, labels=False)
            if nic is None or nic.spec.deletion_begin is not None:
                raise Invalid(field=field, reason=f"there is no nic {id}")
            _check_free(nic)
            nics.append(nic)
        return nics

    def _assign(self, transaction: Transaction, nics: Iterable[Nic], vsw_id: int | None) -> None:
        for nic in nics:
            self._nics.follow(transaction, nic, vsw_id=vsw_id)

    def _check_mtu(self, transaction: Transaction, id: int, mtu: int) -> None:
        columns = self._networks.kind.tables.spec.c
        larger = self._networks.count(
            transaction, columns.vsw_id == id, columns.deletion_begin.is_(None), columns.mtu > mtu
        )
        if larger:
            raise Conflict(reason=f"{larger} br_net of vsw {id} have an mtu above {mtu}")

    def _ask_for_bridges(self, transaction: Transaction, id: int) -> None:
        columns = self._bridges.kind.tables.spec.c
        for bridge in self._bridges.find(transaction, columns.vsw_id == id, labels=False):
            work.ask(transaction, BRIDGE.name, bridge.id)


def _check_free(nic: Nic) -> None:
    if nic.spec.vsw_id is not None:
        raise Conflict(reason=f"nic {nic.id} is attached to vsw {nic.spec.vsw_id}")
    if nic.status.ip_addresses:
        raise Conflict(
            reason=f"nic {nic.id} has the address {nic.status.ip_addresses[0]}, by which its node is reached"
        )
    if nic.status.master_nic_id is not None:
        raise Conflict(reason=f"nic {nic.id} is a member of the bond {nic.status.master_nic_id}")


def _check_bonding(nics: Sequence[Nic], has_mode: bool, *, field: str = "spec.nic_ids") -> None:
    """Several uplinks on one node need a way to share the work."""
    [(node, most)] = Counter(nic.spec.node_id for nic in nics).most_common(1) or [(0, 0)]
    if most > 1 and not has_mode:
        raise Invalid(field=field, reason=f"node {node} would have {most} uplinks, which takes a bond_mode")
