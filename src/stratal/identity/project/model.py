"""The declaration of projects."""

import msgspec

from stratal.kernel.fields import ActionSpec, Count, CreateSpec, Id, Spec, Status, UpdateSpec, count_field
from stratal.kernel.kind import Kind


class ProjectSpec(Spec, kw_only=True, omit_defaults=True):
    enabled: bool
    #: vCPUs that the project's machines may have together; 0: no limit
    cpu_quota: int
    memory_mb_quota: int
    storage_mb_quota: int


class ProjectStatus(Status, kw_only=True, omit_defaults=True):
    user_num: int = count_field()
    vm_num: int = count_field()
    used_cpu: int = count_field()
    used_memory_mb: int = count_field()
    used_storage_mb: int = count_field()


class ProjectCreate(CreateSpec, kw_only=True, forbid_unknown_fields=True):
    cpu_quota: Count = 0
    memory_mb_quota: Count = 0
    storage_mb_quota: Count = 0


class ProjectUpdate(UpdateSpec, kw_only=True, forbid_unknown_fields=True):
    enabled: bool | msgspec.UnsetType = msgspec.UNSET
    cpu_quota: Count | msgspec.UnsetType = msgspec.UNSET
    memory_mb_quota: Count | msgspec.UnsetType = msgspec.UNSET
    storage_mb_quota: Count | msgspec.UnsetType = msgspec.UNSET


class AddUser(ActionSpec, kw_only=True, forbid_unknown_fields=True):
    user_id: Id
    role_id: Id


class RemoveUser(ActionSpec, kw_only=True, forbid_unknown_fields=True):
    user_id: Id


PROJECT = Kind(
    name="project",
    plural="projects",
    type_name="Project",
    spec=ProjectSpec,
    status=ProjectStatus,
    unique=(("name",),),
)
