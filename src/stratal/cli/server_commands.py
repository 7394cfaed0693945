"""Commands about the server of this machine: up, serve, config, doctor, backups of its database.

What makes a server is imported only by the commands that need it, so that the others start at once.
"""

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from stratal.kernel.settings import Settings

app = typer.Typer()
_PANEL = "This machine's server"

ConfigFile = Annotated[
    Path | None, typer.Option("--config", "-c", help="Configuration file (TOML).", envvar="STRATAL_CONFIG")
]
DataDirectory = Annotated[Path | None, typer.Option(help="Where Stratal keeps what it owns.")]


@app.command("serve", rich_help_panel=_PANEL)
def serve(
    config: ConfigFile = None,
    data_directory: DataDirectory = None,
    database_url: Annotated[
        str | None,
        typer.Option(help="sqlite:////path or postgresql+psycopg://… (a password belongs in the file)"),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 for any free one.")] = None,
    simulate: Annotated[
        bool | None, typer.Option("--simulate", help="Simulated machines, storage and networks.")
    ] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
    log_format: Annotated[str | None, typer.Option(help="json or console.")] = None,
) -> None:
    """Run the server in the foreground until it is told to stop."""
    settings = _settings(
        config,
        data_directory,
        {
            "database_url": database_url,
            "server.host": host,
            "server.port": port,
            "simulate": simulate,
            "log.level": log_level,
            "log.format": log_format,
        },
    )
    _logs(settings)
    from stratal.cli.serve import run

    run(settings)


@app.command("config", rich_help_panel=_PANEL)
def config() -> None:
    """Print a configuration file with every setting, its meaning and its default."""
    from stratal.kernel.settings import example_toml

    typer.echo(example_toml(), nl=False)


@app.command("openapi", rich_help_panel=_PANEL)
def openapi() -> None:
    """Print the OpenAPI document of the NeutonOS face."""
    from stratal.cli.serve import openapi_document

    sys.stdout.buffer.write(openapi_document())


@app.command("reset-password", rich_help_panel=_PANEL)
def reset_password(
    name: Annotated[str, typer.Argument(help="The user's name.")],
    config: ConfigFile = None,
    data_directory: DataDirectory = None,
) -> None:
    """Give a user a new generated password, for when nobody can log in. Works while the server runs."""
    settings = _settings(config, data_directory)
    _logs(settings)
    from stratal.cli.serve import reset_password

    typer.echo(f"The new password of {name} is {reset_password(settings, name)}")


def _settings(
    config: Path | None, data_directory: Path | None, more: dict[str, object] | None = None
) -> "Settings":
    from stratal.kernel.settings import load_settings

    return load_settings(
        config, {"data_directory": data_directory and data_directory.absolute(), **(more or {})}
    )


def _logs(settings: "Settings") -> None:
    from stratal.kernel.logs import configure_logs

    configure_logs(settings.log.level, settings.log.format, sys.stderr)
    # it says at every start of every command what it is made of
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)
