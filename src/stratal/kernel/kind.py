"""Declaring a kind of resource, once.

From the declaration follow the two tables, the fields of the query language, the OpenAPI schemas and the
endpoints of the native face. Called by every domain package's models; gathered by the composition root
into a `Catalogue`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

import msgspec
from sqlalchemy import MetaData, Table

from stratal.kernel.fields import Spec, Status, TenantSpec
from stratal.kernel.tables import METADATA, Tables, derive_record_table, derive_tables

S = TypeVar("S", bound=Spec)
T = TypeVar("T", bound=Status)
R = TypeVar("R", bound=msgspec.Struct)


class Scope(StrEnum):
    """Whose a resource is: the whole installation's, or one project's."""

    CLUSTER = "cluster"
    PROJECT = "project"


class Profile(StrEnum):
    """What sort of thing a kind is to the role policy, unless the policy names the kind itself."""

    #: the installation's own hardware and set-up: cluster roles only
    INFRASTRUCTURE = "infrastructure"
    #: a catalogue that everybody may read
    CATALOGUE = "catalogue"
    #: what tenants work with, inside their project
    TENANT = "tenant"


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A spec field that names another resource.

    The target must exist, not be on its way out, and be visible to whoever writes the reference. While a
    live resource refers to it, the target cannot be deleted, unless the reference is `weak`. The target's
    reconciler is woken whenever a referrer comes, goes or moves, so that it can count.
    """

    #: the spec field that holds the target's id
    field: str
    #: `name` of the target's kind
    kind: str
    #: where something came from: the target may go while it is still named, and is woken all the same
    weak: bool = False


@dataclass(frozen=True, kw_only=True)
class Kind(Generic[S, T]):
    """A kind whose resources have metadata, a spec and a status."""

    #: singular, snake case: names the tables and is the `resource_type` of labels, events and audit logs
    name: str
    #: the path segment of the collection, such as `data-centers`
    plural: str
    #: the type's name in the OpenAPI document, such as `DataCenter`
    type_name: str
    spec: type[S]
    status: type[T]
    #: spec columns that are never shown (verifiers, client-side blobs); all have defaults
    private: type[msgspec.Struct] | None = None
    profile: Profile | None = None
    references: tuple[Reference, ...] = ()
    #: a boolean spec column: where it is true, every project may see the resource and refer to it
    shared_by: str | None = None
    #: sets of spec columns whose values together are unique among resources that are not being deleted
    unique: tuple[tuple[str, ...], ...] = ()
    #: sets of columns that lists are commonly filtered and sorted by, beside name and references
    indexes: tuple[tuple[str, ...], ...] = ()
    metadata: MetaData = field(default=METADATA, repr=False)
    tables: Tables = field(init=False, repr=False)

    def __post_init__(self) -> None:
        tables = derive_tables(
            name=self.name,
            spec=self.spec,
            status=self.status,
            private=self.private,
            references=[reference.field for reference in self.references],
            unique=self.unique,
            indexes=self.indexes,
            metadata=self.metadata,
        )
        object.__setattr__(self, "tables", tables)
        if self.profile is None:
            object.__setattr__(self, "profile", _PROFILE_OF[self.scope])

    @property
    def scope(self) -> Scope:
        return Scope.PROJECT if issubclass(self.spec, TenantSpec) else Scope.CLUSTER


@dataclass(frozen=True, kw_only=True)
class RecordKind(Generic[R]):
    """A kind of plain record: written once, never reconciled, with `id` and `created_at` among its fields."""

    name: str
    plural: str
    type_name: str
    record: type[R]
    indexes: tuple[tuple[str, ...], ...] = ()
    metadata: MetaData = field(default=METADATA, repr=False)
    table: Table = field(init=False, repr=False)

    def __post_init__(self) -> None:
        table = derive_record_table(
            name=self.name, record=self.record, indexes=self.indexes, metadata=self.metadata
        )
        object.__setattr__(self, "table", table)


AnyKind = Kind[Any, Any]

_PROFILE_OF = {Scope.CLUSTER: Profile.INFRASTRUCTURE, Scope.PROJECT: Profile.TENANT}


class Catalogue:
    """Every kind of an installation, by name and by path segment."""

    def __init__(self, kinds: Iterable[AnyKind]) -> None:
        self._by_name = {kind.name: kind for kind in kinds}
        self._referrers: dict[str, list[tuple[AnyKind, Reference]]] = {name: [] for name in self._by_name}
        for kind in self._by_name.values():
            for reference in kind.references:
                # an installation without the kinds of some domain has nothing that this could name
                self._referrers.setdefault(reference.kind, []).append((kind, reference))

    def __iter__(self) -> Iterator[AnyKind]:
        return iter(self._by_name.values())

    def get(self, name: str) -> AnyKind | None:
        return self._by_name.get(name)

    def __getitem__(self, name: str) -> AnyKind:
        return self._by_name[name]

    def referrers(self, name: str) -> list[tuple[AnyKind, Reference]]:
        """The kinds, and their references, that point at the kind called `name`."""
        return self._referrers[name]
