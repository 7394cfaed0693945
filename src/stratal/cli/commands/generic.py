"""Commands for every kind that the server has, by its OpenAPI document: kinds, list, show, create, …"""

from typing import Annotated

import typer

from stratal.cli.commands.noun import delete_asked
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
    kinds,
    wait_of,
)

app = typer.Typer()
_PANEL = "Any kind of resource"

KindName = Annotated[str, typer.Argument(metavar="KIND", autocompletion=kinds, help="See: stratal kinds")]
Resource = Annotated[str, typer.Argument(metavar="NAME|ID")]


@app.command("kinds", rich_help_panel=_PANEL)
def show_kinds(
    kind: Annotated[str | None, typer.Argument(metavar="[KIND]", autocompletion=kinds)] = None,
    json: Json = False,
) -> None:
    """List the kinds that the server has, or show what one of them takes."""
    from dataclasses import asdict

    from stratal.cli.client import output
    from stratal.cli.client.session import Session

    with Session() as session:
        session.forget_document()
        document = session.document
        if kind is None:
            found = [document.kind(plural) for plural in document.plurals]
            rows = [
                (each.plural, ", ".join(sorted(each.verbs)), ", ".join(sorted(each.actions)))
                for each in found
            ]
            if json:
                output.print_json([{"kind": row[0], "verbs": row[1], "actions": row[2]} for row in rows])
            else:
                output.print_rows(("KIND", "VERBS", "ACTIONS"), rows)
            return
        one = document.kind(kind)
        if json:
            output.print_json({**asdict(one), "verbs": sorted(one.verbs)})
            return
        bodies = {"create": one.create, "update": one.update}
        bodies |= {f":{verb}": action.fields for verb, action in one.actions.items()}
        rows = [
            (
                verb,
                field.name + ("!" if field.required else ""),
                field.type if not field.items else f"{field.type} of {field.items}",
                " | ".join(field.choices) or field.description,
            )
            for verb, fields in bodies.items()
            for field in fields.values()
        ]
        output.print_rows(("VERB", "FIELD", "TYPE", "MEANING"), rows)


@app.command("list", rich_help_panel=_PANEL)
def list_(
    kind: KindName,
    query: Query = None,
    sort: Sort = None,
    limit: Limit = None,
    columns: Columns = "",
    json: Json = False,
) -> None:
    """List the resources of a kind."""
    from stratal.cli.client import verbs
    from stratal.cli.client.session import Session

    with Session() as session:
        known = session.document.kind(kind)
        listing = verbs.Listing(query=query, sort=sort, limit=limit, columns=columns, json=json)
        verbs.list_items(session, known.plural, listing, key="spec.id" if known.is_resource else "id")


@app.command("show", rich_help_panel=_PANEL)
def show(kind: KindName, resource: Resource, json: Json = False) -> None:
    """Show one resource."""
    from stratal.cli.client import verbs
    from stratal.cli.client.session import Session

    with Session() as session:
        verbs.show(session, session.document.kind(kind).plural, resource, json=json)


@app.command("get", rich_help_panel=_PANEL)
def get(
    kind: KindName,
    resource: Annotated[str | None, typer.Argument(metavar="[NAME|ID]")] = None,
    query: Query = None,
    sort: Sort = None,
    limit: Limit = None,
    columns: Columns = "",
    json: Json = False,
) -> None:
    """Show one resource, or list those of a kind."""
    if resource is None:
        list_(kind, query, sort, limit, columns, json)
    else:
        show(kind, resource, json)


@app.command("create", rich_help_panel=_PANEL)
def create(
    kind: KindName,
    fields: Assignments = None,
    wait: WaitFlag = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Create a resource, of fields that `stratal kinds KIND` shows."""
    from stratal.cli.client import values, verbs
    from stratal.cli.client.session import Session

    with Session() as session:
        known = session.document.kind(kind)
        known.must("create")
        spec = values.body(session, known.create, fields or [])
        verbs.create(session, known.plural, spec, wait_of(wait, timeout), json=json)


@app.command("update", rich_help_panel=_PANEL)
def update(
    kind: KindName,
    resource: Resource,
    fields: Assignments = None,
    wait: WaitFlag = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Change fields of a resource."""
    from stratal.cli.client import values, verbs
    from stratal.cli.client.session import Session

    with Session() as session:
        known = session.document.kind(kind)
        known.must("update")
        spec = values.body(session, known.update, fields or [])
        id = session.find(known.plural, resource)
        verbs.update(session, known.plural, id, spec, wait_of(wait, timeout), json=json)


@app.command("delete", rich_help_panel=_PANEL)
def delete(
    kind: KindName,
    resources: Annotated[list[str], typer.Argument(metavar="NAME|ID...")],
    yes: Yes = False,
    wait: WaitFlag = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Delete resources."""
    from stratal.cli.client.session import Session

    with Session() as session:
        known = session.document.kind(kind)
        known.must("delete")
    delete_asked(known.plural, resources, yes, wait_of(wait, timeout), json)


@app.command("act", rich_help_panel=_PANEL)
def act(
    kind: KindName,
    action: Annotated[str, typer.Argument(help="See: stratal kinds KIND")],
    rest: Annotated[list[str] | None, typer.Argument(metavar="[NAME|ID] [FIELD=VALUE...]")] = None,
    yes: Yes = False,
    wait: WaitFlag = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Carry out an action: stratal act bs-volumes rollback data bs_snap_id=before"""
    from stratal.cli.client import verbs
    from stratal.cli.client.session import Session
    from stratal.cli.options import confirm

    with Session() as session:
        known = session.document.kind(kind)
        confirm_actions = ("rollback", "failure-migrate", "remove-user", "detach", "detach-nics")
        if action.removeprefix(":") in confirm_actions:
            confirm(f"{action} of {' '.join(rest or [kind])}?", yes)
        verbs.generic_act(session, known, action, rest or [], wait_of(wait, timeout), json=json)
