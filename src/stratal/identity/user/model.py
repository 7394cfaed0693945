"""The declaration of users."""

from datetime import datetime
from typing import Annotated, Any

import msgspec

from stratal.kernel.fields import (
    NO_NUL,
    ActionSpec,
    CreateSpec,
    Id,
    Spec,
    Status,
    UpdateSpec,
    count_field,
)
from stratal.kernel.kind import Kind, Reference

Email = Annotated[str, msgspec.Meta(max_length=254, pattern=r"^([^@\s\x00]+@[^@\s\x00]+)?$")]
ClearPassword = Annotated[
    str, msgspec.Meta(max_length=1024, description="In clear: only for a connection that is encrypted.")
]
EncryptedPassword = Annotated[
    str,
    msgspec.Meta(
        max_length=2048, description="Base64 of the password encrypted with the public key `rsa_key_id`."
    ),
]
RsaKeyId = Annotated[str, msgspec.Meta(max_length=64, pattern=NO_NUL, description="From POST /rsa-keys/.")]


class UserSpec(Spec, kw_only=True, omit_defaults=True):
    email: str
    enabled: bool
    #: false while locked out, by an administrator or after repeated failures
    login_allowed: bool
    force_password_change: bool
    default_project_id: int | None = None
    #: the role that the user holds as such, in no project
    role_id: int | None = None


class UserPrivate(msgspec.Struct, kw_only=True):
    """Columns of the spec table that no answer shows."""

    #: argon2id over the SHA-512 of the password
    password_verifier: str
    password_set_at: datetime
    #: whatever the console keeps for this user
    ui_profile: dict[str, Any]


class UserStatus(Status, kw_only=True, omit_defaults=True):
    last_login_at: datetime | None = None
    login_failure_num: int = count_field()
    password_last_update: datetime | None = None
    project_num: int = count_field()


class UserCreate(CreateSpec, kw_only=True, forbid_unknown_fields=True):
    """Either `encrypted_password` with `rsa_key_id`, or `password`."""

    email: Email = ""
    password: ClearPassword | msgspec.UnsetType = msgspec.UNSET
    encrypted_password: EncryptedPassword | msgspec.UnsetType = msgspec.UNSET
    rsa_key_id: RsaKeyId | msgspec.UnsetType = msgspec.UNSET
    enabled: bool = True
    force_password_change: bool = False
    role_id: Id | None = None


class UserUpdate(UpdateSpec, kw_only=True, forbid_unknown_fields=True):
    """A new password for oneself comes with the original one, given in the same way."""

    email: Email | msgspec.UnsetType = msgspec.UNSET
    enabled: bool | msgspec.UnsetType = msgspec.UNSET
    password: ClearPassword | msgspec.UnsetType = msgspec.UNSET
    original_password: ClearPassword | msgspec.UnsetType = msgspec.UNSET
    encrypted_password: EncryptedPassword | msgspec.UnsetType = msgspec.UNSET
    encrypted_original_password: EncryptedPassword | msgspec.UnsetType = msgspec.UNSET
    rsa_key_id: RsaKeyId | msgspec.UnsetType = msgspec.UNSET


class VerifyPassword(ActionSpec, kw_only=True, forbid_unknown_fields=True):
    password: ClearPassword | msgspec.UnsetType = msgspec.UNSET
    encrypted_password: EncryptedPassword | msgspec.UnsetType = msgspec.UNSET
    rsa_key_id: RsaKeyId | msgspec.UnsetType = msgspec.UNSET


class AllowLogin(ActionSpec, kw_only=True, forbid_unknown_fields=True):
    allowed: bool = True


class SetDefaultProject(ActionSpec, kw_only=True, forbid_unknown_fields=True):
    project_id: Id


class SetRole(ActionSpec, kw_only=True, forbid_unknown_fields=True):
    role_id: Id


USER = Kind(
    name="user",
    plural="users",
    type_name="User",
    spec=UserSpec,
    status=UserStatus,
    private=UserPrivate,
    references=(Reference(field="role_id", kind="role"),),
    unique=(("name",),),
)
