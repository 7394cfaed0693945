"""The `stratal` command.

The server is imported only by the commands that need it, so that the others start at once.
"""

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from stratal.kernel.errors import StratalError
from stratal.kernel.logs import configure_logs
from stratal.kernel.settings import Settings, example_toml, load_settings

app = typer.Typer(name="stratal", no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)

ConfigFile = Annotated[
    Path | None, typer.Option("--config", "-c", help="Configuration file (TOML).", envvar="STRATAL_CONFIG")
]
DataDirectory = Annotated[Path | None, typer.Option(help="Where Stratal keeps what it owns.")]


def main() -> None:
    """Run the command; a typed error ends it with its message and status 1."""
    try:
        app()
    except StratalError as error:
        typer.echo(f"stratal: {error.message}", err=True)
        if error.remedy:
            typer.echo(error.remedy, err=True)
        sys.exit(1)


@app.command()
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
    settings = load_settings(
        config,
        {
            "data_directory": data_directory and data_directory.absolute(),
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


@app.command()
def config() -> None:
    """Print a configuration file with every setting, its meaning and its default."""
    typer.echo(example_toml(), nl=False)


@app.command()
def openapi() -> None:
    """Print the OpenAPI document of the NeutonOS face."""
    from stratal.cli.serve import openapi_document

    sys.stdout.buffer.write(openapi_document())


@app.command()
def reset_password(
    name: Annotated[str, typer.Argument(help="The user's name.")],
    config: ConfigFile = None,
    data_directory: DataDirectory = None,
) -> None:
    """Give a user a new generated password, for when nobody can log in. Works while the server runs."""
    settings = load_settings(config, {"data_directory": data_directory and data_directory.absolute()})
    _logs(settings)
    from stratal.cli.serve import reset_password

    typer.echo(f"The new password of {name} is {reset_password(settings, name)}")


def _logs(settings: Settings) -> None:
    configure_logs(settings.log.level, settings.log.format, sys.stderr)
    # it says at every start of every command what it is made of
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)
