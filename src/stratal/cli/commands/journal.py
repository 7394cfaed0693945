"""Events and audit logs: flat records, of which the newest are of most interest."""

from typing import Annotated

import typer

from stratal.cli.options import Columns, Json, Query, Sort

events = typer.Typer(no_args_is_help=True)
audits = typer.Typer(no_args_is_help=True)

_EVENTS = (
    "TIME=created_at",
    "LEVEL=level",
    "EVENT=event",
    "KIND=resource_type",
    "RESOURCE=resource_name,resource_id",
    "MESSAGE=message",
)
_AUDITS = (
    "TIME=created_at",
    "USER=user_name",
    "FROM=client_ip",
    "ACTION=action",
    "KIND=resource_type",
    "RESOURCE=resource_name,resource_id",
    "STATUS=status",
    "MESSAGE=message",
)
_FOLLOW_SECONDS = 1.0

Newest = Annotated[int, typer.Option(min=1, help="Print so many at most: the newest.")]
Record = Annotated[int, typer.Argument(metavar="ID")]


@events.command("list")
def list_events(
    query: Query = None,
    sort: Sort = None,
    limit: Newest = 50,
    columns: Columns = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is new.")] = False,
    json: Json = False,
) -> None:
    """List what the system did and noticed, the newest last."""
    _list("events", _EVENTS, query, sort, limit, columns, json)
    if follow:
        _follow(query, json)


@events.command("show")
def show_event(id: Record, json: Json = False) -> None:
    """Show an event."""
    _show("events", id, json)


@audits.command("list")
def list_audits(
    query: Query = None, sort: Sort = None, limit: Newest = 50, columns: Columns = "", json: Json = False
) -> None:
    """List who asked for what, the newest last."""
    _list("audit-logs", _AUDITS, query, sort, limit, columns, json)


@audits.command("show")
def show_audit(id: Record, json: Json = False) -> None:
    """Show a line of the audit log, with what was changed."""
    _show("audit-logs", id, json)


def _list(
    plural: str,
    columns: tuple[str, ...],
    query: str | None,
    sort: str | None,
    limit: int,
    chosen: str,
    json: bool,
) -> None:
    from stratal.cli.client import output, verbs
    from stratal.cli.client.session import Session

    listing = verbs.Listing(query=query, sort=sort, limit=limit, columns=chosen, json=json)
    with Session() as session:
        items = list(session.items(plural, query=query, sort=sort or "id:desc", limit=limit, key="id"))
        if sort is None:
            items.reverse()
        verbs.print_items(session, plural, items, listing, [output.column(each) for each in columns])


def _show(plural: str, id: int, json: bool) -> None:
    from stratal.cli.client import verbs
    from stratal.cli.client.session import Session

    with Session() as session:
        verbs.show(session, plural, str(id), json=json)


def _follow(query: str | None, json: bool) -> None:
    """Print events as they come, until Ctrl-C. As JSON: one of them on each line."""
    import sys
    import time
    from json import dumps

    from stratal.cli.client import output
    from stratal.cli.client.session import Session

    with Session() as session:
        newest = next(session.items("events", sort="id:desc", limit=1, key="id"), None)
        last = int(newest["id"]) if newest else 0
        while True:
            after = f"id:>{last}" + (f" AND ({query})" if query else "")
            for each in session.items("events", query=after, key="id"):
                last = int(each["id"])
                when = output.shown("created_at", each["created_at"])
                sys.stdout.write(
                    (dumps(each) if json else f"{when}  {each['level']}  {each['message']}") + "\n"
                )
                sys.stdout.flush()
            time.sleep(_FOLLOW_SECONDS)
