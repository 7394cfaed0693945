"""Commands about the server of this machine: up, serve, config, doctor, backups of its database.

What makes a server is imported only by the commands that need it, so that the others start at once.
"""

import dataclasses
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stratal.cli.options import Yes, confirm

if TYPE_CHECKING:
    from stratal.kernel.settings import Settings

app = typer.Typer()
_PANEL = "This machine's server"

ConfigFile = Annotated[
    Path | None, typer.Option("--config", "-c", help="Configuration file (TOML).", envvar="STRATAL_CONFIG")
]
DataDirectory = Annotated[Path | None, typer.Option(help="Where Stratal keeps what it owns.")]


@app.command("up", rich_help_panel=_PANEL)
def up(
    config: ConfigFile = None,
    data_directory: DataDirectory = None,
    simulate: Annotated[
        bool | None, typer.Option("--simulate", help="Simulated machines, storage and networks.")
    ] = None,
    systemd_unit: Annotated[
        bool, typer.Option("--systemd-unit", help="Print a unit for systemd, and do nothing else.")
    ] = False,
) -> None:
    """Run the server for real use: from a configuration file, which is written at the first time."""
    from stratal.cli import configuration

    file = (config or configuration.default_file()).absolute()
    if systemd_unit:
        from stratal.cli.unit import systemd_unit as unit_text

        settings = _settings(file if file.exists() else None, data_directory)
        typer.echo(unit_text(file, settings.engine.shutdown_seconds), nl=False)
        return
    if not file.exists():
        configuration.write(file, data_directory)
        typer.echo(f"Wrote the settings, with what each means, to {file}", err=True)
    log_format = "console" if sys.stderr.isatty() else None
    settings = _settings(file, data_directory, {"simulate": simulate, "log.format": log_format})
    _logs(settings)
    from stratal.cli.serve import run

    run(settings)


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
def config(
    write: Annotated[bool, typer.Option("--write", help="Write it to a file, not to the terminal.")] = False,
    file: Annotated[
        Path | None, typer.Option("--file", help="Which file. Default: /etc/stratal/stratal.toml for root.")
    ] = None,
    data_directory: DataDirectory = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Print a configuration file with every setting, its meaning and its default; or write it."""
    if write:
        from stratal.cli import configuration

        target = (file or configuration.default_file()).absolute()
        configuration.write(target, data_directory, force=force)
        typer.echo(str(target))
        return
    from stratal.kernel.settings import example_toml

    typer.echo(example_toml(), nl=False)


@app.command("doctor", rich_help_panel=_PANEL)
def doctor(
    config: ConfigFile = None,
    data_directory: DataDirectory = None,
    simulate: Annotated[bool, typer.Option("--simulate", help="As if everything were simulated.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """See what is wrong with this host, and say what to do. Exit code 1 if a server could not work."""
    from stratal.cli.client import output
    from stratal.cli.doctor import Level, examine

    overrides: dict[str, object] = {
        "data_directory": data_directory and data_directory.absolute(),
        "simulate": simulate or None,
    }
    findings = list(examine(_existing(config), overrides))
    failed = sum(each.level is Level.FAILED for each in findings)
    if json:
        output.print_json([dataclasses.asdict(each) for each in findings])
    else:
        marks = {Level.OK: "ok", Level.WARNING: "warning", Level.FAILED: "FAILED"}
        width = max(len(each.subject) for each in findings)
        for each in findings:
            colour = {Level.WARNING: "yellow", Level.FAILED: "red"}.get(each.level, "green")
            # without colours where there is no terminal, or NO_COLOR is set
            mark = output.styled(f"{marks[each.level]:<8}", colour)
            typer.echo(f"{mark} {each.subject:<{width}}  {each.message}")
            if each.remedy and each.level is not Level.OK:
                typer.echo(f"{'':<8} {'':<{width}}  → {each.remedy}")
    if failed:
        raise typer.Exit(1)


@app.command("backup-config", rich_help_panel=_PANEL)
def backup_config(
    file: Annotated[Path, typer.Argument(help="Where to. It is made for its owner alone.")],
    config: ConfigFile = None,
    data_directory: DataDirectory = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
) -> None:
    """Back up Stratal's own database, while the server runs. Disks are not in it."""
    from stratal.cli.backup import back_up
    from stratal.cli.client.sizes import shown_bytes

    settings = _settings(_existing(config), data_directory)
    size = back_up(settings, file, overwrite=overwrite)
    typer.echo(f"{file}: {shown_bytes(size)}")


@app.command("restore-config", rich_help_panel=_PANEL)
def restore_config(
    file: Path,
    config: ConfigFile = None,
    data_directory: DataDirectory = None,
    yes: Yes = False,
) -> None:
    """Replace Stratal's own database by a backup of it. The server must be stopped."""
    from stratal.cli.backup import restore

    settings = _settings(_existing(config), data_directory)
    confirm("Replace the database? What was done since the backup is unknown to it.", yes)
    kept = restore(settings, file)
    typer.echo("The database is the one of the backup." + (f" The old one is {kept}" if kept else ""))


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


def _existing(config: Path | None) -> Path | None:
    """The configuration file that `stratal up` would take, if there is one."""
    if config is not None:
        return config
    from stratal.cli.configuration import default_file

    return default_file() if default_file().exists() else None


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
