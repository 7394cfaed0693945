"""The declaration of block-storage policies. Called by the service, the reconciler and the faces."""

from enum import StrEnum
from typing import Annotated, Final

import msgspec

from stratal.kernel.fields import CreateSpec, Id, Spec, Status, UpdateSpec, count_field
from stratal.kernel.kind import Kind, Profile

DEFAULT_CHAIN_LIMIT: Final = 16

MOST_IOPS: Final = 10_000_000
LEAST_IOPS: Final = 1_000
MOST_BYTES_PER_SECOND: Final = 100 * 2**30
LEAST_BYTES_PER_SECOND: Final = 100 * 2**20


class ReplicaType(StrEnum):
    REPLICA = "replica"
    EC = "ec"


class PoolStatus(StrEnum):
    """What the place of a policy was like when it was last asked."""

    HEALTHY = "healthy"
    UNAVAILABLE = "unavailable"


Driver = Annotated[
    str, msgspec.Meta(min_length=1, max_length=32, description="What holds the layers: qcow2 or rbd.")
]
Place = Annotated[
    str,
    msgspec.Meta(
        max_length=512,
        pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)",
        description="A directory for qcow2, a pool or pool/namespace for rbd. Empty: the driver's default.",
    ),
]
ReplicaNum = Annotated[int, msgspec.Meta(ge=1, le=10, description="Copies of the data.")]
CacheReplicaNum = Annotated[int, msgspec.Meta(ge=0, le=10, description="Copies in the cache tier.")]
CacheEnabled = Annotated[bool, msgspec.Meta(description="Whether a cache tier stands before the data.")]
ThinProvisioned = Annotated[
    bool,
    msgspec.Meta(
        description="Volumes take only what was written. If not, their sizes never exceed the capacity."
    ),
]
ChainLimit = Annotated[
    int,
    msgspec.Meta(
        ge=2, le=1000, description="Layers that a read may go through. Deeper chains are collapsed."
    ),
]
Iops = Annotated[
    int,
    msgspec.Meta(
        ge=0,
        le=MOST_IOPS,
        description=f"Operations per second: 0 for no limit, or from {LEAST_IOPS} on.",
    ),
]
BytesPerSecond = Annotated[
    int,
    msgspec.Meta(
        ge=0,
        le=MOST_BYTES_PER_SECOND,
        description=f"Bytes per second: 0 for no limit, or from {LEAST_BYTES_PER_SECOND} on.",
    ),
]
Overcommit = Annotated[
    float,
    msgspec.Meta(
        ge=0, le=10_000, description="The sizes of all volumes, over the capacity, at most; 0 for no limit."
    ),
]


class BsPolicySpec(Spec, kw_only=True, omit_defaults=True):
    """What is wanted of a policy."""

    driver: Driver
    place: Place
    data_replica_type: ReplicaType
    data_replica_num: ReplicaNum
    cache_enabled: CacheEnabled
    cache_replica_num: CacheReplicaNum
    pool_id: Annotated[int | None, msgspec.Meta(description="The storage cluster's pool behind it.")] = None
    thin_provisioned: ThinProvisioned
    chain_limit: ChainLimit
    max_total_iops: Iops
    max_total_bw_bps: BytesPerSecond
    overcommit: Overcommit


class BsPolicyStatus(Status, kw_only=True, omit_defaults=True):
    """What is observed of a policy and its place."""

    bs_volume_num: Annotated[int, msgspec.Meta(description="Volumes that use it.")] = count_field()
    total_byte: Annotated[int, msgspec.Meta(description="Capacity of the place.")] = count_field()
    used_byte: Annotated[int, msgspec.Meta(description="Of that, what is used.")] = count_field()
    allocated_byte: Annotated[int, msgspec.Meta(description="Sizes of its volumes together.")] = count_field()
    pool_status: PoolStatus | None = None
    problem: Annotated[str | None, msgspec.Meta(description="Why the place is unavailable.")] = None


class BsPolicyCreate(CreateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client says of a new policy."""

    driver: Driver | msgspec.UnsetType = msgspec.UNSET
    place: Place = ""
    data_replica_type: ReplicaType = ReplicaType.REPLICA
    data_replica_num: ReplicaNum | msgspec.UnsetType = msgspec.UNSET
    cache_enabled: CacheEnabled = False
    cache_replica_num: CacheReplicaNum = 0
    pool_id: Id | None = None
    thin_provisioned: ThinProvisioned = True
    chain_limit: ChainLimit = DEFAULT_CHAIN_LIMIT
    max_total_iops: Iops = 0
    max_total_bw_bps: BytesPerSecond = 0
    overcommit: Overcommit = 0.0


class BsPolicyUpdate(UpdateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client may change of a policy. Limits of speed are defaults for volumes made from then on."""

    chain_limit: ChainLimit | msgspec.UnsetType = msgspec.UNSET
    max_total_iops: Iops | msgspec.UnsetType = msgspec.UNSET
    max_total_bw_bps: BytesPerSecond | msgspec.UnsetType = msgspec.UNSET
    overcommit: Overcommit | msgspec.UnsetType = msgspec.UNSET


class BsPolicySummaryItem(msgspec.Struct, frozen=True, kw_only=True):
    """One policy at a glance."""

    id: int
    name: str
    total_byte: int
    used_byte: int
    allocated_byte: int
    bs_volume_num: int


class BsPolicySummary(msgspec.Struct, frozen=True, kw_only=True):
    """All policies at a glance."""

    items: list[BsPolicySummaryItem]


BS_POLICY = Kind(
    name="bs_policy",
    plural="bs-policies",
    type_name="BsPolicy",
    spec=BsPolicySpec,
    status=BsPolicyStatus,
    profile=Profile.CATALOGUE,
    unique=(("name",),),
)
