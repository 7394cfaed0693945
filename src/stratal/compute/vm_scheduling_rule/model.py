"""The declaration of scheduling rules. Called by the service, the reconciler and the faces."""

from enum import StrEnum
from typing import Annotated

import msgspec

from stratal.kernel.fields import CreateSpec, Id, Status, TenantSpec, list_field
from stratal.kernel.kind import Kind


class RuleType(StrEnum):
    VM_AFFINITY = "vm_affinity"
    VM_ANTI_AFFINITY = "vm_anti_affinity"
    NODE_AFFINITY = "node_affinity"
    NODE_ANTI_AFFINITY = "node_anti_affinity"


class RulePolicy(StrEnum):
    MUST = "must"
    SHOULD = "should"


Type = Annotated[
    RuleType,
    msgspec.Meta(description="Whether machines run together or apart, or on or off certain nodes."),
]
Policy = Annotated[RulePolicy, msgspec.Meta(description="Whether it binds or is a wish.")]
Enabled = Annotated[bool, msgspec.Meta(description="Whether it counts.")]
Members = Annotated[
    list[Id], msgspec.Meta(min_length=1, max_length=1024, description="The virtual machines it is about.")
]
Nodes = Annotated[list[Id], msgspec.Meta(max_length=1024, description="The nodes, of rules about nodes.")]


class VmSchedulingRuleSpec(TenantSpec, kw_only=True, omit_defaults=True):
    """What is wanted of a scheduling rule."""

    type: Type
    policy: Policy
    enabled: Enabled
    vm_ids: Members
    node_ids: Nodes


class VmSchedulingRuleStatus(Status, kw_only=True, omit_defaults=True):
    """What is observed of a scheduling rule."""

    satisfied: Annotated[
        bool | None, msgspec.Meta(description="Whether the machines that run are where it wants them.")
    ] = None
    violating_vm_ids: Annotated[list[int], msgspec.Meta(description="Those that are not.")] = list_field()


class VmSchedulingRuleCreate(CreateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client says of a new scheduling rule."""

    type: Type
    policy: Policy = RulePolicy.MUST
    enabled: Enabled = True
    vm_ids: Members
    node_ids: Nodes = list_field()


VM_SCHEDULING_RULE = Kind(
    name="vm_scheduling_rule",
    plural="vm-scheduling-rules",
    type_name="VmSchedulingRule",
    spec=VmSchedulingRuleSpec,
    status=VmSchedulingRuleStatus,
)
