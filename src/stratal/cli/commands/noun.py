"""The commands that every kind of resource has: list, show, create, update, rename, delete.

A group for a kind is one call of `noun`; commands of its own are added to what that returns.
"""

from collections.abc import Callable, Sequence
from typing import Any

import typer

from stratal.cli.options import (
    Assignments,
    Columns,
    Json,
    Limit,
    Query,
    Sort,
    Timeout,
    WaitFlag,
    Yes,
    confirm,
    names,
    wait_of,
)

EVERYTHING = ("list", "show", "create", "update", "delete")


def noun(
    plural: str, one: str, columns: Sequence[tuple[str, str] | str], verbs: Sequence[str] = EVERYTHING
) -> typer.Typer:
    """A group of commands for a kind.

    `columns` are of its table: the path of a value, as `TITLE=spec.size_mb`, or a pair of one and the plural
    whose ids it holds.
    """
    app = typer.Typer(no_args_is_help=True)
    make: dict[str, Callable[[typer.Typer, str, str, Sequence[tuple[str, str] | str]], None]] = {
        "list": _list,
        "show": _show,
        "create": _create,
        "update": _update,
        "delete": _delete,
    }
    for verb in verbs:
        make[verb](app, plural, one, columns)
    return app


def _article(one: str) -> str:
    return f"{'an' if one[0] in 'aeio' else 'a'} {one}"


def _list(app: typer.Typer, plural: str, one: str, columns: Sequence[tuple[str, str] | str]) -> None:
    @app.command("list", help=f"List {plural}.")
    def _(  # pyright: ignore[reportUnusedFunction]
        query: Query = None,
        sort: Sort = None,
        limit: Limit = None,
        columns_: Columns = "",
        json: Json = False,
    ) -> None:
        from stratal.cli.client import output, verbs
        from stratal.cli.client.session import Session

        own = [output.column(*each) if isinstance(each, tuple) else output.column(each) for each in columns]
        listing = verbs.Listing(query=query, sort=sort, limit=limit, columns=columns_, json=json)
        with Session() as session:
            verbs.list_items(session, plural, listing, [output.ID, output.NAME, output.STATE, *own])


def _show(app: typer.Typer, plural: str, one: str, columns: object) -> None:
    argument: Any = typer.Argument(metavar="NAME|ID", autocompletion=names(plural))

    @app.command("show", help=f"Show {_article(one)}.")
    def _(resource: str = argument, json: Json = False) -> None:  # pyright: ignore[reportUnusedFunction]
        from stratal.cli.client import verbs
        from stratal.cli.client.session import Session

        with Session() as session:
            verbs.show(session, plural, resource, json=json)


def _create(app: typer.Typer, plural: str, one: str, columns: object) -> None:
    @app.command("create", help=f"Create {_article(one)}. Its fields: stratal kinds {plural}")
    def _(  # pyright: ignore[reportUnusedFunction]
        name: str,
        fields: Assignments = None,
        wait: WaitFlag = None,
        timeout: Timeout = None,
        json: Json = False,
    ) -> None:
        from stratal.cli.client import values, verbs
        from stratal.cli.client.session import Session

        with Session() as session:
            known = session.document.kind(plural).create
            spec = {"name": name, **values.body(session, known, fields or [])}
            verbs.create(session, plural, spec, wait_of(wait, timeout), json=json)


def _update(app: typer.Typer, plural: str, one: str, columns: object) -> None:
    argument: Any = typer.Argument(metavar="NAME|ID", autocompletion=names(plural))

    @app.command("update", help=f"Change {_article(one)}. Its fields: stratal kinds {plural}")
    def _(  # pyright: ignore[reportUnusedFunction]
        resource: str = argument,
        fields: Assignments = None,
        wait: WaitFlag = None,
        timeout: Timeout = None,
        json: Json = False,
    ) -> None:
        from stratal.cli.client import values, verbs
        from stratal.cli.client.session import Session

        with Session() as session:
            spec = values.body(session, session.document.kind(plural).update, fields or [])
            id = session.find(plural, resource)
            verbs.update(session, plural, id, spec, wait_of(wait, timeout), json=json)

    @app.command("rename", help=f"Give {_article(one)} another name.")
    def _(  # pyright: ignore[reportUnusedFunction]
        resource: str = argument, name: str = typer.Argument(metavar="NEW-NAME"), json: Json = False
    ) -> None:
        from stratal.cli.client import verbs
        from stratal.cli.client.session import Session

        with Session() as session:
            id = session.find(plural, resource)
            verbs.update(session, plural, id, {"name": name}, wait_of(None, None), json=json)


def _delete(app: typer.Typer, plural: str, one: str, columns: object) -> None:
    argument: Any = typer.Argument(metavar="NAME|ID...", autocompletion=names(plural))

    @app.command("delete", help=f"Delete {_article(one)}, or several.")
    def _(  # pyright: ignore[reportUnusedFunction]
        resources: list[str] = argument,
        yes: Yes = False,
        wait: WaitFlag = None,
        timeout: Timeout = None,
        json: Json = False,
    ) -> None:
        delete_asked(plural, resources, yes, wait_of(wait, timeout), json)


def delete_asked(plural: str, resources: Sequence[str], yes: bool, wait: Any, json: bool) -> None:
    """Delete what was named, once it is sure that it is meant."""
    from stratal.cli.client import disks, verbs
    from stratal.cli.client.session import Session

    with Session() as session:
        ids = [session.find(plural, each) for each in resources]
        along = "" if yes else disks.going_along(session, plural, ids)
        confirm(f"Delete {', '.join(resources)} of {plural}{along}?", yes)
        verbs.delete(session, plural, ids, wait, json=json)
