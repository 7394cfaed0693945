"""What may be asked of nodes. Called by faces, by the service of chassis, and at the server's start.

A node comes into being when the server on it starts; nobody creates one from outside yet.
"""

import ipaddress
from collections.abc import Sequence

import msgspec

from stratal.cluster.node.model import NODE, NodeSpec, NodeStatus, NodeUpdate
from stratal.kernel import work
from stratal.kernel.access import SYSTEM, Access
from stratal.kernel.errors import Conflict, Invalid
from stratal.kernel.fields import given
from stratal.kernel.kind import Catalogue
from stratal.kernel.service import Change, ResourceService
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction

Node = Resource[NodeSpec, NodeStatus]


class NodeService(ResourceService[NodeSpec, NodeStatus]):
    update_body = NodeUpdate

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__(NODE, catalogue)

    def register_this_node(self, transaction: Transaction, node_name: str, admin_ip: str) -> Node:
        """Make sure that this process's node exists, and ask for a look at it. Idempotent.

        The node is known again by the name that it registered under first, whatever it is called now.
        Raises Invalid for an address that is none, Conflict when another node is called so.
        """
        _check_address("admin_ip", admin_ip)
        known = self.store.find(
            transaction,
            self.columns.registered_as == node_name,
            self.columns.deletion_begin.is_(None),
            labels=False,
        )
        if known:
            node = self.changeable(transaction, SYSTEM, known[0].id)
            if node.spec.admin_ip != admin_ip:
                return self.change(transaction, SYSTEM, node, "update", {"admin_ip": admin_ip})
            work.ask(transaction, self.kind.name, node.id)
            return node
        spec = _first_spec(node_name, admin_ip)
        self._check_unique(transaction, spec, ignore=None)
        id = self.store.insert(transaction, spec)
        return self._written(transaction, SYSTEM, "create", id, None, spec)

    def count_live(self, transaction: Transaction) -> int:
        """How many nodes there are."""
        return self.store.count(transaction)

    def changed(
        self, transaction: Transaction, access: Access, resource: Node, body: msgspec.Struct
    ) -> Change:
        values = given(body)
        for name in ("storage_public_ip", "storage_private_ip"):
            address = values.get(name)
            if address is not None:
                values[name] = _check_address(f"spec.{name}", str(address))
        return values

    def before_delete(self, transaction: Transaction, access: Access, resource: Node) -> None:
        if resource.status.up and not resource.spec.unrecoverable:
            raise Conflict(reason=f"node {resource.id} is up: it would come back when its server restarts")

    def move(self, transaction: Transaction, node_ids: Sequence[int], *, source: int, target: int) -> None:
        """Move nodes of one chassis to another, and ask for a look at everything that this touches.

        The caller holds the locks of both chassis. Raises Invalid for the first node that is named twice or
        is not in `source`, Conflict for one that is being deleted.
        """
        found = {
            node.id: node
            for node in self.store.find(transaction, self.columns.id.in_(node_ids), labels=False)
        }
        for index, id in enumerate(node_ids):
            node = found.pop(id, None)
            if node is None or node.spec.chassis_id != source:
                reason = f"node {id} is named twice" if id in node_ids[:index] else f"no node {id} in it"
                raise Invalid(field=f"spec.node_ids[{index}]", reason=reason)
            if node.spec.deletion_begin is not None:
                raise Conflict(reason=f"node {id} is being deleted")
            self.store.change_spec(transaction, id, {"chassis_id": target})
            work.ask(transaction, self.kind.name, id)
        for chassis in (source, target):
            self._wake_targets(transaction, {"chassis_id": chassis})


def _first_spec(node_name: str, admin_ip: str) -> dict[str, object]:
    """A single machine does everything but distributed storage, which is configured, not assumed."""
    return {
        "name": node_name,
        "description": "",
        "registered_as": node_name,
        "admin_ip": admin_ip,
        "role_sddc_admin": True,
        "role_sddc_server": True,
        "role_sds_admin": False,
        "role_sds_monitor": False,
        "role_sds_server": False,
        "maintained": False,
        "unrecoverable": False,
    }


def _check_address(field: str, address: str) -> str:
    """The address in its one canonical form. Raises Invalid."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        raise Invalid(field=field, reason=f"{address!r} is neither an IPv4 nor an IPv6 address") from None
