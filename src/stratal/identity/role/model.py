"""The declaration of roles."""

from typing import Literal

from stratal.kernel.fields import Spec, Status
from stratal.kernel.kind import Kind, Profile


class RoleSpec(Spec, kw_only=True, omit_defaults=True):
    #: cluster: held by a user as such; project: held in a project
    scope: Literal["cluster", "project"]
    #: what the role allows, as kind:verb; a kind without entries goes by its profile's
    permissions: list[str]


class RoleStatus(Status, kw_only=True, omit_defaults=True):
    pass


ROLE = Kind(
    name="role",
    plural="roles",
    type_name="Role",
    spec=RoleSpec,
    status=RoleStatus,
    profile=Profile.CATALOGUE,
    unique=(("name",),),
)
