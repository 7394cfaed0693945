"""RSA key pairs under which clients encrypt passwords on their way to the server.

The RSA key service mints, stores and hands them out; logins and writers of password fields decrypt.
There must be no padding oracle (Bleichenbacher, Manger): whoever sends a ciphertext must not learn whether
it was well padded. So every failure is the one `Undecryptable`; all paddings are always tried, in the same
time; and a caller answers as to a wrong password, after the same work (`Verifiers.matches_clear(None, …)`).
"""

import base64
import binascii
from typing import Self

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

_BITS = 2048
_PUBLIC_EXPONENT = 65537

# JSEncrypt before 3.0.3 drops the leading zero bytes of a ciphertext (its issues 158 and 203), which hits
# one login in 256. More than four of them is one in 2^40: that is no ciphertext of this key.
_MAX_DROPPED_BYTES = 4


def _oaep(algorithm: hashes.HashAlgorithm) -> padding.OAEP:
    return padding.OAEP(mgf=padding.MGF1(algorithm), algorithm=algorithm, label=None)


# The order decides. OAEP proves itself by its hash, so a wrong guess fails. PKCS#1 v1.5 proves nothing: with
# OpenSSL's implicit rejection a badly padded ciphertext decrypts to made-up bytes and does not fail (which
# is what closes the oracle). Tried first it would swallow every OAEP ciphertext, so it comes last.
_PADDINGS: tuple[padding.AsymmetricPadding, ...] = (
    _oaep(hashes.SHA256()),
    _oaep(hashes.SHA1()),  # noqa: S303 - OAEP does not rest on collision resistance; many clients' default
    padding.PKCS1v15(),
)


class Undecryptable(Exception):
    """The text is no encryption under this key. Never says why."""


class RsaKeyPair:
    """A 2048-bit key pair. Its private half shows in `private_pem` only, not in `repr`."""

    def __init__(self, private_key: rsa.RSAPrivateKey) -> None:
        self._key = private_key

    @classmethod
    def mint(cls) -> Self:
        """A new pair. Takes some 100 ms of processor time: call it in a thread, and limit who may ask."""
        return cls(rsa.generate_private_key(_PUBLIC_EXPONENT, _BITS))

    @classmethod
    def from_private_pem(cls, pem: str) -> Self:
        """The pair that `private_pem` was read from."""
        key = serialization.load_pem_private_key(pem.encode(), password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError(f"expected an RSA key, found {type(key).__name__}")
        return cls(key)

    @property
    def private_pem(self) -> str:
        """PKCS#8 PEM, not encrypted: for the database, never for an answer or a log."""
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    @property
    def public_pem(self) -> str:
        """SubjectPublicKeyInfo PEM ("BEGIN PUBLIC KEY"), as JSEncrypt and browsers read it."""
        return (
            self._key.public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            .decode()
        )

    def decrypt(self, encrypted_base64: str) -> str:
        """The text that was encrypted with OAEP (SHA-256 or SHA-1, MGF1 of the same) or PKCS#1 v1.5.

        Raises `Undecryptable`. A tampered PKCS#1 v1.5 ciphertext may also yield a made-up text instead.
        """
        ciphertext = _decode(encrypted_base64, self._key.key_size // 8)
        found = [
            clear for clear in (self._attempt(ciphertext, each) for each in _PADDINGS) if clear is not None
        ]
        try:
            return found[0].decode()
        except (IndexError, UnicodeDecodeError):
            raise Undecryptable from None

    def _attempt(self, ciphertext: bytes, using: padding.AsymmetricPadding) -> bytes | None:
        try:
            return self._key.decrypt(ciphertext, using)
        except ValueError:
            return None


def _decode(encrypted_base64: str, size: int) -> bytes:
    try:
        # MIME encoders break lines; nothing else that is not base64 is let through.
        raw = base64.b64decode("".join(encrypted_base64.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Undecryptable from None
    if not size - _MAX_DROPPED_BYTES <= len(raw) <= size:
        raise Undecryptable
    return raw.rjust(size, b"\0")
