"""Images that exist already, looked at before a request takes them in. Called by the services of images and
volumes, outside of transactions.

Only those who reach everything may name them: files in directories that the settings allow, and RBD images in
the pool that the policy names.
"""

from dataclasses import dataclass
from typing import Annotated, Final

import msgspec
from sqlalchemy import select

from stratal.kernel.access import Access, Reach
from stratal.kernel.database import Database
from stratal.kernel.errors import Forbidden, Invalid
from stratal.kernel.fields import NO_NUL
from stratal.kernel.transaction import Transaction
from stratal.storage.bs_policy.model import BS_POLICY
from stratal.storage.drivers.contract import Location, Source, Transport
from stratal.storage.drivers.errors import SourceRefused
from stratal.storage.places import Places
from stratal.storage.vm_image.importing import Imports

_NAME: Final = r"[A-Za-z0-9_.-]{1,128}"

ImportPath = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=4096,
        pattern=NO_NUL,
        description="A file on the server, where the settings allow it. For system administrators.",
    ),
]
RbdImage = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^({_NAME}/){{1,2}}{_NAME}(@{_NAME})?$(?!\n)",
        description="pool/[namespace/]image[@snapshot], in the policy's place. For system administrators.",
    ),
]
InPlace = Annotated[bool, msgspec.Meta(description="Take it over itself instead of a copy of it.")]


@dataclass(frozen=True, kw_only=True)
class Found:
    """An image that may be taken in."""

    size_bytes: int
    #: to copy, or the location of what is taken over
    origin: Source | Location


class ForeignImages:
    def __init__(self, database: Database, places: Places, imports: Imports) -> None:
        self._database = database
        self._places = places
        self.imports = imports

    def find(
        self,
        access: Access,
        policy_id: int,
        *,
        path: str | None,
        rbd_image: str | None,
        format: str,
        in_place: bool,
    ) -> Found:
        """Look at what is to be copied or taken over. Raises Invalid, Forbidden, Unavailable."""
        self.forbid(access)
        if path is not None:
            field, transport = "spec.path", Transport.FILE
            address = str(self.imports.check(path))
        else:
            field, transport, address = "spec.rbd_image", Transport.RBD, rbd_image or ""
        driver, place = self._database.read(lambda tx: _place_of(tx, policy_id))
        location = Location(transport=transport, address=address, format=format)
        try:
            size_bytes = self._places.driver(driver, place).examine(location, in_place=in_place)
        except SourceRefused as error:
            raise Invalid(field=field, reason=str(error.fields["reason"])) from error
        return Found(size_bytes=size_bytes, origin=location if in_place else Source(location=location))

    @staticmethod
    def forbid(access: Access) -> None:
        """Raises Forbidden for those who may not take images in."""
        if access.reach is not Reach.ALL:
            raise Forbidden(verb="import", kind="what the server's storage holds")


def _place_of(transaction: Transaction, policy_id: int) -> tuple[str, str]:
    columns = BS_POLICY.tables.spec.c
    statement = select(columns.driver, columns.place).where(
        columns.id == policy_id, columns.deleted_at.is_(None)
    )
    row = transaction.execute(statement).first()
    if row is None:
        raise Invalid(field="spec.bs_policy_id", reason=f"there is no bs_policy {policy_id}")
    return str(row.driver), str(row.place)
