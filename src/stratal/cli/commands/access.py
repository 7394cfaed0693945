"""Commands about who and where one is: login, logout, whoami, context, password."""

import os
from typing import Annotated

import typer

from stratal.cli.options import Json, confirm

app = typer.Typer()
contexts_app = typer.Typer(no_args_is_help=True)
_PANEL = "Access"

ContextName = Annotated[str, typer.Argument(metavar="CONTEXT")]
PasswordFile = Annotated[
    str | None,
    typer.Option(help="File with the password; - for standard input. Else: STRATAL_PASSWORD, or a question."),
]


@app.command("login", rich_help_panel=_PANEL)
def login(
    server: Annotated[
        str | None, typer.Argument(help="Address, such as https://sddc.example.org:6012", show_default=False)
    ] = None,
    user: Annotated[str | None, typer.Option("--user", "-u", help="Name of the user.")] = None,
    password_file: PasswordFile = None,
    project: Annotated[str | None, typer.Option(help="Project to work in. Default: the user's.")] = None,
    context: Annotated[str | None, typer.Option(help="Keep this login under a name of its own.")] = None,
    ca_file: Annotated[str | None, typer.Option(help="PEM file of the server's authority.")] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Trust any certificate.")] = False,
) -> None:
    """Log in to a server, and stay logged in until the token ends."""
    from pathlib import Path

    from stratal.cli.client import contexts, output
    from stratal.cli.client.connection import base_url
    from stratal.cli.client.login import log_in, read_password

    known = contexts.load()
    name = context or contexts.chosen(known)
    before = known.all.get(name)
    url = base_url(
        server or os.environ.get("STRATAL_URL") or (before.url if before else contexts.DEFAULT_URL)
    )
    same = before if before and before.url == url else None
    who = user or os.environ.get("STRATAL_USER") or (same.user if same else "admin")
    wanted = contexts.Context(
        url=url,
        user=who,
        ca_file=str(Path(ca_file).absolute()) if ca_file else (same.ca_file if same else ""),
        insecure=insecure,
    )
    logged_in = log_in(wanted, read_password(password_file, f"Password of {who} at {url}"), project)
    contexts.change(lambda now: now.with_(name, logged_in).switched(name))
    where = f" in project {logged_in.project}" if logged_in.project else ""
    output.say(f"{who} is logged in at {url}{where}, until {output.shown('expires', logged_in.expires)}.")


@app.command("logout", rich_help_panel=_PANEL)
def logout(
    all_: Annotated[bool, typer.Option("--all", help="Log out everywhere.")] = False,
) -> None:
    """End the token, and forget it."""
    from dataclasses import replace

    from stratal.cli.client import contexts, output
    from stratal.cli.client.login import log_out

    known = contexts.load()
    name = contexts.chosen(known)
    ending = known.all if all_ else {each: known.all[each] for each in (name,) if each in known.all}
    for each, context in ending.items():
        if context.token:
            log_out(context)
        without = replace(context, token="", expires="")
        contexts.change(lambda now, each=each, without=without: now.with_(each, without))
        output.say(f"Logged out at {context.url}.")
    if not ending:
        output.say("Nobody was logged in.")


@app.command("whoami", rich_help_panel=_PANEL)
def whoami(json: Json = False) -> None:
    """Show who and where one is. Exit code 3 if the token has ended."""
    from stratal.cli.client import output
    from stratal.cli.client.connection import Connection
    from stratal.cli.client.kinds import JSON
    from stratal.cli.client.session import context

    here = context()
    with Connection(here) as connection:
        # a token of the environment does not say whose it is; most see just themselves
        path = f"/users/{here.user_id}" if here.user_id else "/users"
        found: JSON = connection.get(path)
    items: list[JSON] = found.get("items", [found])
    user = items[0]["metadata"]["name"] if len(items) == 1 else ""
    said = {"url": here.url, "user": user, "project": here.project, "expires": here.expires}
    if json:
        output.print_json(said)
        return
    output.print_rows(list(map(str.upper, said)), [[output.shown(name, text) for name, text in said.items()]])


@app.command("password", rich_help_panel=_PANEL)
def password(
    old_file: Annotated[str | None, typer.Option(help="File with the present password.")] = None,
    new_file: Annotated[str | None, typer.Option(help="File with the new password.")] = None,
) -> None:
    """Choose a new password for oneself."""
    from stratal.cli.client import output
    from stratal.cli.client.connection import Connection
    from stratal.cli.client.errors import BadArgument
    from stratal.cli.client.login import encrypted, new_password, read_password
    from stratal.cli.client.session import context

    here = context()
    if not here.user_id:
        raise BadArgument(reason="a token of the environment does not say whose it is; log in")
    old = read_password(old_file, "Present password")
    os.environ.pop("STRATAL_PASSWORD", None)  # that was the present one
    new = new_password(new_file)
    with Connection(here) as connection:
        spec = encrypted(connection, password=new, original_password=old)
        connection.send("PATCH", f"/users/{here.user_id}", spec)
    output.say("The password is changed. Other logins of yours have ended: log in again.")


@contexts_app.command("list")
def list_contexts(json: Json = False) -> None:
    """List the servers that one was logged in to."""
    from stratal.cli.client import contexts, output

    known = contexts.load()
    rows = [
        {
            "current": name == known.current,
            "name": name,
            "url": context.url,
            "user": context.user,
            "project": context.project,
            "logged_in": bool(context.token) and not context.is_over,
        }
        for name, context in sorted(known.all.items())
    ]
    if json:
        output.print_json(rows)
        return
    titles = ("CURRENT", "NAME", "SERVER", "USER", "PROJECT", "LOGGED IN")
    output.print_rows(titles, [[output.shown(*pair) for pair in row.items()] for row in rows])


@contexts_app.command("use")
def use(name: ContextName) -> None:
    """Work with another server from now on."""
    from stratal.cli.client import contexts, output

    now = contexts.change(lambda known: known.switched(name))
    output.say(f"Working at {now.all[name].url} from now on.")


@contexts_app.command("remove")
def remove(name: ContextName, yes: Annotated[bool, typer.Option("--yes", "-y")] = False) -> None:
    """Forget a server. Its token is not ended by that: see logout."""
    from stratal.cli.client import contexts

    contexts.load().switched(name)
    confirm(f"Forget {name}?", yes)
    contexts.change(lambda known: known.without(name))


@contexts_app.command("project")
def project(name: Annotated[str, typer.Argument(metavar="PROJECT")]) -> None:
    """Work in another project from now on."""
    from stratal.cli.client import contexts, output
    from stratal.cli.client.login import in_project
    from stratal.cli.client.session import context

    here = in_project(context(), name)
    chosen = contexts.chosen(contexts.load())
    contexts.change(lambda now: now.with_(chosen, here))
    output.say(f"Working in project {here.project} from now on.")
