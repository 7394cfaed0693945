"""The options that commands share."""

import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from stratal.cli.client.errors import BadArgument

Json = Annotated[bool, typer.Option("--json", help="Print JSON, as the API answers it.")]
Query = Annotated[
    str | None, typer.Option("--query", "-q", help="Filter: spec.name:web*, status.x:>5, AND, OR, NOT, ().")
]
Sort = Annotated[str | None, typer.Option(help="Order: spec.created_at:desc,spec.name.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Print so many at most.", show_default=False)]
Columns = Annotated[
    str, typer.Option("--columns", help="Columns: id,name,state,spec.size_mb.", show_default=False)
]
WaitFlag = Annotated[
    bool | None,
    typer.Option(
        "--wait/--no-wait",
        help="Wait until it is done. Default: at a terminal.",
        envvar="STRATAL_WAIT",
        show_default=False,
    ),
]
Timeout = Annotated[
    float | None, typer.Option(min=0, help="Wait so many seconds at most.", show_default=False)
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether it is meant.")]
Description = Annotated[str, typer.Option(help="A description.", show_default=False)]
Assignments = Annotated[
    list[str] | None,
    typer.Argument(metavar="FIELD=VALUE...", help="FIELD:=JSON gives JSON, FIELD=@FILE the text of a file."),
]
More = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Any other field of the API.", show_default=False),
]


def wait_of(wait: bool | None, timeout: float | None) -> Any:
    """What the options say of waiting."""
    from stratal.cli.client.waiting import Wait

    wanted = sys.stdout.isatty() if wait is None else wait
    return Wait(wanted=wanted or (wait is None and timeout is not None), timeout=timeout)


def confirm(question: str, yes: bool) -> None:
    """Ask whether it is meant, unless that was said. Raises Exit (1) if it is not."""
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise BadArgument(reason=f"{question} Nobody is there to answer", remedy="Say --yes if you mean it.")
    if not typer.confirm(question, err=True):
        raise typer.Exit(1)


def names(plural: str) -> Callable[[str], list[str]]:
    """A completion of names of this kind. It must not take long, nor say anything when it cannot."""

    def complete(incomplete: str) -> list[str]:
        try:
            from stratal.cli.client.session import Session

            with Session(timeout=2.0) as session:
                return session.names(plural, incomplete, 50)
        except Exception:
            return []

    return complete


def kinds(incomplete: str) -> list[str]:
    """A completion of kinds."""
    try:
        from stratal.cli.client.session import Session

        with Session(timeout=2.0) as session:
            return [plural for plural in session.document.plurals if plural.startswith(incomplete)]
    except Exception:
        return []
