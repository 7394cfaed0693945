"""What an examination says of one thing."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    #: it works, but not as well as it could
    WARNING = "warning"
    #: the server will not start, or not do what it is for
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Finding:
    subject: str
    level: Level
    message: str
    remedy: str = ""

    @classmethod
    def good(cls, subject: str, message: str) -> "Finding":
        return cls(subject=subject, level=Level.OK, message=message)

    @classmethod
    def poor(cls, subject: str, message: str, remedy: str) -> "Finding":
        return cls(subject=subject, level=Level.WARNING, message=message, remedy=remedy)

    @classmethod
    def bad(cls, subject: str, message: str, remedy: str) -> "Finding":
        return cls(subject=subject, level=Level.FAILED, message=message, remedy=remedy)
