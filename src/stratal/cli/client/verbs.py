"""List, show, create, update, delete and act, for whatever kind: the requests, the waiting, the output.

Called by the commands, which differ in how they put together what is asked for.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stratal.cli.client import output, values, waiting
from stratal.cli.client.errors import BadArgument, Refused
from stratal.cli.client.kinds import JSON, Kind
from stratal.cli.client.output import Column
from stratal.cli.client.session import Session, id_of
from stratal.cli.client.waiting import Done, Progress, Wait


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What somebody wants to see of a list."""

    query: str | None = None
    sort: str | None = None
    limit: int | None = None
    columns: str = ""
    json: bool = False


def list_items(
    session: Session,
    plural: str,
    listing: Listing,
    columns: Sequence[Column] | None = None,
    *,
    key: str = "spec.id",
) -> None:
    items = list(session.items(plural, query=listing.query, sort=listing.sort, limit=listing.limit, key=key))
    print_items(session, plural, items, listing, columns)


def print_items(
    session: Session,
    plural: str,
    items: list[JSON],
    listing: Listing,
    columns: Sequence[Column] | None = None,
) -> None:
    if listing.json:
        output.print_json(items)
        return
    if not items:
        output.say(f"There are no {plural}{' like that' if listing.query else ''}.")
        return
    otherwise = columns or output.columns_of(session.document.kind(plural))
    output.print_table(session, output.chosen_columns(listing.columns, otherwise), items)


def show(session: Session, plural: str, text: str, *, json: bool) -> JSON:
    item = session.show(plural, session.find(plural, text))
    if json:
        output.print_json(item)
    else:
        output.print_details(item)
    return item


def create(
    session: Session,
    plural: str,
    spec: JSON,
    wait: Wait,
    *,
    json: bool,
    path: str = "",
    done: Done = waiting.active,
    progress: Progress | None = None,
) -> JSON:
    """POST to the collection, or to `path` below it; returns the resource when it was waited for."""
    item: JSON = session.connection.send("POST", f"/{plural}{path}", spec)
    return finish(session, plural, item, "Creating", wait, json=json, done=done, progress=progress)


def update(session: Session, plural: str, id: int, spec: JSON, wait: Wait, *, json: bool) -> JSON:
    item: JSON = session.connection.send("PATCH", f"/{plural}/{id}", spec)
    return finish(session, plural, item, "Updating", wait, json=json)


def act(
    session: Session,
    plural: str,
    id: int,
    verb: str,
    spec: JSON,
    wait: Wait,
    *,
    json: bool,
    doing: str = "",
    done: Done = waiting.active,
    progress: Progress | None = None,
) -> JSON:
    item: JSON = session.connection.send("POST", f"/{plural}/{id}/:{verb}", spec)
    return finish(session, plural, item, doing or f"{verb} of", wait, json=json, done=done, progress=progress)


def finish(
    session: Session,
    plural: str,
    item: JSON,
    doing: str,
    wait: Wait,
    *,
    json: bool,
    done: Done = waiting.active,
    progress: Progress | None = None,
) -> JSON:
    """Wait for what a write has begun, and print what came of it."""
    what = f"{doing} {described(item)}"
    item = waiting.settled(session, plural, item, what, wait, done=done, progress=progress)
    if json:
        output.print_json(item)
    else:
        print(f"{described(item)} {output.state_of(item)}")
        say_what_waits(plural, item)
    return item


def say_what_waits(plural: str, item: JSON) -> None:
    """When that is for which a machine has to boot first."""
    waiting_for: JSON = item["metadata"]["state"].get("diff_fields") or {}
    if plural == "virtual-machines" and (later := waiting_for.get("irreconcilable")):
        name = item["metadata"]["name"]
        output.say(f"Once {name} is stopped and started, it has the new {', '.join(later)}.")


def delete(
    session: Session, plural: str, ids: Iterable[int], wait: Wait, *, json: bool, missing_ok: bool = False
) -> None:
    """Delete them all, then wait for all of them."""
    going: list[JSON] = []
    for id in ids:
        try:
            going.append(session.connection.send("DELETE", f"/{plural}/{id}"))
        except Refused as refused:
            if not (missing_ok and refused.status == 404):
                raise
    for item in going:
        waiting.gone(session, plural, item, f"Deleting {described(item)}", wait)
        if not json:
            print(f"{described(item)} {'deleted' if wait.wanted else 'deleting'}")
    if json:
        output.print_json(going)


def generic_act(
    session: Session, kind: Kind, verb: str, rest: Sequence[str], wait: Wait, *, json: bool
) -> None:
    """An action as it is declared: of one resource, or of the collection."""
    verb = verb.removeprefix(":")
    action = kind.actions.get(verb)
    if action is None:
        known = ", ".join(sorted(kind.actions)) or "none"
        raise BadArgument(reason=f"{kind.plural} have no action {verb}; there are: {known}")
    arguments = list(rest)
    id = None
    if action.of_one:
        if not arguments or "=" in arguments[0]:
            raise BadArgument(reason=f"{verb} needs the name or the id of one of {kind.plural}")
        id = session.find(kind.plural, arguments.pop(0))
    spec = values.body(session, action.fields, arguments)
    item: JSON = session.connection.send("POST", action.path.replace("{id}", str(id)), spec) or {}
    if "metadata" in item:
        finish(session, kind.plural, item, f"{verb} of", wait, json=json)
    else:
        output.print_json(item)


def described(item: JSON) -> str:
    return f"{item['metadata']['name']} ({id_of(item)})"
