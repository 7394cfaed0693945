"""Says whether machines run where a rule wants them. Called by the reconcile engine.

Nothing tells a rule that a machine was started or moved: it looks now and then.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import msgspec
from sqlalchemy import select

from stratal.compute.domain import PowerState
from stratal.compute.virtual_machine.model import VIRTUAL_MACHINE
from stratal.compute.vm_scheduling_rule.model import (
    VM_SCHEDULING_RULE,
    RuleType,
    VmSchedulingRuleSpec,
    VmSchedulingRuleStatus,
)
from stratal.kernel.reconcile import Gone, Look, Observed
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction

_REFRESH: Final = timedelta(seconds=30)

Rule = Resource[VmSchedulingRuleSpec, VmSchedulingRuleStatus]


class VmSchedulingRuleReconciler:
    kind = VM_SCHEDULING_RULE
    concurrency = 8

    def reconcile(self, resource: Rule, look: Look) -> Observed[VmSchedulingRuleStatus]:
        if not resource.spec.enabled:
            status = msgspec.structs.replace(resource.status, satisfied=None, violating_vm_ids=[])
            return Observed(status=status)
        nodes = look.read(lambda tx: _nodes_of(tx, resource.spec.vm_ids))
        violating = violations(resource.spec, nodes)
        status = msgspec.structs.replace(resource.status, satisfied=not violating, violating_vm_ids=violating)
        return Observed(status=status, again_after=_REFRESH)

    def remove(self, resource: Rule, look: Look) -> Gone:
        return Gone()


def violations(rule: VmSchedulingRuleSpec, nodes: Mapping[int, int]) -> list[int]:
    """Which machines run where a rule does not want them; `nodes` says where those run that do. Pure.

    Of machines that are to run together, those are wrong that are not with most; of machines that are to run
    apart, all that share a node.
    """
    running = [id for id in rule.vm_ids if id in nodes]
    where = Counter(nodes[id] for id in running)
    match rule.type:
        case RuleType.VM_AFFINITY:
            most = where.most_common(1)
            return [id for id in running if nodes[id] != most[0][0]]
        case RuleType.VM_ANTI_AFFINITY:
            return [id for id in running if where[nodes[id]] > 1]
        case RuleType.NODE_AFFINITY:
            return [id for id in running if nodes[id] not in rule.node_ids]
        case RuleType.NODE_ANTI_AFFINITY:
            return [id for id in running if nodes[id] in rule.node_ids]


def _nodes_of(transaction: Transaction, vm_ids: list[int]) -> dict[int, int]:
    """The nodes of those of these machines that run."""
    status = VIRTUAL_MACHINE.tables.status.c
    alive = status.power_state.in_((PowerState.RUNNING, PowerState.PAUSED))
    statement = select(status.id, status.node_id).where(
        status.id.in_(vm_ids), status.node_id.is_not(None), status.deleted_at.is_(None), alive
    )
    return {row.id: row.node_id for row in transaction.execute(statement)}
