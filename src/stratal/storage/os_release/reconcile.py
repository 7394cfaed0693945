"""OS releases exist in the database alone. Called by the reconcile engine."""

from stratal.kernel.reconcile import RecordReconciler
from stratal.storage.os_release.model import OS_RELEASE, OsReleaseSpec, OsReleaseStatus


class OsReleaseReconciler(RecordReconciler[OsReleaseSpec, OsReleaseStatus]):
    def __init__(self) -> None:
        super().__init__(OS_RELEASE)
