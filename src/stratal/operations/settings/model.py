"""The declaration of the installation's settings, and the table that keeps those that were changed.

Called by the service and the faces. A setting is a field of `Settings`: its type and bounds, its default,
its description. What a process is told at its start (addresses, files, the database) is not here but in
the kernel's settings.
"""

import typing
from typing import Annotated, Any

import msgspec
from sqlalchemy import Column, Table, Text

from stratal.kernel.columns import JsonColumn, UtcTime
from stratal.kernel.fields import Name
from stratal.kernel.tables import METADATA

DAYS_MAX = 3650
HostName = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=253,
        pattern=r"^[A-Za-z0-9:]([A-Za-z0-9.:-]*[A-Za-z0-9:])?$(?!\n)",  # $ alone lets a newline follow
        description="A host name or an address.",
    ),
]


def _default_ntp_servers() -> list[HostName]:
    return []


class Settings(msgspec.Struct, kw_only=True):
    """What administrators can set while the installation runs."""

    cluster_name: Annotated[Name, msgspec.Meta(description="What the installation is called.")] = "stratal"
    overcommit_cpu: Annotated[
        float,
        msgspec.Meta(ge=1, le=64, description="Virtual CPUs that are promised per logical CPU of a node."),
    ] = 4.0
    overcommit_memory: Annotated[
        float,
        msgspec.Meta(
            ge=1,
            le=8,
            description="Memory that is promised per memory of a node. "
            "Above 1, guests that use what they were promised make the node swap.",
        ),
    ] = 1.0
    overcommit_storage: Annotated[
        float,
        msgspec.Meta(ge=1, le=100, description="Size of volumes that is promised per capacity of a pool."),
    ] = 4.0
    ha_enabled: Annotated[
        bool, msgspec.Meta(description="Whether machines of a lost node are started on another one.")
    ] = True
    session_timeout: Annotated[
        int, msgspec.Meta(ge=60, le=2_592_000, description="Seconds that a token is valid for.")
    ] = 28_800
    max_login_failures: Annotated[
        int, msgspec.Meta(ge=1, le=1000, description="Failed logins in a row that lock a user out.")
    ] = 5
    login_lockout_seconds: Annotated[
        int, msgspec.Meta(ge=1, le=604_800, description="How long a user who was locked out stays so.")
    ] = 900
    event_reserved_days: Annotated[
        int, msgspec.Meta(ge=1, le=DAYS_MAX, description="Days that events are kept.")
    ] = 90
    audit_log_reserved_days: Annotated[
        int, msgspec.Meta(ge=1, le=DAYS_MAX, description="Days that audit logs are kept.")
    ] = 365
    stats_reserved_days: Annotated[
        int, msgspec.Meta(ge=1, le=DAYS_MAX, description="Days that samples of metrics are kept.")
    ] = 30
    ntp_servers: Annotated[
        list[HostName], msgspec.Meta(max_length=16, description="Time servers of the nodes.")
    ] = msgspec.field(default_factory=_default_ntp_servers)


class SettingsView(msgspec.Struct, kw_only=True):
    """The settings as they are shown: every one with its value, whether or not it was ever changed."""

    settings: Settings


def _patch_of(settings: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """The same fields, any of which may be absent, and no others."""
    hints = typing.get_type_hints(settings, include_extras=True)
    fields: list[tuple[str, Any, Any]] = [
        (name, hints[name] | msgspec.UnsetType, msgspec.UNSET) for name in settings.__struct_fields__
    ]
    patch = msgspec.defstruct(
        "SettingsUpdate", fields, kw_only=True, forbid_unknown_fields=True, module=__name__
    )
    patch.__doc__ = "The settings to change. What is absent stays as it is."
    return patch


SettingsUpdate = _patch_of(Settings)

SETTING = Table(
    "setting",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("value", JsonColumn(Any), nullable=False),
    Column("updated_at", UtcTime, nullable=False),
)
