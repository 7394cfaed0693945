"""The password that consoles ask for: read out of a request, checked, compared.

Consoles need the password itself, so the database keeps it as it is, in a column that no answer, audit row,
event or log line shows.
"""

import hmac
import re
import secrets
from collections.abc import Callable
from typing import Final

import msgspec

from stratal.kernel.errors import Invalid

MOST_CHARACTERS: Final = 8
"""What VNC's authentication looks at: its key is eight bytes."""

_PRINTABLE: Final = re.compile(r"[ -~]*", re.ASCII)

Optional = str | msgspec.UnsetType

Decrypt = Callable[[str, str], str | None]
"""The text that was encrypted with the key of this id; None: nobody is told why not."""


def read_password(
    decrypt: Decrypt, clear: Optional, encrypted: Optional, key_id: Optional, *, field: str
) -> str | None:
    """The password of a request, however it came; None where there is none.

    `field` is the name of the clear one. Takes the time of an RSA decryption. Raises Invalid.
    """
    if encrypted is msgspec.UNSET and key_id is msgspec.UNSET:
        return clear if isinstance(clear, str) else None
    if not (isinstance(encrypted, str) and isinstance(key_id, str) and clear is msgspec.UNSET):
        raise Invalid(
            field=f"spec.{field}", reason=f"needs either {field}, or encrypted_{field} with rsa_key_id"
        )
    found = decrypt(key_id, encrypted)
    if found is None:
        raise Invalid(
            field=f"spec.encrypted_{field}",
            reason="cannot be decrypted with the key rsa_key_id; get a new key",
        )
    return found


def check_password(password: str) -> None:
    """Raises Invalid for a password of which a console would only see a part, or which nobody can type."""
    field = "spec.graphics_password"
    if len(password) > MOST_CHARACTERS:
        raise Invalid(
            field=field,
            reason=f"is longer than {MOST_CHARACTERS} characters: VNC would let in whoever knows the first"
            f" {MOST_CHARACTERS}",
        )
    if not _PRINTABLE.fullmatch(password):
        raise Invalid(field=field, reason="may hold printable ASCII characters only")


def matches(password: str, given: str) -> bool:
    """Whether this is the password. Takes as long either way, and however long the password is; none was set:
    nothing matches."""
    key = secrets.token_bytes(32)
    expected = password or secrets.token_hex(MOST_CHARACTERS)
    digests = [hmac.digest(key, text.encode("utf-8", "replace"), "sha256") for text in (expected, given)]
    return hmac.compare_digest(digests[0], digests[1])
