"""The declaration of images. Called by the service, the reconciler and the faces."""

from enum import StrEnum
from typing import Annotated, ClassVar, Final

import msgspec

from stratal.kernel.fields import (
    INT64_MAX,
    CreateSpec,
    Id,
    Status,
    TenantSpec,
    UpdateSpec,
    count_field,
)
from stratal.kernel.kind import Kind, Reference
from stratal.storage.foreign import ImportPath, InPlace, RbdImage
from stratal.storage.images import ImageFormat

CHECKSUM: Final = r"^((sha256:)?[0-9A-Fa-f]{64}|(md5:)?[0-9A-Fa-f]{32})$(?!\n)"


class ImageType(StrEnum):
    DISK = "disk"
    ISO = "iso"


class UploadState(StrEnum):
    """How far the content of an image is."""

    #: nothing has arrived yet
    WAITING = "waiting"
    #: some of it is here
    UPLOADING = "uploading"
    #: all of it is here, and is checked and put where images are kept
    CONVERTING = "converting"
    FINISHED = "finished"
    #: it was refused and thrown away; `problem` says why, and another upload may begin
    FAILED = "failed"


OsReleaseId = Annotated[Id, msgspec.Meta(description="The guest's operating system.")]
SizeByte = Annotated[
    int, msgspec.Meta(ge=0, le=INT64_MAX, description="Bytes that will be uploaded; 0 for not known yet.")
]
Checksum = Annotated[
    str,
    msgspec.Meta(
        pattern=CHECKSUM,
        description="Of what is uploaded: sha256:<64 hex digits>, or a plain SHA-256 or MD5 in hex digits.",
    ),
]
Shared = Annotated[bool, msgspec.Meta(description="Whether all projects may use it.")]


class VmImageSpec(TenantSpec, kw_only=True, omit_defaults=True):
    """What is wanted of an image."""

    type: ImageType
    format: Annotated[
        ImageFormat, msgspec.Meta(description="What is uploaded; it is kept as the policy does.")
    ]
    os_release_id: OsReleaseId | None = None
    size_byte: SizeByte
    checksum: Checksum | None = None
    bs_policy_id: Annotated[Id, msgspec.Meta(description="The policy that says where it is kept.")]
    shared: Shared
    bs_snap_id: Annotated[
        int | None, msgspec.Meta(description="The volume snapshot that it was made of, which may be gone.")
    ] = None
    vm_snap_id: Annotated[
        int | None, msgspec.Meta(description="The snapshot of a machine that it was made of.")
    ] = None


class VmImageStatus(Status, kw_only=True, omit_defaults=True):
    """What is observed of an image."""

    not_compared: ClassVar[frozenset[str]] = frozenset({"size_byte", "checksum"})

    upload_state: UploadState = msgspec.field(default_factory=lambda: UploadState.WAITING)
    uploaded_byte: Annotated[
        int, msgspec.Meta(description="Bytes that have arrived for good: the next chunk begins here.")
    ] = count_field()
    size_byte: Annotated[int, msgspec.Meta(description="The disk in it, as a guest sees it.")] = count_field()
    checksum: Annotated[
        str | None, msgspec.Meta(description="Of what was uploaded: sha256:<64 hex digits>.")
    ] = None
    allocated_size_byte: Annotated[int, msgspec.Meta(description="Bytes that go away with it.")] = (
        count_field()
    )
    ref_num: Annotated[int, msgspec.Meta(description="Volumes that share its data.")] = count_field()
    problem: Annotated[str | None, msgspec.Meta(description="Why it is not as it shall be.")] = None


class VmImagePrivate(msgspec.Struct, kw_only=True):
    """What only the intake of images needs to know. See `intake`."""

    #: bytes that have arrived and are safe from a crash
    arrived_byte: int = 0
    #: bytes that the uploads so far said there are; 0: none did
    expected_byte: int = 0
    #: all of it has arrived
    complete: bool = False
    #: the SHA-256 of what arrived, in hex digits
    sha256: str = ""
    #: why what arrived was refused
    refusal: str = ""
    #: the file it comes from, for an image that is not uploaded
    import_path: str = ""
    #: whether that file itself becomes the image
    in_place: bool = False


class VmImageCreate(CreateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client says of a new image: one that will be uploaded, unless it names where it comes from."""

    type: ImageType = ImageType.DISK
    format: ImageFormat | msgspec.UnsetType = msgspec.UNSET
    os_release_id: OsReleaseId | None = None
    size_byte: SizeByte = 0
    checksum: Checksum | None = None
    bs_policy_id: Id | msgspec.UnsetType = msgspec.UNSET
    shared: Shared = False
    bs_snap_id: Annotated[Id, msgspec.Meta(description="Make it of this volume snapshot.")] | None = None
    vm_snap_id: (
        Annotated[Id, msgspec.Meta(description="Make it of the boot disk in this snapshot of a machine.")]
        | None
    ) = None
    vm_disk_snap_id: (
        Annotated[Id, msgspec.Meta(description="Make it of this disk in a snapshot of a machine.")] | None
    ) = None
    path: ImportPath | None = None
    rbd_image: RbdImage | None = None
    in_place: InPlace = False


class VmImageUpdate(UpdateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client may change of an image."""

    os_release_id: OsReleaseId | msgspec.UnsetType | None = msgspec.UNSET
    shared: Shared | msgspec.UnsetType = msgspec.UNSET


VM_IMAGE = Kind(
    name="vm_image",
    plural="vm-images",
    type_name="VmImage",
    spec=VmImageSpec,
    status=VmImageStatus,
    private=VmImagePrivate,
    references=(
        Reference(field="os_release_id", kind="os_release"),
        Reference(field="bs_policy_id", kind="bs_policy"),
        Reference(field="bs_snap_id", kind="bs_snap", weak=True),
        Reference(field="vm_snap_id", kind="vm_snap", weak=True),
    ),
    shared_by="shared",
)
