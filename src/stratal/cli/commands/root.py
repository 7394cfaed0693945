"""What stands directly below `stratal`, and where the groups of commands come from."""

import sys
from typing import Annotated

import typer
from typer.core import TyperGroup
from typer.main import get_group, get_install_completion_arguments

from stratal import __version__
from stratal.cli.client.contexts import chosen_context
from stratal.cli.commands import access, generic
from stratal.cli.lazy import LazyGroup, RootGroup
from stratal.cli.server_commands import app as server_commands

_COMPUTE, _STORAGE, _REST = "Machines", "Disks and images", "The rest of the data centre"
_HERE = "stratal.cli.commands"

GROUPS = (
    ("vm", "Virtual machines and their snapshots.", f"{_HERE}.vm", "app", _COMPUTE),
    ("disk", "Disks of machines.", f"{_HERE}.parts", "disks", _COMPUTE),
    ("nic", "Network interfaces of machines.", f"{_HERE}.parts", "nics", _COMPUTE),
    ("cdrom", "CD-ROM drives of machines.", f"{_HERE}.parts", "cdroms", _COMPUTE),
    ("job", "What goes on behind deletions and migrations.", f"{_HERE}.others", "jobs", _COMPUTE),
    ("volume", "Volumes.", f"{_HERE}.volumes", "volumes", _STORAGE),
    ("snap", "Snapshots of volumes.", f"{_HERE}.volumes", "snaps", _STORAGE),
    ("image", "Images: upload, import, download, templates.", f"{_HERE}.images", "app", _STORAGE),
    ("policy", "Storage policies: where disks are kept, and how.", f"{_HERE}.others", "policies", _STORAGE),
    ("network", "Networks of machines.", f"{_HERE}.others", "networks", _REST),
    ("node", "Nodes of the cluster.", f"{_HERE}.others", "nodes", _REST),
    ("project", "Projects and their members.", f"{_HERE}.people", "projects", _REST),
    ("user", "Users.", f"{_HERE}.people", "users", _REST),
    ("event", "What the system did and noticed.", f"{_HERE}.journal", "events", _REST),
    ("audit", "Who asked for what.", f"{_HERE}.journal", "audits", _REST),
    ("context", "Servers that one is logged in to.", f"{_HERE}.access", "contexts_app", "Access"),
)

app = typer.Typer(
    name="stratal",
    cls=RootGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="A data centre for virtual machines and their disks: the server, and its command line.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"stratal {__version__}\n")
        raise typer.Exit


@app.callback()
def options(
    context: Annotated[
        str | None, typer.Option(help="Which login to use; see: stratal context list", show_default=False)
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    chosen_context.set(context)


for part in (server_commands, access.app, generic.app):
    app.registered_commands.extend(part.registered_commands)


def command() -> TyperGroup:
    """The whole command."""
    group = get_group(app)
    group.params.extend(get_install_completion_arguments())
    for name, help_, module, attribute, panel in GROUPS:
        group.add_command(LazyGroup(name=name, help=help_, module=module, attribute=attribute, panel=panel))
    return group
