"""The declaration of OS releases. Called by the service, the reconciler and the faces."""

from enum import StrEnum
from typing import Annotated

import msgspec

from stratal.kernel.fields import Spec, Status
from stratal.kernel.kind import Kind, Profile


class OsType(StrEnum):
    LINUX = "linux"
    WINDOWS = "windows"
    OTHER = "other"


class Bios(StrEnum):
    BIOS = "bios"
    UEFI = "uefi"


class OsReleaseSpec(Spec, kw_only=True, omit_defaults=True):
    """What is known of a release, and what suits a guest of it."""

    type: OsType
    distribution: Annotated[str, msgspec.Meta(description="Such as debian or windows-server.")]
    version: str
    arch: Annotated[str, msgspec.Meta(description="x86_64 or aarch64.")]
    min_memory_mb: Annotated[int, msgspec.Meta(description="MiB below which it does not work well.")]
    default_bios: Bios
    default_disk_bus: Annotated[str, msgspec.Meta(description="virtio, sata or ide.")]
    default_nic_model: Annotated[str, msgspec.Meta(description="virtio or e1000.")]


class OsReleaseStatus(Status, kw_only=True, omit_defaults=True):
    """Nothing is observed of a release."""


OS_RELEASE = Kind(
    name="os_release",
    plural="os-releases",
    type_name="OsRelease",
    spec=OsReleaseSpec,
    status=OsReleaseStatus,
    profile=Profile.CATALOGUE,
    unique=(("distribution", "version", "arch"),),
)
