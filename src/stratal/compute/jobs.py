"""What the clean-up jobs of machines, disks and network interfaces have in common. Called by their models,
services and reconcilers.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec

from stratal.kernel.fields import Status, count_field


class CleanupReason(StrEnum):
    """Why something is removed from a node."""

    DELETE = "delete"
    DETACH = "detach"
    MIGRATE = "migrate"
    FAILURE_MIGRATE = "failure-migrate"


class CleanupStage(StrEnum):
    """How far a removal is."""

    #: nobody has looked yet
    PENDING = "pending"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


class CleanupStatus(Status, kw_only=True, omit_defaults=True):
    """How far a removal is."""

    stage: CleanupStage = msgspec.field(default_factory=lambda: CleanupStage.PENDING)
    retry_num: Annotated[int, msgspec.Meta(description="How often it failed so far.")] = count_field()
    error_message: Annotated[str | None, msgspec.Meta(description="What it failed of last.")] = None
    finished_at: datetime | None = None
