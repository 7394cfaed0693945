"""Time, randomness and ids come through here, so that tests can fix them."""

import secrets
import uuid
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the kernel asks of time."""

    def now(self) -> datetime:
        """The current time, in UTC, with microseconds."""
        ...


class SystemClock:
    """The host's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class Entropy(Protocol):
    """What the kernel asks of chance."""

    def uuid(self) -> str: ...

    def token(self) -> str:
        """An unguessable value of 128 bits, as 32 hexadecimal digits."""
        ...

    def etag(self) -> str: ...


class SystemEntropy:
    """The operating system's generator."""

    def uuid(self) -> str:
        return str(uuid.uuid4())

    def token(self) -> str:
        return secrets.token_hex(16)

    def etag(self) -> str:
        return secrets.token_hex(8)
