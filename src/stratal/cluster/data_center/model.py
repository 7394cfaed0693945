"""The declaration of data centres. Called by the service, the reconciler and the faces."""

from typing import Annotated

import msgspec

from stratal.cluster.topology import TopologyStatus
from stratal.kernel.fields import CreateSpec, Spec, UpdateSpec
from stratal.kernel.kind import Kind

IsWitness = Annotated[
    bool | None, msgspec.Meta(description="Whether this is the witness site of a stretched cluster.")
]


class DataCenterSpec(Spec, kw_only=True, omit_defaults=True):
    """What is wanted of a data centre."""

    is_witness: IsWitness = None


class DataCenterStatus(TopologyStatus, kw_only=True, omit_defaults=True):
    """What is observed of a data centre. Its children are rooms."""


class DataCenterCreate(CreateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client says of a new data centre."""

    is_witness: IsWitness = None


class DataCenterUpdate(UpdateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client may change of a data centre."""

    is_witness: IsWitness | msgspec.UnsetType = msgspec.UNSET


DATA_CENTER = Kind(
    name="data_center",
    plural="data-centers",
    type_name="DataCenter",
    spec=DataCenterSpec,
    status=DataCenterStatus,
    unique=(("name",),),
)
