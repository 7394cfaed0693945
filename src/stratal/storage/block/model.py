"""The rows of this package. Called by its services and views."""

from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text, UniqueConstraint

from stratal.kernel.columns import JsonColumn, UtcTime
from stratal.kernel.tables import METADATA

UNNAMED: Final = "(unnamed)"
"""The name of a volume or snapshot that its maker gave none: OpenStack has those, Stratal has not."""

GIB: Final = 2**30
MB_PER_GB: Final = 1024


def _id(name: str) -> Column[Any]:
    return Column(name, BigInteger, primary_key=True, autoincrement=False)


#: one row per volume that was made or touched through these dialects
VOLUME_TRAITS: Final = Table(
    "volume_traits",
    METADATA,
    _id("volume_id"),
    Column("metadata", JsonColumn(dict[str, str]), nullable=False),
    Column("image_metadata", JsonColumn(dict[str, str]), nullable=False),
    # Huawei's, beside the metadata
    Column("tags", JsonColumn(dict[str, str]), nullable=False),
    Column("bootable", Boolean, nullable=False),
    Column("multiattach", Boolean, nullable=False),
    # a status that holds until the next call changes it: `attaching`, or what an administrator set
    Column("condition", Text),
    Column("source_volume_id", BigInteger),
    Column("user_id", BigInteger),
    Column("group_uuid", Text),
)
Index("ix_volume_traits_group_uuid", VOLUME_TRAITS.c.group_uuid)

SNAPSHOT_TRAITS: Final = Table(
    "snapshot_traits",
    METADATA,
    _id("snapshot_id"),
    Column("metadata", JsonColumn(dict[str, str]), nullable=False),
    Column("tags", JsonColumn(dict[str, str]), nullable=False),
    Column("condition", Text),
    Column("user_id", BigInteger),
    Column("group_snapshot_uuid", Text),
)
Index("ix_snapshot_traits_group_snapshot_uuid", SNAPSHOT_TRAITS.c.group_snapshot_uuid)

ATTACHMENT: Final = Table(
    "volume_attachment",
    METADATA,
    Column("uuid", Text, primary_key=True),
    Column("volume_id", BigInteger, nullable=False),
    Column("project_id", BigInteger, nullable=False),
    # the machine as its caller names it; not one of this Stratal's, which have their own disks
    Column("instance_uuid", Text),
    Column("host_name", Text),
    Column("mountpoint", Text),
    Column("mode", Text, nullable=False),
    # reserved, attaching, attached
    Column("status", Text, nullable=False),
    Column("connector", JsonColumn(dict[str, Any])),
    Column("created_at", UtcTime, nullable=False),
    Column("attached_at", UtcTime),
)
Index("ix_volume_attachment_volume_id", ATTACHMENT.c.volume_id)
Index("ix_volume_attachment_project_id", ATTACHMENT.c.project_id)

TRANSFER: Final = Table(
    "volume_transfer",
    METADATA,
    Column("uuid", Text, primary_key=True),
    Column("volume_id", BigInteger, nullable=False, unique=True),
    Column("project_id", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    # SHA-256 of the key: it has 128 random bits
    Column("digest", Text, nullable=False),
    Column("no_snapshots", Boolean, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)
Index("ix_volume_transfer_project_id", TRANSFER.c.project_id)

#: what types have beside what their policy has
TYPE_TRAITS: Final = Table(
    "volume_type_traits",
    METADATA,
    _id("bs_policy_id"),
    Column("is_public", Boolean, nullable=False),
    Column("extra_specs", JsonColumn(dict[str, str]), nullable=False),
    Column("qos_uuid", Text),
    # how its volumes are to be encrypted: kept, and no volume is made that would not be
    Column("encryption", JsonColumn(dict[str, Any])),
    # no new volumes, and why
    Column("disabled", Boolean, nullable=False),
    Column("disabled_reason", Text),
)

TYPE_ACCESS: Final = Table(
    "volume_type_access",
    METADATA,
    _id("bs_policy_id"),
    _id("project_id"),
)

#: the type of volumes whose makers in a project name none
DEFAULT_TYPE: Final = Table(
    "volume_default_type",
    METADATA,
    _id("project_id"),
    Column("bs_policy_id", BigInteger, nullable=False),
)

QOS: Final = Table(
    "volume_qos",
    METADATA,
    Column("uuid", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("consumer", Text, nullable=False),
    Column("specs", JsonColumn(dict[str, str]), nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

#: limits of numbers; the limit of gigabytes is the project's own. -1: none
LIMITS: Final = Table(
    "volume_limits",
    METADATA,
    _id("project_id"),
    Column("volumes", Integer, nullable=False),
    Column("snapshots", Integer, nullable=False),
    Column("per_volume_gigabytes", Integer, nullable=False),
    Column("groups", Integer, nullable=False),
)

#: what a request was about, so that its job can be looked up: how far it is, its volumes say
JOB: Final = Table(
    "volume_job",
    METADATA,
    Column("uuid", Text, primary_key=True),
    Column("project_id", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("volume_ids", JsonColumn(list[int]), nullable=False),
    # that the request may be repeated by the name its client gave it
    Column("client_token", Text),
    Column("created_at", UtcTime, nullable=False),
    UniqueConstraint("project_id", "client_token"),
)

GROUP_TYPE: Final = Table(
    "volume_group_type",
    METADATA,
    Column("uuid", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("description", Text),
    Column("is_public", Boolean, nullable=False),
    Column("specs", JsonColumn(dict[str, str]), nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

GROUP: Final = Table(
    "volume_group",
    METADATA,
    Column("uuid", Text, primary_key=True),
    Column("project_id", BigInteger, nullable=False),
    Column("name", Text),
    Column("description", Text),
    Column("group_type_uuid", Text, nullable=False),
    Column("policy_ids", JsonColumn(list[int]), nullable=False),
    # what it was copied from, which may be gone
    Column("source_group_uuid", Text),
    Column("group_snapshot_uuid", Text),
    # what an administrator says that the status is
    Column("condition", Text),
    Column("created_at", UtcTime, nullable=False),
)
Index("ix_volume_group_project_id", GROUP.c.project_id)

GROUP_SNAPSHOT: Final = Table(
    "volume_group_snapshot",
    METADATA,
    Column("uuid", Text, primary_key=True),
    Column("project_id", BigInteger, nullable=False),
    # none: of volumes that were named one by one, as Huawei's snapshot groups are
    Column("group_uuid", Text),
    Column("name", Text),
    Column("description", Text),
    Column("tags", JsonColumn(dict[str, str]), nullable=False),
    Column("server_uuid", Text),
    Column("condition", Text),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
)
Index("ix_volume_group_snapshot_project_id", GROUP_SNAPSHOT.c.project_id)
Index("ix_volume_group_snapshot_group_uuid", GROUP_SNAPSHOT.c.group_uuid)

#: what was deleted and is kept for a while, as its project wants it
RECYCLED: Final = Table(
    "volume_recycled",
    METADATA,
    _id("volume_id"),
    Column("project_id", BigInteger, nullable=False),
    Column("recycled_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
)
Index("ix_volume_recycled_project_id", RECYCLED.c.project_id)
Index("ix_volume_recycled_expires_at", RECYCLED.c.expires_at)

RECYCLE_POLICY: Final = Table(
    "volume_recycle_policy",
    METADATA,
    _id("project_id"),
    Column("switch", Boolean, nullable=False),
    # days: how old a volume is at least, and how long it is kept
    Column("threshold_time", Integer, nullable=False),
    Column("keep_time", Integer, nullable=False),
)

#: events that somebody does not want to see as a message any more
DISMISSED: Final = Table("volume_message_dismissed", METADATA, _id("event_id"))
