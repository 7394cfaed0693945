"""The parts of machines: disks, network interfaces, CD-ROM drives."""

from typing import TYPE_CHECKING, Annotated

import typer

from stratal.cli.commands.noun import noun
from stratal.cli.options import Assignments, Description, Json, Timeout, WaitFlag, names, wait_of

if TYPE_CHECKING:
    from stratal.cli.client.kinds import JSON
    from stratal.cli.client.session import Session
    from stratal.cli.client.waiting import Wait

DISKS, NICS, CDROMS = "vm-disks", "vm-nics", "vm-cd-roms"
MACHINES, VOLUMES, IMAGES, POLICIES, NETWORKS = (
    "virtual-machines",
    "bs-volumes",
    "vm-images",
    "bs-policies",
    "br-nets",
)
_OTHERS = ("list", "show", "update", "delete")

disks = noun(
    DISKS,
    "disk",
    (
        ("VM=spec.vm_id", MACHINES),
        "DEVICE=status.device",
        ("VOLUME=spec.bs_volume_id", VOLUMES),
        "SIZE=spec.size_mb",
        "BUS=spec.bus",
        "BOOT=spec.boot",
        "ATTACHED=status.attached",
        "PROBLEM=status.problem",
    ),
    _OTHERS,
)
nics = noun(
    NICS,
    "NIC",
    (
        ("VM=spec.vm_id", MACHINES),
        ("NETWORK=spec.br_net_id", NETWORKS),
        "MAC=spec.mac_address",
        "ADDRESSES=status.ip_addresses",
        "LINK=status.link_up",
        "MODEL=spec.model",
        "PROBLEM=status.problem",
    ),
    _OTHERS,
)
cdroms = noun(
    CDROMS,
    "CD-ROM drive",
    (
        ("VM=spec.vm_id", MACHINES),
        "DEVICE=status.device",
        ("IMAGE=spec.vm_image_id", IMAGES),
        "INSERTED=status.inserted",
        "BUS=spec.bus",
        "PROBLEM=status.problem",
    ),
    _OTHERS,
)

Machine = Annotated[str, typer.Argument(metavar="VM", autocompletion=names(MACHINES))]
Drive = Annotated[str, typer.Argument(metavar="CDROM", autocompletion=names(CDROMS))]
Name = Annotated[str | None, typer.Option(help="Default: made of the machine's.", show_default=False)]
Fields = Assignments


@disks.command("create")
def attach_disk(
    vm: Machine,
    volume: Annotated[
        str | None, typer.Option(help="A volume that there is.", autocompletion=names(VOLUMES))
    ] = None,
    size: Annotated[str | None, typer.Option(help="Of a new volume, such as 10G.")] = None,
    image: Annotated[
        str | None, typer.Option(help="That a new volume starts as.", autocompletion=names(IMAGES))
    ] = None,
    policy: Annotated[str | None, typer.Option(autocompletion=names(POLICIES))] = None,
    name: Name = None,
    fields: Fields = None,
    description: Description = "",
    wait: WaitFlag = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Attach a disk to a machine, running or not: a volume that there is, or a new one."""
    from stratal.cli.client import disks
    from stratal.cli.client.session import Session

    with Session() as session:
        spec = (
            {"bs_volume_id": session.find(VOLUMES, volume)}
            if volume
            else disks.new_volume(session, size=size, policy=policy, image=image)
        )
        _attach(session, DISKS, vm, name, description, spec, fields, wait_of(wait, timeout), json)


@nics.command("create")
def attach_nic(
    vm: Machine,
    network: Annotated[str, typer.Option(autocompletion=names(NETWORKS))],
    name: Name = None,
    fields: Fields = None,
    description: Description = "",
    wait: WaitFlag = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Plug a machine, running or not, into a network."""
    from stratal.cli.client.session import Session

    with Session() as session:
        spec = {"br_net_id": session.find(NETWORKS, network)}
        _attach(session, NICS, vm, name, description, spec, fields, wait_of(wait, timeout), json)


@cdroms.command("create")
def attach_cdrom(
    vm: Machine,
    image: Annotated[
        str | None, typer.Option(help="An ISO image to put in.", autocompletion=names(IMAGES))
    ] = None,
    name: Name = None,
    fields: Fields = None,
    description: Description = "",
    wait: WaitFlag = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Give a machine a CD-ROM drive."""
    from stratal.cli.client.session import Session

    with Session() as session:
        spec = {"vm_image_id": session.find(IMAGES, image)} if image else {}
        _attach(session, CDROMS, vm, name, description, spec, fields, wait_of(wait, timeout), json)


@cdroms.command("insert")
def insert(
    drive: Drive,
    image: Annotated[str, typer.Argument(metavar="IMAGE", autocompletion=names(IMAGES))],
    wait: WaitFlag = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Put an ISO image into a drive."""
    _change_medium(drive, image, wait, timeout, json)


@cdroms.command("eject")
def eject(drive: Drive, wait: WaitFlag = None, timeout: Timeout = None, json: Json = False) -> None:
    """Take out what is in a drive."""
    _change_medium(drive, None, wait, timeout, json)


def _change_medium(
    drive: str, image: str | None, wait: bool | None, timeout: float | None, json: bool
) -> None:
    from stratal.cli.client import verbs
    from stratal.cli.client.session import Session

    with Session() as session:
        id = session.find(CDROMS, drive)
        spec = {"vm_image_id": session.find(IMAGES, image) if image else None}
        verbs.update(session, CDROMS, id, spec, wait_of(wait, timeout), json=json)


def _attach(
    session: "Session",
    plural: str,
    vm: str,
    name: str | None,
    description: str,
    spec: "JSON",
    fields: list[str] | None,
    wait: "Wait",
    json: bool,
) -> None:
    from stratal.cli.client import values, verbs

    machine = session.show(MACHINES, session.find(MACHINES, vm))
    id = verbs.id_of(machine)
    taken = [str(each["metadata"]["name"]) for each in session.items(plural, query=f"spec.vm_id:{id}")]
    word = plural.removeprefix("vm-").removesuffix("s")
    numbered = (f"{machine['metadata']['name']}-{word}-{number}" for number in range(1, len(taken) + 2))
    spec = {
        "name": name or next(each for each in numbered if each not in taken),
        "description": description,
        "vm_id": id,
        **spec,
    }
    if fields:
        spec |= values.body(session, session.document.kind(plural).create, fields)
    verbs.create(session, plural, spec, wait, json=json)
