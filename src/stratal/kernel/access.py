"""Who asks, and how far their rights reach. Made by the identity domain, carried by faces into services."""

from dataclasses import dataclass, replace
from enum import IntEnum


class Reach(IntEnum):
    """How far a grant reaches. A caller with several roles has the widest of theirs."""

    #: nothing at all
    NONE = 0
    #: what belongs to the caller in person, such as their own user
    SELF = 1
    #: what belongs to the project that the token is for
    PROJECT = 2
    #: everything, in every project
    ALL = 3


@dataclass(frozen=True, kw_only=True)
class Access:
    """A caller, in the scope of one request.

    `reach` is that of the caller's grant for the kind and the verb at hand; `with_reach` makes another for
    a question about something else.
    """

    user_id: int
    user_name: str
    #: the project that the token is for; None for a token without one
    project_id: int | None
    roles: frozenset[str]
    client_ip: str
    request_id: str
    reach: Reach = Reach.NONE

    def with_reach(self, reach: Reach) -> "Access":
        return replace(self, reach=reach)


SYSTEM = Access(
    user_id=0,
    user_name="system",
    project_id=None,
    roles=frozenset(),
    client_ip="",
    request_id="",
    reach=Reach.ALL,
)
"""Stratal itself: first start, seeding, the reconcilers."""
