"""The shapes of answers: metadata, spec and status around a resource, and lists with pagination.

The struct types of each kind are made from its declaration, so the OpenAPI document and the encoder cannot
disagree. Called by `resources` and `openapi`.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

import msgspec

from stratal.kernel.kind import AnyKind
from stratal.kernel.labels import Label
from stratal.kernel.state import ResourceState
from stratal.kernel.store import Listing, Resource


class ResourceMeta(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The metadata that every resource has."""

    created_at: datetime
    creation_finish: datetime | None = None
    deletion_begin: datetime | None = None
    deletion_finish: datetime | None = None
    id: int
    labels: Sequence[Label]
    name: str
    project_id: int | None = None
    state: ResourceState


class Pagination(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a list an answer holds."""

    total_count: int
    count: int
    offset: int
    limit: int


class ListMeta(msgspec.Struct, frozen=True, kw_only=True):
    pagination: Pagination


@cache
def item_type(kind: AnyKind) -> type[msgspec.Struct]:
    """The struct of one resource of this kind, as it is answered."""
    fields = [("metadata", ResourceMeta), ("spec", kind.spec), ("status", kind.status)]
    return msgspec.defstruct(kind.type_name, fields, kw_only=True, frozen=True)


@cache
def list_type(name: str, item: type[Any]) -> type[msgspec.Struct]:
    """The struct of a page of such items."""
    return msgspec.defstruct(
        f"{name}List", [("metadata", ListMeta), ("items", list[item])], kw_only=True, frozen=True
    )


def item(resource: Resource[Any, Any]) -> msgspec.Struct:
    """A resource as it is answered."""
    spec = resource.spec
    metadata = ResourceMeta(
        created_at=spec.created_at,
        creation_finish=spec.creation_finish,
        deletion_begin=spec.deletion_begin,
        deletion_finish=spec.deletion_finish,
        id=spec.id,
        labels=resource.labels,
        name=spec.name,
        project_id=getattr(spec, "project_id", None),
        state=resource.state,
    )
    return item_type(resource.kind)(metadata=metadata, spec=spec, status=resource.status)


def item_list(kind: AnyKind, listing: Listing[Any, Any], *, limit: int, offset: int) -> msgspec.Struct:
    """A page of resources as it is answered."""
    items = [item(resource) for resource in listing.items]
    return page(
        list_type(kind.type_name, item_type(kind)),
        items,
        total=listing.total_count,
        limit=limit,
        offset=offset,
    )


def page(
    type_: type[msgspec.Struct], items: Sequence[Any], *, total: int, limit: int, offset: int
) -> msgspec.Struct:
    pagination = Pagination(total_count=total, count=len(items), offset=offset, limit=limit)
    return type_(metadata=ListMeta(pagination=pagination), items=items)
