"""The bodies of the token calls."""

from datetime import datetime

import msgspec

from stratal.identity.user.model import ClearPassword, EncryptedPassword, RsaKeyId
from stratal.kernel.fields import ActionSpec, Id, Name


class Login(ActionSpec, kw_only=True, forbid_unknown_fields=True):
    """Either `encrypted_password` with `rsa_key_id`, or `password`."""

    name: Name
    password: ClearPassword | msgspec.UnsetType = msgspec.UNSET
    encrypted_password: EncryptedPassword | msgspec.UnsetType = msgspec.UNSET
    rsa_key_id: RsaKeyId | msgspec.UnsetType = msgspec.UNSET
    #: the project that the token is for; without it, the user's default project, if there is one
    project_id: Id | msgspec.UnsetType = msgspec.UNSET


class Reauth(ActionSpec, kw_only=True, forbid_unknown_fields=True):
    project_id: Id


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A token that was just made, and whose it is."""

    uuid: str
    expires: datetime
    user_id: int
    roles: list[str]
    project_id: int | None


class TokenDetail(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to say of a token that was presented."""

    user_id: int
    user_name: str
    project_id: int | None
    roles: list[str]
    issued: datetime
    expires: datetime
