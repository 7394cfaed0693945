"""What an endpoint of this face is: a row of a table, from which routes and the OpenAPI document are made.

An endpoint names its place, who may call it, what it takes and gives, and the function that carries it out.
Made by `resources` from services, and by hand for the few calls that are not of a resource.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from typing import Any

import msgspec

from stratal.kernel.access import Access
from stratal.kernel.database import Database
from stratal.kernel.kind import Profile
from stratal.kernel.listing import ListRequest
from stratal.kernel.transaction import Transaction


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """The raw side of a request to an endpoint that streams."""

    #: by name in lower case
    headers: Mapping[str, str]
    query: Mapping[str, str]
    #: the body as it arrives; raises TooSlow when nothing does for too long, and Invalid when it breaks off
    body: Callable[[], AsyncIterator[bytes]]


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """An answer that is not JSON, sent as it is made."""

    status: HTTPStatus
    media_type: str
    length: int
    body: AsyncIterator[bytes]
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A header or query parameter that an endpoint reads by itself, for the OpenAPI document."""

    name: str
    place: str
    description: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request, decoded and authorised."""

    database: Database
    access: Access
    #: the integers in the path, by name
    ids: dict[str, int]
    #: the decoded `spec` of the body; None for an endpoint that takes none
    body: Any
    list_request: ListRequest
    if_match: str | None
    #: the token that the request came with; empty for an anonymous one
    token: str
    incoming: Incoming

    @property
    def id(self) -> int:
        return self.ids["id"]


Answer = Any
Run = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    method: str
    #: with `{name}` for each integer, and `:verb` segments; without a slash at its end
    path: str
    #: the `resource_type` of role policy, audit logs and metrics
    resource_type: str
    verb: str
    summary: str
    tag: str
    run: Run
    #: type of the answer's body; None: there is none
    answer: Any
    status: HTTPStatus = HTTPStatus.OK
    #: struct of the request's `spec`; None: no body is read
    body: type[msgspec.Struct] | None = None
    profile: Profile | None = None
    #: media types of a body that the endpoint reads by itself, as it arrives
    streams_in: tuple[str, ...] = ()
    #: media types of an answer that is no JSON
    streams_out: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    #: whether it takes q, sort, limit, offset and index
    lists: bool = False
    #: whether it heeds If-Match
    conditional: bool = False
    #: whether it needs no token
    public: bool = False

    @property
    def operation_id(self) -> str:
        return f"{self.method.lower()}:{self.path}"

    @property
    def changes(self) -> bool:
        """Whether a call of it goes into the audit log."""
        return self.method != "GET" and not self.public


@cache
def request_type(body: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """`{"spec": …}` around a body. Where nothing in it is required, `{}` and no body at all will do."""
    optional = not any(field.required for field in msgspec.structs.fields(body))
    spec: Any = ("spec", body, msgspec.field(default_factory=body)) if optional else ("spec", body)
    return msgspec.defstruct(
        f"{body.__name__}Request", [spec], kw_only=True, forbid_unknown_fields=True, frozen=True
    )


def reading(work: Callable[[Transaction, Call], Answer], *, quick: bool = False) -> Run:
    """Run `work` on a consistent view. `quick`: it fetches a few rows by key."""

    async def run(call: Call) -> Answer:
        return await call.database.read_async(lambda transaction: work(transaction, call), quick=quick)

    return run


def writing(work: Callable[[Transaction, Call], Answer]) -> Run:
    """Run `work` in a transaction, and answer once that is durable."""

    async def run(call: Call) -> Answer:
        return await call.database.write_async(lambda transaction: work(transaction, call))

    return run
