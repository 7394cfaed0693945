"""The declaration of label values. Called by the service, the reconciler and the faces."""

from typing import Annotated

import msgspec

from stratal.kernel.fields import ActionSpec, CreateSpec, Id, Status, TenantSpec, count_field
from stratal.kernel.kind import Kind, Reference
from stratal.kernel.labels import VALUE_KIND

LabelKeyId = Annotated[Id, msgspec.Meta(description="The key that this is a value of.")]


class LabelValueSpec(TenantSpec, kw_only=True, omit_defaults=True):
    """What is wanted of a label value. Its name is shown with every label of it, and never changes."""

    label_key_id: LabelKeyId


class LabelValueStatus(Status, kw_only=True, omit_defaults=True):
    """What is observed of a label value."""

    resource_num: Annotated[int, msgspec.Meta(description="Resources that the value is attached to.")] = (
        count_field()
    )


class LabelValueCreate(CreateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client says of a new label value."""

    label_key_id: LabelKeyId


class Labelling(ActionSpec, kw_only=True, forbid_unknown_fields=True):
    """Resources that a label value is attached to, or detached from."""

    resource_type: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=64,
            description="The kind of the resources, such as data_center; data-centers is understood too.",
        ),
    ]
    resource_ids: Annotated[
        list[Id], msgspec.Meta(min_length=1, max_length=1000, description="Resources of this kind.")
    ]


LABEL_VALUE = Kind(
    name=VALUE_KIND,
    plural="label-values",
    type_name="LabelValue",
    spec=LabelValueSpec,
    status=LabelValueStatus,
    references=(Reference(field="label_key_id", kind="label_key"),),
    unique=(("label_key_id", "name"),),
)
