"""Reports on the node that this process runs on. Called by the reconcile engine."""

import dataclasses
from collections.abc import Callable
from datetime import timedelta

import msgspec

from stratal.cluster.node.host import HostFacts, read_host
from stratal.cluster.node.model import NODE, NodeSpec, NodeStatus
from stratal.kernel.reconcile import Gone, Look, Observed
from stratal.kernel.store import Resource, Store

_REFRESH = timedelta(seconds=30)
"""How often a node looks at itself: memory can be hot-plugged, and the host be renamed."""

_PASS_ON = timedelta(seconds=2)
"""How soon a new node that another process was asked to look at is offered to its own process again."""


class NodeReconciler:
    """Refreshes the status of this process's own node. Of any other it knows nothing, and says nothing."""

    kind = NODE
    concurrency = 1

    def __init__(self, node_name: str, read: Callable[[], HostFacts] = read_host) -> None:
        self._node_name = node_name
        self._read = read
        self._store = Store(NODE)

    def reconcile(self, resource: Resource[NodeSpec, NodeStatus], look: Look) -> Observed[NodeStatus]:
        registered_as = look.read(lambda tx: self._store.private(tx, resource.id, "registered_as"))
        if registered_as != self._node_name:
            return self._pass_on(resource)
        facts = dataclasses.asdict(self._read())
        return Observed(
            status=msgspec.structs.replace(resource.status, up=True, **facts), again_after=_REFRESH
        )

    def remove(self, resource: Resource[NodeSpec, NodeStatus], look: Look) -> Gone:
        return Gone()

    @staticmethod
    def _pass_on(resource: Resource[NodeSpec, NodeStatus]) -> Observed[NodeStatus]:
        # only its own process can say that a node is there; later, anybody can say that nothing is to be done
        seen = resource.status.hostname is not None
        return Observed(status=resource.status, settled=seen, again_after=_REFRESH if seen else _PASS_ON)
