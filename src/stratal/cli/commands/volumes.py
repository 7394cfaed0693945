"""Volumes and their snapshots."""

from typing import Annotated

import typer

from stratal.cli.commands.noun import noun
from stratal.cli.options import Description, Json, More, Timeout, WaitFlag, Yes, confirm, names, wait_of

VOLUMES, SNAPS, IMAGES, POLICIES = "bs-volumes", "bs-snaps", "vm-images", "bs-policies"

volumes = noun(
    VOLUMES,
    "volume",
    (
        "SIZE=spec.size_mb",
        ("POLICY=spec.bs_policy_id", POLICIES),
        "OWN=status.exclusive_size_byte",
        "SNAPSHOTS=status.bs_snap_num",
        "OPEN=status.loaded",
        "PROBLEM=status.problem",
    ),
    ("list", "show", "update", "delete"),
)
snaps = noun(
    SNAPS,
    "snapshot",
    (
        ("VOLUME=spec.bs_volume_id", VOLUMES),
        "SIZE=spec.size_mb",
        "OWN=status.allocated_size_byte",
        "CLONES=status.cloned_volume_num",
        "CREATED=metadata.created_at",
    ),
    ("list", "show", "update", "delete"),
)

Volume = Annotated[str, typer.Argument(metavar="VOLUME", autocompletion=names(VOLUMES))]
Snapshot = Annotated[str, typer.Argument(metavar="SNAPSHOT", autocompletion=names(SNAPS))]


@volumes.command("create")
def create(
    name: str,
    size: Annotated[str | None, typer.Option(help="Such as 10G. Default: that of the image.")] = None,
    policy: Annotated[str | None, typer.Option(autocompletion=names(POLICIES))] = None,
    image: Annotated[
        str | None, typer.Option(help="The image that it starts as.", autocompletion=names(IMAGES))
    ] = None,
    description: Description = "",
    more: More = None,
    wait: WaitFlag = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Create a volume: empty, or as an image is."""
    from stratal.cli.client import disks, values, verbs
    from stratal.cli.client.kinds import JSON
    from stratal.cli.client.session import Session

    with Session() as session:
        spec: JSON = {"name": name, "description": description}
        spec |= disks.new_volume(session, size=size, policy=policy, image=image)
        if more:
            spec |= values.body(session, session.document.kind(VOLUMES).create, more)
        verbs.create(session, VOLUMES, spec, wait_of(wait, timeout), json=json)


@volumes.command("resize")
def resize(
    volume: Volume, size: str, wait: WaitFlag = None, timeout: Timeout = None, json: Json = False
) -> None:
    """Make a volume larger. SIZE is the new size, such as 20G, or +5G."""
    from stratal.cli.client import verbs
    from stratal.cli.client.session import Session
    from stratal.cli.client.sizes import size_mb

    with Session() as session:
        id = session.find(VOLUMES, volume)
        new = size_mb(size.removeprefix("+"))
        if size.startswith("+"):
            new += int(session.show(VOLUMES, id)["spec"]["size_mb"])
        verbs.update(session, VOLUMES, id, {"size_mb": new}, wait_of(wait, timeout), json=json)


@volumes.command("clone")
def clone(
    name: str,
    snapshot: Annotated[
        str, typer.Option("--snapshot", "-s", help="To start as.", autocompletion=names(SNAPS))
    ],
    flatten: Annotated[bool, typer.Option(help="Share nothing with it.")] = False,
    description: Description = "",
    wait: WaitFlag = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Create a volume that starts as a snapshot is."""
    from stratal.cli.client import disks, verbs
    from stratal.cli.client.session import Session

    with Session() as session:
        id = session.find(SNAPS, snapshot)
        spec = {"name": name, "description": description, "bs_snap_id": id, "flatten": flatten}
        verbs.create(
            session,
            VOLUMES,
            spec,
            wait_of(wait, timeout),
            json=json,
            path="/:clone",
            progress=disks.volume_progress(session),
        )


@volumes.command("flatten")
def flatten(volume: Volume, wait: WaitFlag = None, timeout: Timeout = None, json: Json = False) -> None:
    """Copy into a volume all that it shares with what it came from."""
    from stratal.cli.client import disks, verbs
    from stratal.cli.client.session import Session

    with Session() as session:
        verbs.act(
            session,
            VOLUMES,
            session.find(VOLUMES, volume),
            "flatten",
            {},
            wait_of(wait, timeout),
            json=json,
            doing="Flattening",
            progress=disks.volume_progress(session),
        )


@volumes.command("rollback")
def rollback(
    volume: Volume,
    snapshot: Annotated[str, typer.Argument(metavar="SNAPSHOT", autocompletion=names(SNAPS))],
    yes: Yes = False,
    wait: WaitFlag = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Let a volume hold again what it held when a snapshot was taken."""
    from stratal.cli.client import verbs
    from stratal.cli.client.session import Session

    with Session() as session:
        id, snap = session.find(VOLUMES, volume), session.find(SNAPS, snapshot)
        confirm(f"Throw away what {volume} holds now, for what it held at {snapshot}?", yes)
        spec = {"bs_snap_id": snap}
        wait_ = wait_of(wait, timeout)
        verbs.act(session, VOLUMES, id, "rollback", spec, wait_, json=json, doing="Rolling back")


@volumes.command("snapshot")
def snapshot(
    volume: Volume,
    name: str,
    description: Description = "",
    wait: WaitFlag = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Take a snapshot of a volume."""
    from stratal.cli.client import verbs
    from stratal.cli.client.session import Session

    with Session() as session:
        spec = {"name": name, "description": description, "bs_volume_id": session.find(VOLUMES, volume)}
        verbs.create(session, SNAPS, spec, wait_of(wait, timeout), json=json)


snaps.command("create")(snapshot)


@volumes.command("tree")
def tree(volume: Volume, json: Json = False) -> None:
    """Show the layers of a volume and of all that shares data with it."""
    from stratal.cli.client import output, trees
    from stratal.cli.client.session import Session

    with Session() as session:
        id = session.find(VOLUMES, volume)
        found = session.connection.get(f"/{VOLUMES}/{id}/tree")
        if json:
            output.print_json(found)
        else:
            trees.print_volume_tree(found)
