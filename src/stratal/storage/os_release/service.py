"""OS releases are seeded, and cannot be changed through an API. Called by faces and at the server's start."""

import dataclasses

from stratal.kernel.kind import Catalogue
from stratal.kernel.service import ResourceService
from stratal.kernel.transaction import Transaction
from stratal.storage.os_release.model import OS_RELEASE, OsReleaseSpec, OsReleaseStatus
from stratal.storage.os_release.releases import RELEASES


class OsReleaseService(ResourceService[OsReleaseSpec, OsReleaseStatus]):
    """Lists and shows releases; `seed` keeps the rows in step with the table."""

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__(OS_RELEASE, catalogue)

    def seed(self, transaction: Transaction) -> None:
        """Create the releases that are missing and refresh the others. Idempotent.

        One that the table does not have any more stays, for the guests that name it.
        """
        present = {
            (each.spec.distribution, each.spec.version, each.spec.arch): each
            for each in self.store.find(transaction, labels=False)
        }
        for release in RELEASES:
            wanted = dataclasses.asdict(release)
            known = present.get((release.distribution, release.version, release.arch))
            if known is None:
                # nothing is to be made, so it is active from the start
                self.store.insert(
                    transaction, {"description": "", "creation_finish": transaction.now, **wanted}
                )
            elif any(getattr(known.spec, field) != value for field, value in wanted.items()):
                self.store.change_spec(transaction, known.id, wanted)
