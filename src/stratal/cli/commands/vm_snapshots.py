"""Snapshots of virtual machines."""

from typing import Annotated

import typer

from stratal.cli.commands.noun import noun
from stratal.cli.options import Description, Json, Timeout, WaitFlag, names, wait_of

MACHINES, SNAPS = "virtual-machines", "vm-snaps"

_COLUMNS = (
    ("VM=spec.vm_id", MACHINES),
    ("POWER=spec.power_state", ""),
    ("CLONES=status.cloned_vm_num", ""),
    ("CREATED=metadata.created_at", ""),
    ("DESCRIPTION=spec.description", ""),
)

app = noun(SNAPS, "snapshot of a machine", _COLUMNS, ("show", "update", "delete"))

Machine = Annotated[str, typer.Argument(metavar="VM", autocompletion=names(MACHINES))]


@app.command("create")
def create(
    vm: Machine,
    name: str,
    quiesce: Annotated[
        bool, typer.Option("--quiesce", help="Freeze the guest's file systems around it.")
    ] = False,
    memory: Annotated[bool, typer.Option("--memory", help="Keep the guest's memory as well.")] = False,
    description: Description = "",
    wait: WaitFlag = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Take a snapshot of a machine, running or not: all its disks at one moment."""
    from stratal.cli.client import verbs
    from stratal.cli.client.kinds import JSON
    from stratal.cli.client.session import Session

    with Session() as session:
        spec: JSON = {"name": name, "description": description, "vm_id": session.find(MACHINES, vm)}
        spec |= {key: True for key, wanted in (("quiesce", quiesce), ("memory", memory)) if wanted}
        verbs.create(session, SNAPS, spec, wait_of(wait, timeout), json=json)


@app.command("list")
def list_(
    vm: Annotated[str | None, typer.Argument(metavar="[VM]", autocompletion=names(MACHINES))] = None,
    json: Json = False,
) -> None:
    """List the snapshots of a machine, or of all."""
    from stratal.cli.client import output, verbs
    from stratal.cli.client.session import Session

    columns = [output.ID, output.NAME, output.STATE, *(output.column(*each) for each in _COLUMNS)]
    with Session() as session:
        query = f"spec.vm_id:{session.find(MACHINES, vm)}" if vm else None
        verbs.list_items(session, SNAPS, verbs.Listing(query=query, json=json), columns)


@app.command("tree")
def tree(vm: Machine, json: Json = False) -> None:
    """Show a machine's snapshots as a tree, with what was cloned from them."""
    from stratal.cli.client import output, trees
    from stratal.cli.client.session import Session

    with Session() as session:
        id = session.find(MACHINES, vm)
        nodes = trees.machine_tree(session, id)
    if json:
        output.print_json(nodes)
    elif nodes:
        trees.print_machine_tree(nodes, id)
    else:
        output.say("There are no snapshots, and no disks.")
