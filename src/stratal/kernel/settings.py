"""Every setting of a Stratal process, declared once: type, default, bounds and meaning.

A value comes from the first of: a flag, the environment, the configuration file, the default below.
`server.py` and the CLI call `load_settings` once and hand the tree on; nothing else reads the environment.
The documentation's configuration file is `example_toml()`, made from these declarations.
"""

import json
import socket
import textwrap
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from pydantic import SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from stratal.kernel.errors import Invalid
from stratal.kernel.sections import (
    ComputeSettings,
    EngineSettings,
    EvsSettings,
    IdentitySettings,
    LogSettings,
    NetworkSettings,
    Section,
    ServerSettings,
    StorageSettings,
)

ENVIRONMENT_PREFIX = "STRATAL_"
_NESTED = "__"


class Settings(Section):
    """The whole tree. Immutable; `Settings()` is the defaults and reads neither environment nor file."""

    data_directory: Path = Path("/var/lib/stratal")
    """Where Stratal keeps what it owns. An absolute path."""
    database_url: SecretStr = SecretStr("")
    """Database, as sqlite:////path or postgresql+psycopg://user:password@host/name.
    Empty: the SQLite file stratal.db in data_directory."""
    simulate: bool = False
    """Use simulated hypervisors, storage and networks: nothing of the host is touched."""
    node_name: str = ""
    """Name of this node in the cluster. Empty: the host's name."""
    metrics_listen: str = "127.0.0.1:6013"
    """host:port of the process's own Prometheus metrics, which need no login. Empty: off."""
    server: ServerSettings = ServerSettings()
    log: LogSettings = LogSettings()
    engine: EngineSettings = EngineSettings()
    identity: IdentitySettings = IdentitySettings()
    storage: StorageSettings = StorageSettings()
    compute: ComputeSettings = ComputeSettings()
    network: NetworkSettings = NetworkSettings()
    evs: EvsSettings = EvsSettings()

    @property
    def storage_directory(self) -> Path:
        """Where the disks of the first storage policy are."""
        return self.storage.directory or self.data_directory / "layers"

    @field_validator("data_directory")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        # Backing chains name their files by absolute path, so a relative one would move with the process.
        if not path.is_absolute():
            raise ValueError("must be an absolute path")
        return path

    @field_validator("database_url")
    @classmethod
    def _default_and_check_database(cls, url: SecretStr, info: ValidationInfo) -> SecretStr:
        text = url.get_secret_value()
        if text == "":
            return SecretStr(f"sqlite:///{info.data.get('data_directory', '')}/stratal.db")
        if text.partition("://")[0].partition("+")[0] not in ("sqlite", "postgresql"):
            raise ValueError("must begin with sqlite:// or postgresql+psycopg://")
        return url

    @field_validator("node_name")
    @classmethod
    def _default_node_name(cls, name: str) -> str:
        return name.strip() or socket.gethostname()

    @field_validator("metrics_listen")
    @classmethod
    def _check_listen(cls, listen: str) -> str:
        if listen:
            parse_listen(listen)
        return listen


class _Environment(Settings, BaseSettings):
    """Lends the declarations to pydantic-settings, which knows how names of variables are made of them."""

    model_config = SettingsConfigDict(env_prefix=ENVIRONMENT_PREFIX, env_nested_delimiter=_NESTED)


def parse_listen(listen: str) -> tuple[str, int]:
    """`host:port` or `[IPv6]:port` as a pair. Raises ValueError with a reason to show."""
    host, colon, port = listen.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError("an IPv6 address is written in brackets, as [::1]:6013")
    # str.isdecimal alone also takes the digits of other scripts.
    if not (host and colon and port.isascii() and port.isdecimal() and int(port) <= 65535):
        raise ValueError("must be host:port, as 127.0.0.1:6013")
    return host, int(port)


def load_settings(file: Path | None, overrides: Mapping[str, object]) -> Settings:
    """The settings of this process: overrides (flags) over environment over `file` over defaults.

    `overrides` may be nested or have dotted names (`server.port`); None is a flag that was not given.
    Raises `Invalid` that names the setting. `file`, when given, must exist.
    """
    values: dict[str, object] = {}
    try:
        # Lowest first: what is merged later wins.
        _merge(values, _read_file(file) if file else {})
        _merge(values, EnvSettingsSource(_Environment)())
        for name, value in overrides.items():
            _merge(values, _nested(name, value))
        return Settings.model_validate(values)
    except ValidationError as error:
        # "from None": a chained pydantic error would print what was put in, passwords too.
        raise _first_problem(error) from None
    except SettingsError as error:
        raise Invalid(field="environment", reason=str(error)) from None


def example_toml() -> str:
    """A configuration file with every setting, its meaning and its default, each commented out.

    As in sshd_config, `# ` begins prose and `#name` a setting, so that removing one `#` activates it.
    """
    head = (
        f"Stratal's settings with their defaults. Each can also be given in the environment: "
        f"{ENVIRONMENT_PREFIX}NODE_NAME, or {ENVIRONMENT_PREFIX}SERVER{_NESTED}PORT for port in [server]."
    )
    lines = [*_prose(head), ""]
    sections: list[str] = []
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, Section):
            sections += [f"[{name}]", *_describe(type(field.default))]
    return "\n".join([*lines, *_describe(Settings), *sections]).rstrip() + "\n"


def _describe(section: type[Section]) -> list[str]:
    lines: list[str] = []
    for name, field in section.model_fields.items():
        if not isinstance(field.default, Section):
            lines += [*_prose(field.description or ""), f"#{name} = {_toml(field.default)}", ""]
    return lines


def _prose(text: str) -> list[str]:
    return textwrap.wrap(text, width=100, initial_indent="# ", subsequent_indent="# ")


def _toml(value: object) -> str:
    """A default in TOML, of which JSON's numbers, booleans, strings and arrays are a part."""
    if value is None:
        value = ""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)


def _read_file(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise Invalid(field=str(file), reason=reason) from None


def _nested(dotted: str, value: object) -> dict[str, object]:
    head, _, rest = dotted.partition(".")
    return {head: _nested(rest, value) if rest else value}


def _merge(into: dict[str, object], over: Mapping[str, object]) -> None:
    for name, value in over.items():
        if isinstance(value, Mapping):
            below = into.get(name)
            # A section is copied, so that nobody's own mapping changes by a later merge.
            section = cast(dict[str, object], below) if isinstance(below, dict) else {}
            _merge(section, cast(Mapping[str, object], value))
            into[name] = section
        elif value is not None:
            into[name] = value


def _first_problem(error: ValidationError) -> Invalid:
    problem = error.errors(include_url=False, include_input=False)[0]
    match problem["type"]:
        case "extra_forbidden":
            reason = "there is no such setting"
        case "model_type":
            reason = "is a section and needs settings of its own"
        case "value_error":
            reason = problem["msg"].removeprefix("Value error, ")
        case _:
            reason = problem["msg"].replace("Input should", "must")
    return Invalid(field=".".join(str(part) for part in problem["loc"]), reason=reason)
