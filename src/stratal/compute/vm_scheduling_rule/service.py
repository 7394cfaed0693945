"""What may be asked of scheduling rules. Called by faces. A rule is replaced by another one, not changed."""

from collections.abc import Sequence
from dataclasses import replace

from stratal.compute.virtual_machine.model import VIRTUAL_MACHINE
from stratal.compute.vm_scheduling_rule.model import (
    VM_SCHEDULING_RULE,
    RuleType,
    VmSchedulingRuleCreate,
    VmSchedulingRuleSpec,
    VmSchedulingRuleStatus,
)
from stratal.kernel.access import Access, Reach
from stratal.kernel.errors import Invalid
from stratal.kernel.fields import given
from stratal.kernel.kind import AnyKind, Catalogue
from stratal.kernel.service import Change, ResourceService
from stratal.kernel.store import Store
from stratal.kernel.transaction import Transaction

ABOUT_NODES = frozenset({RuleType.NODE_AFFINITY, RuleType.NODE_ANTI_AFFINITY})


class VmSchedulingRuleService(ResourceService[VmSchedulingRuleSpec, VmSchedulingRuleStatus]):
    create_body = VmSchedulingRuleCreate

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__(VM_SCHEDULING_RULE, catalogue)

    def new(self, transaction: Transaction, access: Access, body: VmSchedulingRuleCreate) -> Change:
        project_of_token = replace(access, reach=Reach.PROJECT)
        _check_ids(transaction, project_of_token, "spec.vm_ids", VIRTUAL_MACHINE, body.vm_ids)
        if body.type in ABOUT_NODES:
            if not body.node_ids:
                raise Invalid(field="spec.node_ids", reason=f"a rule of the type {body.type} needs nodes")
            _check_ids(transaction, access, "spec.node_ids", self.catalogue["node"], body.node_ids)
        elif body.node_ids:
            raise Invalid(field="spec.node_ids", reason=f"a rule of the type {body.type} names no nodes")
        elif len(body.vm_ids) < 2:
            raise Invalid(field="spec.vm_ids", reason=f"a rule of the type {body.type} is about two or more")
        return given(body)


def _check_ids(
    transaction: Transaction, access: Access, field: str, kind: AnyKind, ids: Sequence[int]
) -> None:
    """Raises Invalid for the first id that is there twice, or that the caller's project does not have."""
    columns = kind.tables.spec.c
    known = {
        found.id: found
        for found in Store(kind).find(
            transaction, columns.id.in_(ids), columns.deletion_begin.is_(None), labels=False
        )
    }
    for index, id in enumerate(ids):
        where = f"{field}[{index}]"
        if id in ids[:index]:
            raise Invalid(field=where, reason=f"{kind.name} {id} is there twice")
        found = known.get(id)
        project = None if found is None else getattr(found.spec, "project_id", access.project_id)
        if found is None or project != access.project_id:
            raise Invalid(field=where, reason=f"there is no {kind.name} {id}")
