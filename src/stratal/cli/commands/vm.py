"""Virtual machines."""

from typing import Annotated

import typer

from stratal.cli.commands.noun import noun
from stratal.cli.commands.vm_snapshots import app as snapshots
from stratal.cli.options import Description, Json, More, Timeout, WaitFlag, Yes, confirm, names, wait_of

MACHINES, SNAPS, IMAGES, NETWORKS, POLICIES = (
    "virtual-machines",
    "vm-snaps",
    "vm-images",
    "br-nets",
    "bs-policies",
)

app = noun(
    MACHINES,
    "virtual machine",
    (
        "POWER=status.power_state",
        "CPUS=spec.cpu_num",
        "MEMORY=spec.memory_mb",
        "ADDRESSES=status.ip_addresses",
        ("NODE=status.node_id", "nodes"),
        "DISKS=status.vm_disk_num",
        "PROBLEM=status.problem",
    ),
    ("list", "show", "update", "delete"),
)
app.add_typer(snapshots, name="snapshot", help="Snapshots of machines.")

Machine = Annotated[str, typer.Argument(metavar="VM", autocompletion=names(MACHINES))]
Machines = Annotated[list[str], typer.Argument(metavar="VM...", autocompletion=names(MACHINES))]
Force = Annotated[bool, typer.Option("--force", help="Do not ask the guest.")]


@app.command("create")
def create(
    name: str,
    cpus: Annotated[int, typer.Option(min=1, help="Processors, each a socket of its own.")] = 1,
    memory: Annotated[str, typer.Option(help="Such as 2G.")] = "1G",
    image: Annotated[
        str | None,
        typer.Option(help="The image that the first disk starts as.", autocompletion=names(IMAGES)),
    ] = None,
    disk: Annotated[
        list[str] | None,
        typer.Option(help="Size of an empty disk, or volume:NAME; several times for several."),
    ] = None,
    size: Annotated[str | None, typer.Option(help="Size of the first disk. Default: the image's.")] = None,
    policy: Annotated[str | None, typer.Option(autocompletion=names(POLICIES))] = None,
    network: Annotated[
        list[str] | None,
        typer.Option(
            help="A network to plug into; several times for several.", autocompletion=names(NETWORKS)
        ),
    ] = None,
    cdrom: Annotated[
        list[str] | None, typer.Option(help="An ISO image to put in.", autocompletion=names(IMAGES))
    ] = None,
    uefi: Annotated[bool, typer.Option("--uefi", help="UEFI in place of BIOS.")] = False,
    start: Annotated[bool, typer.Option(help="Start it at once.")] = True,
    console_password_file: Annotated[
        str | None, typer.Option(help="File with a password that its screen asks for; - for standard input.")
    ] = None,
    description: Description = "",
    more: More = None,
    wait: WaitFlag = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Create a virtual machine, with its disks, and start it."""
    from stratal.cli.client import disks, values, verbs
    from stratal.cli.client.kinds import JSON
    from stratal.cli.client.login import console_password
    from stratal.cli.client.session import Session
    from stratal.cli.client.sizes import size_mb

    with Session() as session:
        new_disks: list[JSON] = []
        if image:
            new_disks.append(disks.new_volume(session, size=size, policy=policy, image=image))
        for each in disk or []:
            volume = each.removeprefix("volume:")
            new_disks.append(
                {"bs_volume_id": session.find("bs-volumes", volume)}
                if volume != each
                else disks.new_volume(session, size=each, policy=policy, image=None)
            )
        spec: JSON = {
            "name": name,
            "description": description,
            "bios": "uefi" if uefi else "bios",
            "socket_num": cpus,
            "cpu_num": cpus,
            "memory_mb": size_mb(memory),
            "power_state": "running" if start else "stopped",
            "vm_disks": new_disks,
            "vm_nics": [{"br_net_id": session.find(NETWORKS, each)} for each in network or []],
            "vm_cd_roms": [{"vm_image_id": session.find(IMAGES, each)} for each in cdrom or []],
        }
        if console_password_file:
            spec |= console_password(session.connection, console_password_file)
        if cdrom:
            spec["boot_device_order"] = ["disk", "cdrom"]
        if more:
            spec |= values.body(session, session.document.kind(MACHINES).create, more)
        verbs.create(session, MACHINES, spec, wait_of(wait, timeout), json=json)


@app.command("start")
def start(vms: Machines, wait: WaitFlag = None, timeout: Timeout = None, json: Json = False) -> None:
    """Start virtual machines."""
    _each(vms, "start", {}, "Starting", wait, timeout, json)


@app.command("stop")
def stop(
    vms: Machines, force: Force = False, wait: WaitFlag = None, timeout: Timeout = None, json: Json = False
) -> None:
    """Shut virtual machines down."""
    _each(vms, "stop", {"force": True} if force else {}, "Stopping", wait, timeout, json)


@app.command("reboot")
def reboot(
    vms: Machines, force: Force = False, wait: WaitFlag = None, timeout: Timeout = None, json: Json = False
) -> None:
    """Start the guests of virtual machines anew."""
    _each(vms, "reboot", {"force": True} if force else {}, "Rebooting", wait, timeout, json)


@app.command("clone")
def clone(
    name: str,
    snapshot: Annotated[
        str | None, typer.Option("--snapshot", "-s", help="To start as.", autocompletion=names(SNAPS))
    ] = None,
    vm: Annotated[
        str | None, typer.Option(help="To start as it is now.", autocompletion=names(MACHINES))
    ] = None,
    flatten: Annotated[bool, typer.Option("--flatten", help="Share nothing with it.")] = False,
    start: Annotated[bool | None, typer.Option("--start/--no-start", help="Default: as its source.")] = None,
    description: Description = "",
    more: More = None,
    wait: WaitFlag = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Create a machine that starts as a snapshot, or as another machine is now."""
    from stratal.cli.client import disks, values, verbs
    from stratal.cli.client.errors import BadArgument
    from stratal.cli.client.kinds import JSON
    from stratal.cli.client.session import Session

    if (snapshot is None) == (vm is None):
        raise BadArgument(reason="say either --snapshot or --vm")
    with Session() as session:
        spec: JSON = {"name": name, "description": description, "flatten": flatten}
        if snapshot is not None:
            spec["vm_snap_id"] = session.find(SNAPS, snapshot)
        else:
            spec["vm_id"] = session.find(MACHINES, vm or "")
        if start is not None:
            spec["power_state"] = "running" if start else "stopped"
        if more:
            spec |= values.body(session, session.document.kind(MACHINES).actions["clone"].fields, more)
        verbs.create(
            session,
            MACHINES,
            spec,
            wait_of(wait, timeout),
            json=json,
            path="/:clone",
            progress=disks.machine_progress(session),
        )


@app.command("flatten")
def flatten(vm: Machine, wait: WaitFlag = None, timeout: Timeout = None, json: Json = False) -> None:
    """Copy into the disks of a machine all that they share with what they came from."""
    from stratal.cli.client import disks, verbs
    from stratal.cli.client.session import Session

    with Session() as session:
        verbs.act(
            session,
            MACHINES,
            session.find(MACHINES, vm),
            "flatten",
            {},
            wait_of(wait, timeout),
            json=json,
            doing="Flattening",
            progress=disks.machine_progress(session),
        )


@app.command("rollback")
def rollback(
    vm: Machine,
    snapshot: Annotated[str, typer.Argument(metavar="SNAPSHOT", autocompletion=names(SNAPS))],
    without_memory: Annotated[
        bool,
        typer.Option("--without-memory", help="Go back to the disks alone, where memory was kept too."),
    ] = False,
    yes: Yes = False,
    wait: WaitFlag = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Let a machine be again what it was when a snapshot was taken.

    Where its memory was kept it runs on from there. Else it must be stopped, and stays so.
    """
    from stratal.cli.client import verbs
    from stratal.cli.client.kinds import JSON
    from stratal.cli.client.session import Session

    with Session() as session:
        id = session.find(MACHINES, vm)
        spec: JSON = {"vm_snap_id": session.find(SNAPS, snapshot)}
        spec |= {"memory": False} if without_memory else {}
        confirm(f"Throw away what {vm} is now, for what it was at {snapshot}?", yes)
        wait_ = wait_of(wait, timeout)
        verbs.act(session, MACHINES, id, "rollback", spec, wait_, json=json, doing="Rolling back")


@app.command("console-info")
def console_info(vm: Machine, json: Json = False) -> None:
    """Show where the screen of a running machine is to be seen."""
    from stratal.cli.client import output
    from stratal.cli.client.errors import BadArgument, Refused
    from stratal.cli.client.kinds import JSON
    from stratal.cli.client.session import Session

    with Session() as session:
        item = session.show(MACHINES, session.find(MACHINES, vm))
        status: JSON = item["status"]
        host = ""
        if status.get("node_id"):
            try:
                host = str(session.show("nodes", int(status["node_id"]))["spec"].get("admin_ip") or "")
            except Refused:  # not everybody may see nodes
                host = ""
    ports = {"vnc": status.get("graphics_port"), "spice": status.get("spice_port")}
    urls = {name: f"{name}://{host or 'NODE'}:{port}" for name, port in ports.items() if port}
    if not urls:
        power = status.get("power_state", "unknown")
        raise BadArgument(reason=f"{vm} has no console now: it is {power}", remedy="Start it first.")
    said = {**urls, "password": bool(item["spec"].get("graphics_auth_enabled"))}
    if json:
        output.print_json(said)
        return
    for name, url in urls.items():
        print(f"{name:<9} {url}")
    print(f"{'password':<9} {'is asked for' if said['password'] else 'none'}")


@app.command("set-console-password")
def set_console_password(
    vm: Machine,
    password_file: Annotated[
        str | None, typer.Option(help="- for standard input. Default: a question.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Let it ask for none.")] = False,
    wait: WaitFlag = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Let the screen of a machine ask for a password, of 8 characters at most, or for none any more."""
    from stratal.cli.client import verbs
    from stratal.cli.client.errors import BadArgument
    from stratal.cli.client.kinds import JSON
    from stratal.cli.client.login import console_password
    from stratal.cli.client.session import Session

    if remove and password_file is not None:
        raise BadArgument(reason="say either --remove or --password-file")
    with Session() as session:
        id = session.find(MACHINES, vm)
        spec: JSON = {"graphics_auth_enabled": False, "graphics_password": ""}
        if not remove:
            spec = console_password(session.connection, password_file)
        verbs.update(session, MACHINES, id, spec, wait_of(wait, timeout), json=json)


@app.command("tree")
def tree(vm: Machine, json: Json = False) -> None:
    """Show a machine's snapshots as a tree, with what was cloned from them."""
    from stratal.cli.commands.vm_snapshots import tree as show_tree

    show_tree(vm, json)


def _each(
    vms: list[str],
    verb: str,
    spec: dict[str, object],
    doing: str,
    wait: bool | None,
    timeout: float | None,
    json: bool,
) -> None:
    """Ask all of them, and then wait for each."""
    from stratal.cli.client import output, verbs, waiting
    from stratal.cli.client.kinds import JSON
    from stratal.cli.client.session import Session

    wait_ = wait_of(wait, timeout)
    with Session() as session:
        ids = [session.find(MACHINES, vm) for vm in vms]
        begun: list[JSON] = [session.connection.send("POST", f"/{MACHINES}/{id}/:{verb}", spec) for id in ids]
        ended: list[JSON] = []
        for item in begun:
            what = f"{doing} {verbs.described(item)}"
            item = waiting.settled(session, MACHINES, item, what, wait_)
            ended.append(item)
            if not json:
                power = item["status"].get("power_state", "")
                print(f"{verbs.described(item)} {output.state_of(item)} {power}".rstrip())
                verbs.say_what_waits(MACHINES, item)
    if json:
        output.print_json(ended if len(ended) > 1 else ended[0])
