"""Label attachments: which values of which label keys are attached to which resources.

They live in the kernel because the metadata of every resource shows them; the kinds of label keys and
values belong to the operations domain. A resource has at most one value of each key. Names stand beside
the ids since a key or a value cannot be renamed. A value's reconciler is woken whenever it is attached
somewhere or no longer, whatever the reason, so that it can count.
"""

from collections.abc import Sequence

import msgspec
from sqlalchemy import BigInteger, Column, ColumnElement, Index, Table, Text, bindparam, delete, func, select

from stratal.kernel import work
from stratal.kernel.prepared import Prepared
from stratal.kernel.tables import METADATA
from stratal.kernel.transaction import Transaction

VALUE_KIND = "label_value"
"""`name` of the kind of label values."""

ATTACHMENT = Table(
    "label_attachment",
    METADATA,
    Column("resource_type", Text, primary_key=True),
    Column("resource_id", BigInteger, primary_key=True, autoincrement=False),
    Column("label_key_id", BigInteger, primary_key=True, autoincrement=False),
    Column("label_key_name", Text, nullable=False),
    Column("label_value_id", BigInteger, nullable=False),
    Column("label_value_name", Text, nullable=False),
)
Index("ix_label_attachment_label_value_id", ATTACHMENT.c.label_value_id)


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """A label as the metadata of a resource shows it."""

    label_key_id: int
    label_key_name: str
    label_value_id: int
    label_value_name: str


_COLUMNS = [ATTACHMENT.c[name] for name in Label.__struct_fields__]
_LABELS_OF = (
    select(ATTACHMENT.c.resource_id, *_COLUMNS)
    .where(
        ATTACHMENT.c.resource_type == bindparam("kind"),
        ATTACHMENT.c.resource_id.in_(bindparam("ids", expanding=True)),
    )
    .order_by(ATTACHMENT.c.label_key_id)
)


_LABELS_OF_ONE = Prepared(
    select(*_COLUMNS)
    .where(ATTACHMENT.c.resource_type == bindparam("kind"), ATTACHMENT.c.resource_id == bindparam("id"))
    .order_by(ATTACHMENT.c.label_key_id)
)


def labels_of_one(transaction: Transaction, kind: str, id: int) -> list[Label]:
    """The labels of one resource. Nearly every request asks for those, and IN costs three times as much."""
    rows = transaction.rows(_LABELS_OF_ONE, {"kind": kind, "id": id})
    return [Label(**dict(zip(Label.__struct_fields__, row, strict=True))) for row in rows]


def labels_of(transaction: Transaction, kind: str, ids: Sequence[int]) -> dict[int, list[Label]]:
    """The labels of each of these resources; those without any are left out."""
    found: dict[int, list[Label]] = {}
    for resource_id, *values in transaction.execute(_LABELS_OF, {"kind": kind, "ids": list(ids)}):
        label = Label(**dict(zip(Label.__struct_fields__, values, strict=True)))
        found.setdefault(resource_id, []).append(label)
    return found


def attach(transaction: Transaction, label: Label, kind: str, ids: Sequence[int]) -> None:
    """Attach a label, in place of another value of the same key. Idempotent."""
    on_these = (ATTACHMENT.c.resource_type == kind, ATTACHMENT.c.resource_id.in_(ids))
    _wake_values(transaction, ATTACHMENT.c.label_key_id == label.label_key_id, *on_these)
    work.ask(transaction, VALUE_KIND, label.label_value_id)
    values = msgspec.structs.asdict(label)
    statement = transaction.insert(ATTACHMENT)
    statement = statement.on_conflict_do_update(
        index_elements=[ATTACHMENT.c.resource_type, ATTACHMENT.c.resource_id, ATTACHMENT.c.label_key_id],
        set_={
            "label_value_id": statement.excluded.label_value_id,
            "label_value_name": statement.excluded.label_value_name,
        },
    )
    transaction.execute(
        statement, [{"resource_type": kind, "resource_id": resource_id, **values} for resource_id in ids]
    )


def detach(transaction: Transaction, label_value_id: int, kind: str, ids: Sequence[int]) -> None:
    """Detach a value from these resources. One that it is not attached to stays as it is."""
    work.ask(transaction, VALUE_KIND, label_value_id)
    transaction.execute(
        delete(ATTACHMENT).where(
            ATTACHMENT.c.label_value_id == label_value_id,
            ATTACHMENT.c.resource_type == kind,
            ATTACHMENT.c.resource_id.in_(ids),
        )
    )


def detach_everywhere(transaction: Transaction, label_value_id: int) -> None:
    transaction.execute(delete(ATTACHMENT).where(ATTACHMENT.c.label_value_id == label_value_id))


def drop_labels(transaction: Transaction, kind: str, resource_id: int) -> None:
    """The resource is gone, and its labels with it."""
    on_it = (ATTACHMENT.c.resource_type == kind, ATTACHMENT.c.resource_id == resource_id)
    _wake_values(transaction, *on_it)
    transaction.execute(delete(ATTACHMENT).where(*on_it))


def count_attachments(transaction: Transaction, label_value_id: int) -> int:
    statement = select(func.count()).where(ATTACHMENT.c.label_value_id == label_value_id)
    return transaction.execute(statement).scalar_one()


def _wake_values(transaction: Transaction, *where: ColumnElement[bool]) -> None:
    """Ask for a look at the values of the attachments for which all conditions hold."""
    values = select(ATTACHMENT.c.label_value_id).where(*where).distinct()
    for id in transaction.execute(values.order_by(ATTACHMENT.c.label_value_id)).scalars().all():
        work.ask(transaction, VALUE_KIND, id)
