"""A systemd unit for the server. Printed by `stratal up --systemd-unit`."""

import shlex
import sys
from pathlib import Path

_UNIT = """\
# Stratal, printed by `stratal up --systemd-unit`. To install it:
#
#   stratal up --systemd-unit > /etc/systemd/system/stratal.service
#   systemctl daemon-reload && systemctl enable --now stratal

[Unit]
Description=Stratal software-defined data centre
Wants=network-online.target
After=network-online.target time-sync.target libvirtd.service postgresql.service

[Service]
Type=exec
ExecStart={command}
Restart=on-failure
RestartSec=2
# Guests and what serves their disks outlive the server: only the server itself is told to stop.
KillMode=process
KillSignal=SIGTERM
TimeoutStopSec={stop_seconds}
LimitNOFILE=65536
UMask=0077

[Install]
WantedBy=multi-user.target
"""


def systemd_unit(config: Path, shutdown_seconds: float) -> str:
    """The unit's text. Restarting it touches no guest."""
    program = Path(sys.argv[0])
    # the script that was called, if it is one that can be called again from anywhere
    command = [str(program.absolute())] if program.name == "stratal" else [sys.executable, "-m", "stratal"]
    command += ["up", "--config", str(config.absolute())]
    # systemd takes % for a specifier and $ for a variable
    words = [shlex.quote(word).replace("%", "%%").replace("$", "$$") for word in command]
    return _UNIT.format(command=" ".join(words), stop_seconds=int(shutdown_seconds) + 15)
