"""What an endpoint of this face is, what it is called with, and what it answers. Called all over here."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from typing import Any, Final, TypeVar, cast

import msgspec

from stratal.faces.evs.faults import bad_request, bad_value, not_found
from stratal.faces.evs.services import Services
from stratal.kernel.access import Access, Reach
from stratal.kernel.kind import AnyKind, Profile
from stratal.kernel.transaction import Transaction
from stratal.kernel.uuids import id_of_uuid

Microversion = tuple[int, int]
OLDEST: Final[Microversion] = (3, 0)
NEWEST: Final[Microversion] = (3, 66)

#: kinds of which nobody is shown what another project has
_PROJECTS_OWN: Final = frozenset(("bs_volume", "bs_snap"))

B = TypeVar("B", bound=msgspec.Struct)


class Dialect(StrEnum):
    """Whose words an answer is in."""

    #: Block Storage: `{"badRequest": {"code", "message"}}`
    CINDER = "cinder"
    #: Identity: `{"error": {"code", "title", "message"}}`
    KEYSTONE = "keystone"
    #: Huawei: `{"error": {"code": "EVS.…", "message"}}`
    HUAWEI = "huawei"
    #: Images: `{"code": "404 Not Found", "title", "message"}`
    GLANCE = "glance"


class Mode(Enum):
    """How an endpoint runs."""

    #: in a transaction that only reads
    READ = "read"
    #: in one that reads a few rows by their keys
    GLANCE = "glance"
    #: in a transaction that writes
    WRITE = "write"
    #: in a thread and outside of any transaction: what verifies passwords, or looks at a disk
    THREAD = "thread"


@dataclass(kw_only=True)
class Call:
    """One request, understood as far as all endpoints have it in common."""

    services: Services
    access: Access
    token: str
    #: where this face is for the client, such as `https://cloud.example.org`
    base: str
    #: the path without its query, as the client wrote it
    path: str
    #: parts of the path by name
    parts: Mapping[str, str]
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    body: Any
    microversion: Microversion
    #: the project id in the path, as it was written: the surface that Huawei's documents describe
    project: str | None
    #: the UUIDs that ids came from, so that refusals name what the client named
    uuids: dict[int, str] = field(default_factory=dict[int, str])

    @property
    def documented(self) -> bool:
        """Whether this is the surface of Huawei's documents, which have the project's id in the path."""
        return self.project is not None

    def id_of(self, transaction: Transaction, kind: AnyKind, uuid: str, what: str) -> int:
        """The integer id of what a UUID names. Raises a 404 in this dialect's words.

        Volumes and snapshots of others are not found here already, so that no other refusal, such as that
        of a body which cannot be read, tells that there is something.
        """
        everywhere = kind.name not in _PROJECTS_OWN or self.access.reach is Reach.ALL
        project_id = None if everywhere else self.access.project_id or 0
        id = id_of_uuid(transaction, kind, uuid, project_id=project_id)
        if id is None:
            raise not_found(what, uuid)
        self.uuids[id] = uuid
        return id

    @property
    def object(self) -> dict[str, Any]:
        """The body, which must be an object."""
        body: object = self.body
        if not isinstance(body, dict):
            raise bad_request(f"{body!s:.80} is not of type 'object'")
        return cast(dict[str, Any], body)

    def parameter(self, name: str) -> str | None:
        """The last value of a parameter of the query."""
        return next((value for key, value in reversed(self.query) if key == name), None)

    def under(self, key: str, struct: type[B]) -> B:
        """The member `key` of the body, as this struct. Raises a 400 that names what is wrong."""
        value = self.object.get(key)
        if not isinstance(value, dict):
            raise bad_request(f"Missing required element '{key}' in request body.")
        return decoded(value, struct, key)


def decoded(value: Any, struct: type[B], key: str) -> B:
    """A part of a body as a struct. Raises a 400 that names what is wrong."""
    try:
        return msgspec.convert(value, struct)
    except msgspec.ValidationError as error:
        raise bad_value(key, value, error) from None


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer that says more than a body."""

    body: Any = None
    status: int | None = None
    #: bytes, sent as they are made, in place of a body
    stream: AsyncIterator[bytes] | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


Run = Callable[[Transaction, Call], Any]


@dataclass(frozen=True, kw_only=True)
class Action:
    """One of the actions of a resource, which share a path and differ by the key in the body."""

    run: Callable[[Transaction, Call, Any], Any]
    verb: str
    status: int = 202
    profile: Profile = Profile.TENANT
    since: Microversion = OLDEST
    conflict: int = 400


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A call of one of the three APIs. `path` is without the project's id."""

    method: str
    path: str
    #: with `actions`, None; with Mode.THREAD, a function of the call alone
    run: Callable[..., Any] | None = None
    #: row of the role policy
    kind: str
    verb: str
    profile: Profile | None = Profile.TENANT
    status: int = 200
    mode: Mode = Mode.READ
    dialect: Dialect = Dialect.CINDER
    since: Microversion = OLDEST
    #: no token is needed
    public: bool = False
    #: the status of a refusal because of the state of the world
    conflict: int = 400
    actions: Mapping[str, Action] | None = None
    #: only with the project's id in the path
    documented: bool = False
    #: asked again with the same X-Client-Token, it gives the earlier answer and does nothing
    repeatable: bool = False

    @property
    def changes(self) -> bool:
        return self.method not in ("GET", "HEAD")

    @property
    def writes(self) -> bool:
        """Whether anything may be different afterwards: some of Cinder's GETs change something."""
        return self.mode is Mode.WRITE or (self.changes and self.mode is Mode.THREAD)


def stamp(moment: datetime | None) -> str | None:
    """A time as Block Storage writes it: UTC with microseconds and without a zone."""
    return None if moment is None else moment.replace(tzinfo=None).isoformat(timespec="microseconds")


def hex_id(uuid: str) -> str:
    """A UUID as Identity writes ids: without hyphens."""
    return uuid.replace("-", "")
