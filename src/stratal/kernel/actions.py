"""Actions: what can be asked of a resource beyond create, update and delete.

A service declares them on its methods; faces find them with `actions_of`, so that a new action needs no
change anywhere else:

    @action("switch-chassis", SwitchChassis)
    def switch_chassis(self, transaction, access, id, body) -> Resource: ...
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

F = TypeVar("F", bound=Callable[..., Any])

_MARK = "__stratal_action__"


@dataclass(frozen=True, kw_only=True)
class Action:
    """One action of a service."""

    #: the verb as it stands in paths and in the role policy, such as `switch-chassis`
    verb: str
    #: the struct of the request's `spec`
    body: type[msgspec.Struct]
    #: called with (service, transaction, access, id, body); returns the resource that was acted on
    run: Callable[..., Any]
    summary: str


def action(verb: str, body: type[msgspec.Struct]) -> Callable[[F], F]:
    """Declare a method of a service as an action on one resource. Its docstring's first line is shown."""

    def declare(method: F) -> F:
        summary = (method.__doc__ or verb).strip().splitlines()[0]
        setattr(method, _MARK, Action(verb=verb, body=body, run=method, summary=summary))
        return method

    return declare


def actions_of(service: object) -> list[Action]:
    """The actions of a service, in the order of their verbs."""
    members = (getattr(type(service), name, None) for name in dir(type(service)))
    found = [mark for member in members if (mark := getattr(member, _MARK, None)) is not None]
    return sorted(found, key=lambda each: each.verb)
