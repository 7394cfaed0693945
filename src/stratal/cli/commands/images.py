"""Images: upload, import, download, templates."""

from pathlib import Path
from typing import Annotated

import typer

from stratal.cli.commands.noun import noun
from stratal.cli.options import Description, Json, More, Timeout, WaitFlag, Yes, confirm, names, wait_of

IMAGES, POLICIES, SNAPS = "vm-images", "bs-policies", "bs-snaps"

app = noun(
    IMAGES,
    "image",
    (
        "UPLOAD=status.upload_state",
        "FORMAT=spec.format",
        "DISK=status.size_byte",
        "OWN=status.allocated_size_byte",
        "USED BY=status.ref_num",
        "SHARED=spec.shared",
        "PROBLEM=status.problem",
    ),
    ("list", "show", "update", "delete"),
)

Image = Annotated[str, typer.Argument(metavar="IMAGE", autocompletion=names(IMAGES))]
Policy = Annotated[str | None, typer.Option(help="Where it is kept.", autocompletion=names(POLICIES))]
Shared = Annotated[bool, typer.Option("--shared", help="All projects may use it.")]
Format = Annotated[
    str | None, typer.Option("--format", help="qcow2, raw, vmdk, vhdx or iso. Default: what the file says.")
]


@app.command("upload")
def upload(
    file: Path,
    name: Annotated[str | None, typer.Option(help="Default: that of the file.")] = None,
    format_: Format = None,
    checksum: Annotated[str | None, typer.Option(help="sha256:… that it must have.")] = None,
    policy: Policy = None,
    shared: Shared = False,
    description: Description = "",
    more: More = None,
    wait: WaitFlag = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Upload a file as an image. Whatever interrupts it, `stratal image resume` goes on."""
    from stratal.cli.client import transfers

    kind = format_ or transfers.format_of(file)
    spec: dict[str, object] = {
        "name": name or file.stem,
        "description": description,
        "format": kind,
        "type": "iso" if kind == "iso" else "disk",
        "size_byte": transfers.size_of(file),
        "shared": shared,
    }
    if checksum:
        spec["checksum"] = checksum
    _make(spec, policy, more, file, wait, timeout, json)


@app.command("resume")
def resume(
    image: Image, file: Path, wait: WaitFlag = None, timeout: Timeout = None, json: Json = False
) -> None:
    """Go on with an upload that was interrupted, or begin the one of an image that waits for it."""
    from stratal.cli.client import transfers, verbs
    from stratal.cli.client.session import Session

    with Session() as session:
        item = session.show(IMAGES, session.find(IMAGES, image))
        wait_ = wait_of(wait, timeout)
        item = transfers.upload(session, item, file, wait_)
        verbs.finish(session, IMAGES, item, "Uploading", wait_, json=json)


@app.command("import")
def import_(
    path: Annotated[str, typer.Argument(help="A file on the server, where its settings allow it.")],
    name: Annotated[str | None, typer.Option(help="Default: that of the file.")] = None,
    format_: Annotated[str, typer.Option("--format", help="qcow2, raw, vmdk, vhdx or iso.")] = "qcow2",
    in_place: Annotated[bool, typer.Option("--in-place", help="Take the file itself over.")] = False,
    policy: Policy = None,
    shared: Shared = False,
    description: Description = "",
    more: More = None,
    yes: Yes = False,
    wait: WaitFlag = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Make an image of a file on the server. For system administrators."""
    if in_place:
        confirm(f"Take {path} away from where it is?", yes)
    spec: dict[str, object] = {
        "name": name or Path(path).stem,
        "description": description,
        "format": format_,
        "type": "iso" if format_ == "iso" else "disk",
        "path": path,
        "in_place": in_place,
        "shared": shared,
    }
    _make(spec, policy, more, None, wait, timeout, json)


@app.command("create-from-snapshot")
def create_from_snapshot(
    name: str,
    snapshot: Annotated[
        str | None,
        typer.Option("--snapshot", "-s", help="A snapshot of a volume.", autocompletion=names(SNAPS)),
    ] = None,
    vm_snapshot: Annotated[
        str | None,
        typer.Option(help="A snapshot of a machine: of its boot disk.", autocompletion=names("vm-snaps")),
    ] = None,
    disk: Annotated[
        str | None,
        typer.Option(help="Of this disk of the machine instead.", autocompletion=names("vm-disks")),
    ] = None,
    policy: Policy = None,
    shared: Shared = False,
    description: Description = "",
    more: More = None,
    wait: WaitFlag = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Make a template of a snapshot. Nothing is copied; its source goes on running."""
    from stratal.cli.client import disks
    from stratal.cli.client.errors import BadArgument
    from stratal.cli.client.session import Session

    if (snapshot is None) == (vm_snapshot is None):
        raise BadArgument(reason="say either --snapshot or --vm-snapshot")
    if disk is not None and vm_snapshot is None:
        raise BadArgument(reason="--disk goes with --vm-snapshot")
    spec: dict[str, object] = {"name": name, "description": description, "shared": shared}
    with Session() as session:
        if vm_snapshot is None:
            spec["bs_snap_id"] = session.find(SNAPS, snapshot or "")
        else:
            spec["vm_snap_id"] = id = session.find("vm-snaps", vm_snapshot)
            if disk is not None:
                spec["vm_disk_snap_id"] = disks.kept_disk(session, id, disk)
    _make(spec, policy, more, None, wait, timeout, json)


@app.command("download")
def download(
    image: Image,
    file: Annotated[Path | None, typer.Argument(help="Default: NAME.FORMAT, here.")] = None,
    format_: Annotated[str, typer.Option("--format", help="raw or qcow2.")] = "qcow2",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
) -> None:
    """Download an image. The file is there only once it is whole."""
    from stratal.cli.client import output, transfers
    from stratal.cli.client.errors import BadArgument
    from stratal.cli.client.session import Session
    from stratal.cli.client.sizes import shown_bytes

    def check(path: Path) -> None:
        if path.exists() and not overwrite:
            raise BadArgument(reason=f"{path} is there already", remedy="Say --overwrite to replace it.")

    with Session() as session:
        item = session.show(IMAGES, session.find(IMAGES, image))
        # a name may hold what a path gives a meaning to
        safe = str(item["metadata"]["name"]).replace("/", "_").lstrip(".") or "image"
        path = file or Path(f"{safe}.{format_}")
        count = transfers.download(session, item, path, format_, check=check)
    output.say(f"{path}: {shown_bytes(count)}")


def _make(
    spec: dict[str, object],
    policy: str | None,
    more: list[str] | None,
    file: Path | None,
    wait: bool | None,
    timeout: float | None,
    json: bool,
) -> None:
    from stratal.cli.client import transfers, values, verbs
    from stratal.cli.client.kinds import JSON
    from stratal.cli.client.session import Session

    wait_ = wait_of(wait, timeout)
    with Session() as session:
        if policy:
            spec["bs_policy_id"] = session.find(POLICIES, policy)
        if more:
            spec |= values.body(session, session.document.kind(IMAGES).create, more)
        item: JSON = session.connection.send("POST", f"/{IMAGES}", spec)
        what = f"Making {verbs.described(item)}"
        if file is not None:
            item = transfers.upload(session, item, file, wait_)
        else:
            item = transfers.finished(session, item, what, wait_)
        verbs.finish(session, IMAGES, item, what, wait_, json=json)
