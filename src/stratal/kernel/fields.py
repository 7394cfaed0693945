"""The field types that specs and statuses are declared with, and the base columns of every resource.

Called by every kind's model. What a type refuses here is refused with the path of the field before a
service sees it: strings hold no NUL (PostgreSQL cannot store one), integers fit 64 bits, an item of a
StringSlice holds no comma, since the slice is stored as `a,b,c`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, ClassVar, Final

import msgspec

INT64_MAX: Final = 2**63 - 1
# (?!\n) because $ alone lets one newline follow
NO_NUL: Final = r"^[^\x00]*$(?!\n)"
NAME_PATTERN: Final = r"^[^\x00-\x1f\x7f]*$(?!\n)"
SLICE_ITEM_PATTERN: Final = r"^[^,\x00]+$(?!\n)"

Id = Annotated[int, msgspec.Meta(ge=1, le=INT64_MAX, description="The integer id of a resource.")]
Count = Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)]
Name = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=255,
        pattern=NAME_PATTERN,
        description="1 to 255 characters, none of them a control character.",
    ),
]
Text = Annotated[str, msgspec.Meta(max_length=4096, pattern=NO_NUL)]
SliceItem = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=SLICE_ITEM_PATTERN)]
StringSlice = Annotated[
    list[SliceItem], msgspec.Meta(max_length=256, description="Stored as a,b,c: no item holds a comma.")
]


def count_field() -> int:
    """A counter that starts at 0 and, unlike a plain default, is always shown."""
    return msgspec.field(default_factory=int)


def list_field() -> list[Any]:
    """A list that starts empty and, unlike one with a plain default, is shown even so."""
    return msgspec.field(default_factory=_nothing)


def _nothing() -> list[Any]:
    return []


class NullTime(msgspec.Struct, frozen=True, kw_only=True):
    """A time that may be null, in the shape that Go's database/sql.NullTime has in JSON."""

    time: datetime = msgspec.field(name="Time")
    valid: bool = msgspec.field(name="Valid")

    @classmethod
    def of(cls, time: datetime | None) -> "NullTime":
        return NULL_TIME if time is None else cls(time=time, valid=True)


NULL_TIME: Final = NullTime(time=datetime(1, 1, 1, tzinfo=UTC), valid=False)


class Spec(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The columns that every spec has. A subclass adds what is wanted of its kind.

    Optional columns are `X | None = None` and left out of the answer while they are null.
    """

    id: int
    etag: str
    name: str
    description: str
    created_at: datetime
    updated_at: datetime
    creation_finish: datetime | None = None
    deletion_begin: datetime | None = None
    deletion_finish: datetime | None = None
    deleted_at: NullTime = msgspec.field(default_factory=lambda: NULL_TIME)


class TenantSpec(Spec, kw_only=True, omit_defaults=True):
    """The spec of a kind whose resources belong to a project."""

    project_id: int


class Status(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The columns that every status has. A subclass adds what is observed; all of it has a default."""

    #: fields that mean something else than the fields of the same name in the spec, and are not compared
    not_compared: ClassVar[frozenset[str]] = frozenset()

    id: int
    etag: str
    created_at: datetime
    updated_at: datetime
    deleted_at: NullTime = msgspec.field(default_factory=lambda: NULL_TIME)


class CreateSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Base of what a client may say when it creates a resource."""

    name: Name
    description: Text = ""


class UpdateSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Base of what a client may change. An absent field stays as it is."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    description: Text | msgspec.UnsetType = msgspec.UNSET


class ActionSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Base of what a client may say when it calls an action; as it stands, an action without arguments."""


def given(body: msgspec.Struct) -> dict[str, object]:
    """The fields that a client really sent, by column name."""
    return {
        name: value for name in body.__struct_fields__ if (value := getattr(body, name)) is not msgspec.UNSET
    }


@cache
def defaults_of(struct: type[msgspec.Struct]) -> Mapping[str, Any]:
    """The default of each field that has one."""
    found: dict[str, Any] = {}
    for each in msgspec.structs.fields(struct):
        if each.default is not msgspec.NODEFAULT:
            found[each.name] = each.default
        elif each.default_factory is not msgspec.NODEFAULT:
            found[each.name] = each.default_factory()
    return found


def names_of(struct: type[msgspec.Struct]) -> Sequence[str]:
    return struct.__struct_fields__
