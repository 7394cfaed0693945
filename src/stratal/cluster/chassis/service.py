"""What may be asked of chassis. Called by faces."""

import msgspec

from stratal.cluster.chassis.model import (
    CHASSIS,
    ChassisCreate,
    ChassisSpec,
    ChassisStatus,
    ChassisUpdate,
    SwitchChassis,
)
from stratal.cluster.node.service import NodeService
from stratal.kernel.access import Access
from stratal.kernel.actions import action
from stratal.kernel.errors import Conflict, Invalid
from stratal.kernel.kind import Catalogue
from stratal.kernel.service import ResourceService
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction

Chassis = Resource[ChassisSpec, ChassisStatus]


class ChassisService(ResourceService[ChassisSpec, ChassisStatus]):
    create_body = ChassisCreate
    update_body = ChassisUpdate

    def __init__(self, catalogue: Catalogue, nodes: NodeService) -> None:
        super().__init__(CHASSIS, catalogue)
        self._nodes = nodes

    @action("switch-chassis", SwitchChassis)
    def switch_chassis(
        self, transaction: Transaction, access: Access, id: int, body: SwitchChassis
    ) -> Chassis:
        """Move nodes of this chassis to another one."""
        # its lock keeps two moves out of one chassis apart: a node leaves it by this action alone
        source = self.changeable(transaction, access, id)
        self._check_target(transaction, source, body.chassis_id)
        self._nodes.move(transaction, body.node_ids, source=id, target=body.chassis_id)
        return self.acted(transaction, access, source, "switch-chassis", msgspec.structs.asdict(body))

    def _check_target(self, transaction: Transaction, source: Chassis, target_id: int) -> None:
        field = "spec.chassis_id"
        if target_id == source.id:
            raise Invalid(field=field, reason=f"the nodes are in chassis {target_id} already")
        target = self.store.get(transaction, target_id, lock=True, labels=False)
        if target is None:
            raise Invalid(field=field, reason=f"there is no chassis {target_id}")
        if target.spec.deletion_begin is not None:
            raise Conflict(reason=f"chassis {target_id} is being deleted")
