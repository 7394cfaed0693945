"""How many volumes and snapshots a project may have, and how many it has. Called by the services here.

Usage is counted from the rows in the transaction that adds one, with the project locked: there is no counter
that could drift. Gigabytes are the project's own quota, which the volume's service enforces for all faces.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import func, select

from stratal.kernel.errors import Conflict
from stratal.kernel.kind import Catalogue
from stratal.kernel.store import Store
from stratal.kernel.transaction import Transaction
from stratal.storage.block.model import GROUP, LIMITS, MB_PER_GB
from stratal.storage.bs_snap.model import BS_SNAP
from stratal.storage.bs_volume.model import BS_VOLUME

NO_LIMIT: Final = -1
COUNTED: Final = ("volumes", "snapshots", "groups")
DEFAULT_CLASS: Final = 0
"""In the place of a project's id: the limits of projects that have none of their own."""


class LimitReached(Conflict):
    """A project may not have more of something."""

    code = "limit_reached"
    template = "the project has {used} of at most {limit} {what}; {wanted} more are too many"
    remedy = "Delete some, or have the limit raised."


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a project may have; -1: no limit."""

    volumes: int = NO_LIMIT
    snapshots: int = NO_LIMIT
    per_volume_gigabytes: int = NO_LIMIT
    groups: int = NO_LIMIT


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What a project has."""

    volumes: int
    snapshots: int
    groups: int
    gigabytes: int


class LimitService:
    def __init__(self, catalogue: Catalogue) -> None:
        project = catalogue.get("project")
        self._projects: Store[Any, Any] | None = None if project is None else Store(project)

    def show(self, transaction: Transaction, project_id: int) -> Limits:
        """The limits of a project: its own, else those of the default class."""
        names = Limits.__struct_fields__
        statement = (
            select(*(LIMITS.c[name] for name in names))
            .where(LIMITS.c.project_id.in_((project_id, DEFAULT_CLASS)))
            .order_by(LIMITS.c.project_id.desc())
        )
        row = transaction.execute(statement).mappings().first()
        return Limits() if row is None else Limits(**row)

    def change(self, transaction: Transaction, project_id: int, values: Mapping[str, int]) -> Limits:
        """Set what is named; the rest stays. Usage above a new limit stays too, and only cannot grow."""
        limits = msgspec.structs.replace(self.show(transaction, project_id), **values)
        row = msgspec.structs.asdict(limits)
        statement = transaction.insert(LIMITS).values(project_id=project_id, **row)
        transaction.execute(statement.on_conflict_do_update(index_elements=[LIMITS.c.project_id], set_=row))
        return limits

    def reset(self, transaction: Transaction, project_id: int) -> None:
        """None of its own any more."""
        transaction.execute(LIMITS.delete().where(LIMITS.c.project_id == project_id))

    def usage(self, transaction: Transaction, project_id: int) -> Usage:
        size_mb = func.coalesce(func.sum(BS_VOLUME.tables.spec.c.size_mb), 0)
        columns = BS_VOLUME.tables.spec.c
        used_mb = transaction.execute(
            select(size_mb).where(columns.project_id == project_id, columns.deleted_at.is_(None))
        ).scalar_one()
        return Usage(
            volumes=self._count(transaction, "volumes", project_id),
            snapshots=self._count(transaction, "snapshots", project_id),
            groups=self._count(transaction, "groups", project_id),
            gigabytes=-(-int(used_mb) // MB_PER_GB),
        )

    def check(
        self, transaction: Transaction, project_id: int | None, what: str, *, more: int = 1, size_gb: int = 0
    ) -> None:
        """Raises LimitReached unless the project may have so many more of `what`, each so large."""
        if project_id is None:
            return
        limits = self.show(transaction, project_id)
        if NO_LIMIT < limits.per_volume_gigabytes < size_gb:
            raise LimitReached(
                what="GiB per volume", used=0, limit=limits.per_volume_gigabytes, wanted=size_gb
            )
        limit = getattr(limits, what)
        if limit == NO_LIMIT or not more:
            return
        if self._projects is not None:
            self._projects.get(transaction, project_id, lock=True, labels=False)
        used = self._count(transaction, what, project_id)
        if used + more > limit:
            raise LimitReached(what=what, used=used, limit=limit, wanted=more)

    @staticmethod
    def _count(transaction: Transaction, what: str, project_id: int) -> int:
        if what == "groups":
            statement = select(func.count()).select_from(GROUP).where(GROUP.c.project_id == project_id)
        else:
            columns = (BS_VOLUME if what == "volumes" else BS_SNAP).tables.spec.c
            statement = select(func.count(columns.id)).where(
                columns.project_id == project_id, columns.deleted_at.is_(None)
            )
        return int(transaction.execute(statement).scalar_one())
