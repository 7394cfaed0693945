"""The declaration of label keys. Called by the service, the reconciler and the faces."""

from typing import Annotated

import msgspec

from stratal.kernel.fields import CreateSpec, Status, TenantSpec, count_field
from stratal.kernel.kind import Kind


class LabelKeySpec(TenantSpec, kw_only=True, omit_defaults=True):
    """What is wanted of a label key. Its name is shown with every label of it, and never changes."""


class LabelKeyStatus(Status, kw_only=True, omit_defaults=True):
    """What is observed of a label key."""

    label_value_num: Annotated[int, msgspec.Meta(description="Values that the key has.")] = count_field()


class LabelKeyCreate(CreateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client says of a new label key."""


LABEL_KEY = Kind(
    name="label_key",
    plural="label-keys",
    type_name="LabelKey",
    spec=LabelKeySpec,
    status=LabelKeyStatus,
    unique=(("project_id", "name"),),
)
