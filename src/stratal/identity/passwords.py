"""Password verifiers, password policy and the first password.

One verifier serves three logins: it is argon2id over the lower-case SHA-512 hex of the password, because
ZStack clients send that hex and never the password, while NeutonOS and Keystone clients send the password.
Called by the user service and the faces' logins. Verifying blocks for some 100 ms: call it in a thread.
"""

import hashlib
import re
import threading

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from stratal.kernel.clock import Entropy, SystemEntropy
from stratal.kernel.errors import Invalid

MAX_PASSWORD_LENGTH = 1024
_CONCURRENT = 2
_SHA512_HEX = re.compile(r"[0-9a-fA-F]{128}")

# No i, l, o, 0 or 1: this is read from a log and typed by hand.
_READABLE = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _GROUP_LENGTH = 4, 5


class Verifiers:
    """Makes and checks verifiers at one cost. Thread-safe; at most two hash at once, the others wait.

    The limit is for memory: each hash takes `memory_cost_kib`, and anybody may ask for one by logging in.
    """

    def __init__(self, *, time_cost: int, memory_cost_kib: int, parallelism: int) -> None:
        self._hasher = PasswordHasher(time_cost, memory_cost_kib, parallelism)
        self._slots = threading.BoundedSemaphore(_CONCURRENT)
        # Checked in place of an unknown user's, so that the time of an answer does not tell who exists.
        self._dummy = self._hash("")

    def of_clear(self, password: str) -> str:
        """A new verifier, salted. The password has passed `password_problem`."""
        return self._hash(_sha512_hex(password))

    def of_sha512_hex(self, sha512_hex: str) -> str:
        """A new verifier of the password whose SHA-512 this is. Raises `Invalid` when it is none."""
        if not _SHA512_HEX.fullmatch(sha512_hex):
            raise Invalid(field="password", reason="must be the 128 hexadecimal digits of a SHA-512")
        return self._hash(sha512_hex.lower())

    def matches_clear(self, verifier: str | None, password: str) -> bool:
        """Whether the password is right. `None`, for an unknown user, takes as long and is False."""
        try:
            return self._matches(verifier, _sha512_hex(password))
        except UnicodeEncodeError:  # a lone surrogate from JSON; the same for known and unknown users
            return False

    def matches_sha512_hex(self, verifier: str | None, sha512_hex: str) -> bool:
        """As `matches_clear`, for the password's SHA-512 in hexadecimal of either case."""
        # What is malformed is so for known and unknown users alike, so that its quick answer tells nothing.
        return bool(_SHA512_HEX.fullmatch(sha512_hex)) and self._matches(verifier, sha512_hex.lower())

    def needs_rehash(self, verifier: str) -> bool:
        """Whether the verifier was made at another cost: then make a new one at the next right login."""
        return self._hasher.check_needs_rehash(verifier)

    def _hash(self, sha512_hex: str) -> str:
        with self._slots:
            return self._hasher.hash(sha512_hex)

    def _matches(self, verifier: str | None, sha512_hex: str) -> bool:
        with self._slots:
            try:
                self._hasher.verify(self._dummy if verifier is None else verifier, sha512_hex)
            except VerifyMismatchError:
                # Only this one: a damaged verifier or too little memory is no wrong password, and must
                # neither look like one nor count towards a lock-out.
                return False
        return verifier is not None


def password_problem(password: str, min_length: int, name: str) -> str | None:
    """Why this may not be the new password of the user `name`, as words to show, or None if it may."""
    if len(password) < min_length:
        return f"must have at least {min_length} characters"
    if len(password) > MAX_PASSWORD_LENGTH:
        return f"must have at most {MAX_PASSWORD_LENGTH} characters"
    if "\0" in password:
        return "must not contain the NUL character"
    if any("\ud800" <= character <= "\udfff" for character in password):
        return "must be valid Unicode text"
    if password.casefold() == name.casefold():
        return "must not be the user's name"
    return None


def generate_password(entropy: Entropy | None = None) -> str:
    """A password of 99 bits that is easy to read and to type, for the administrator's first login."""
    number = int((entropy or SystemEntropy()).token(), 16)
    letters = ""
    for _ in range(_GROUPS * _GROUP_LENGTH):
        number, digit = divmod(number, len(_READABLE))
        letters += _READABLE[digit]
    return "-".join(letters[i : i + _GROUP_LENGTH] for i in range(0, len(letters), _GROUP_LENGTH))


def _sha512_hex(password: str) -> str:
    return hashlib.sha512(password.encode()).hexdigest()
