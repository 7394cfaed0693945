"""The state of a resource, derived from its two rows and never stored. Called by faces and `store`.

`diff_fields` compares same-named columns of spec and status. The rule is the one of the NeutonOS document:
deleting, else creating, else reconciling while a field differs that can still follow, else active.
"""

from enum import StrEnum
from functools import cache

import msgspec
from sqlalchemy import ColumnElement, and_, case, or_
from sqlalchemy.sql.expression import literal

from stratal.kernel.fields import Spec, Status
from stratal.kernel.kind import AnyKind

_OWN_ROW = frozenset(Spec.__struct_fields__) | frozenset(Status.__struct_fields__)


class State(StrEnum):
    CREATING = "creating"
    ACTIVE = "active"
    RECONCILING = "reconciling"
    DELETING = "deleting"


class DiffFields(msgspec.Struct, frozen=True, kw_only=True):
    """Fields that the status does not yet agree with the spec on."""

    irreconcilable: list[str]
    reconciling: list[str]


class ResourceState(msgspec.Struct, frozen=True, kw_only=True):
    state: State
    diff_fields: DiffFields


@cache
def shared_fields(spec: type[Spec], status: type[Status]) -> tuple[str, ...]:
    """The fields that are wanted by the spec and observed by the status, in the spec's order."""
    observed = frozenset(status.__struct_fields__) - _OWN_ROW - status.not_compared
    return tuple(name for name in spec.__struct_fields__ if name in observed)


def derive_state(spec: Spec, status: Status, irreconcilable: list[str]) -> ResourceState:
    differing = [
        name
        for name in shared_fields(type(spec), type(status))
        if getattr(spec, name) != getattr(status, name)
    ]
    stuck = [name for name in differing if name in irreconcilable]
    moving = [name for name in differing if name not in irreconcilable]
    if spec.deletion_begin is not None:
        state = State.DELETING
    elif spec.creation_finish is None:
        state = State.CREATING
    elif moving:
        state = State.RECONCILING
    else:
        state = State.ACTIVE
    return ResourceState(state=state, diff_fields=DiffFields(irreconcilable=stuck, reconciling=moving))


def state_expression(kind: AnyKind) -> ColumnElement[str]:
    """The same derivation in SQL, for filters on `metadata.state.state`."""
    spec, status = kind.tables.spec.c, kind.tables.status.c
    listed = literal(",").concat(status.irreconcilable).concat(",")
    moving = [
        and_(spec[name].is_distinct_from(status[name]), ~listed.contains(f",{name},", autoescape=True))
        for name in shared_fields(kind.spec, kind.status)
    ]
    branches: list[tuple[ColumnElement[bool], str]] = [
        (spec.deletion_begin.is_not(None), State.DELETING.value),
        (spec.creation_finish.is_(None), State.CREATING.value),
    ]
    if moving:
        branches.append((or_(*moving), State.RECONCILING.value))
    return case(*branches, else_=State.ACTIVE.value)
