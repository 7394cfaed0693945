"""Groups of commands that are no more than what every kind has: policies, networks, nodes, jobs."""

from typing import Annotated

import typer

from stratal.cli.commands.noun import noun
from stratal.cli.options import Json, Limit, Query, Sort, names

policies = noun(
    "bs-policies",
    "policy",
    (
        "DRIVER=spec.driver",
        "PLACE=spec.place",
        "USED=status.used_byte",
        "TOTAL=status.total_byte",
        "VOLUMES=status.bs_volume_num",
        "STATUS=status.pool_status",
        "PROBLEM=status.problem",
    ),
)
networks = noun(
    "br-nets",
    "network",
    (
        ("SWITCH=spec.vsw_id", "vsws"),
        "VLAN=spec.vlan_id,spec.vlan",
        "SUBNET=spec.cidr",
        "NICS=status.vm_nic_num",
    ),
)
nodes = noun(
    "nodes",
    "node",
    (
        "UP=status.up",
        "ADDRESS=spec.admin_ip",
        "CPUS=status.cpu_num",
        "MEMORY=status.memory_mb",
        "VMS=status.vm_num",
        "MAINTAINED=spec.maintained",
    ),
    ("list", "show", "update"),
)
jobs = typer.Typer(no_args_is_help=True)

_JOBS = ("vm-cleanup-jobs", "vm-disk-cleanup-jobs", "vm-nic-cleanup-jobs", "vm-migration-jobs")


@policies.command("capacity")
def capacity(json: Json = False) -> None:
    """Show how full the places of all policies are."""
    from stratal.cli.client import output
    from stratal.cli.client.session import Session

    with Session() as session:
        found = session.connection.get("/bs-policies/summary")["items"]
    if json:
        output.print_json(found)
        return
    fields = ("name", "used_byte", "total_byte", "allocated_byte", "bs_volume_num")
    rows = [[output.shown(field, each[field]) for field in fields] for each in found]
    output.print_rows(("NAME", "USED", "TOTAL", "ALLOCATED", "VOLUMES"), rows)


@jobs.command("list")
def list_jobs(
    kind: Annotated[
        str | None,
        typer.Argument(metavar="[KIND]", help=", ".join(_JOBS), autocompletion=lambda: list(_JOBS)),
    ] = None,
    query: Query = None,
    sort: Sort = None,
    limit: Limit = None,
    json: Json = False,
) -> None:
    """List the jobs of a kind, or of all kinds."""
    from stratal.cli.client import output
    from stratal.cli.client.kinds import JSON
    from stratal.cli.client.session import Session

    found: list[JSON] = []
    rows: list[list[str]] = []
    with Session() as session:
        for plural in [session.document.kind(kind).plural] if kind else _JOBS:
            for item in session.items(plural, query=query, sort=sort, limit=limit):
                found.append(item)
                spec, status = item["spec"], item["status"]
                rows.append(
                    [
                        plural.removesuffix("s"),
                        str(item["metadata"]["id"]),
                        str(item["metadata"]["name"]),
                        output.shown("stage", status.get("stage")),
                        output.shown("reason", spec.get("reason") or spec.get("type")),
                        output.shown("created_at", item["metadata"]["created_at"]),
                        output.shown("error_message", status.get("error_message")),
                    ]
                )
    if json:
        output.print_json(found)
    elif rows:
        output.print_rows(("JOB", "ID", "NAME", "STAGE", "REASON", "CREATED", "ERROR"), rows)
    else:
        output.say("There are no jobs.")


@jobs.command("show")
def show_job(
    kind: Annotated[str, typer.Argument(help=", ".join(_JOBS))],
    job: Annotated[str, typer.Argument(metavar="NAME|ID", autocompletion=names(_JOBS[0]))],
    json: Json = False,
) -> None:
    """Show a job."""
    from stratal.cli.client import verbs
    from stratal.cli.client.session import Session

    with Session() as session:
        verbs.show(session, session.document.kind(kind).plural, job, json=json)
