"""The configuration file of a server that is run for real: where it is, and how it is first written."""

import json
import os
import re
from pathlib import Path

from stratal.cli.client.contexts import replace_private
from stratal.kernel.errors import Conflict, Unavailable
from stratal.kernel.settings import example_toml

_DATA_DIRECTORY = re.compile(r"^#data_directory = .*$", re.MULTILINE)


def default_file() -> Path:
    """Where the file is looked for: the system's for root, else one's own."""
    if os.geteuid() == 0:
        return Path("/etc/stratal/stratal.toml")
    return _xdg("XDG_CONFIG_HOME", ".config") / "stratal" / "stratal.toml"


def default_data_directory() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/stratal")
    return _xdg("XDG_DATA_HOME", ".local/share") / "stratal"


def write(file: Path, data_directory: Path | None, *, force: bool = False) -> None:
    """Write every setting with its meaning and default; for its owner alone, as it may hold a password.

    Raises Conflict if there is a file, unless forced; Unavailable if it cannot be written.
    """
    if file.exists() and not force:
        raise Conflict(reason=f"{file} is there already, and may have been changed")
    directory = (data_directory or default_data_directory()).absolute()
    line = f"data_directory = {json.dumps(str(directory), ensure_ascii=False)}"
    text = _DATA_DIRECTORY.sub(lambda _: line, example_toml(), count=1)
    try:
        file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        replace_private(file, text.encode())
    except OSError as error:
        raise Unavailable(reason=f"{file} cannot be written: {error.strerror}") from error


def _xdg(variable: str, otherwise: str) -> Path:
    base = os.environ.get(variable) or ""
    return Path(base) if os.path.isabs(base) else Path.home() / otherwise
