"""QoS specs of volume types. Called by faces.

They are kept for the clients that read them; how fast a volume is, its policy and its own limits say.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select

from stratal.kernel.access import Access
from stratal.kernel.errors import Conflict, NotFound
from stratal.kernel.journal import AuditStatus, record_audit
from stratal.kernel.transaction import Transaction
from stratal.storage.block.model import QOS, TYPE_TRAITS
from stratal.storage.block.traits import checked_metadata


@dataclass(frozen=True, kw_only=True)
class QosSpecs:
    """A named set of specs."""

    uuid: str
    name: str
    consumer: str
    specs: dict[str, str]


class Qos:
    def all(self, transaction: Transaction) -> list[QosSpecs]:
        statement = select(QOS.c.uuid, QOS.c.name, QOS.c.consumer, QOS.c.specs).order_by(
            QOS.c.created_at.desc()
        )
        return [QosSpecs(**row) for row in transaction.execute(statement).mappings()]

    def show(self, transaction: Transaction, uuid: str) -> QosSpecs:
        """Raises NotFound."""
        found = [each for each in self.all(transaction) if each.uuid == uuid]
        if not found:
            raise NotFound(kind="QoS specs", id=uuid)
        return found[0]

    def create(
        self, transaction: Transaction, access: Access, name: str, consumer: str, specs: Mapping[str, str]
    ) -> QosSpecs:
        """Raises Conflict for a name that is taken, Invalid."""
        if any(each.name == name for each in self.all(transaction)):
            raise Conflict(reason=f"Qos Specs {name} already exists.")
        uuid = transaction.entropy.uuid()
        row: dict[str, Any] = {
            "uuid": uuid,
            "name": name,
            "consumer": consumer,
            "specs": checked_metadata(specs, field="qos_specs"),
        }
        transaction.execute(QOS.insert(), {**row, "created_at": transaction.now})
        self._audit(transaction, access, "create", uuid)
        return QosSpecs(**row)

    def change(
        self, transaction: Transaction, access: Access, uuid: str, specs: Mapping[str, str]
    ) -> QosSpecs:
        """Add specs; `consumer` among them changes the consumer."""
        found = self.show(transaction, uuid)
        added = dict(specs)
        consumer = added.pop("consumer", found.consumer)
        merged = checked_metadata({**found.specs, **added}, field="qos_specs")
        values = {"consumer": consumer, "specs": merged}
        transaction.execute(QOS.update().where(QOS.c.uuid == uuid).values(**values))
        self._audit(transaction, access, "update", uuid)
        return self.show(transaction, uuid)

    def drop(self, transaction: Transaction, access: Access, uuid: str, keys: Iterable[str]) -> None:
        """Remove specs. Raises NotFound for one that is not there."""
        specs = dict(self.show(transaction, uuid).specs)
        for key in keys:
            if specs.pop(key, None) is None:
                raise NotFound(kind="QoS spec", id=key)
        transaction.execute(QOS.update().where(QOS.c.uuid == uuid).values(specs=specs))
        self._audit(transaction, access, "update", uuid)

    def delete(self, transaction: Transaction, access: Access, uuid: str, *, force: bool) -> None:
        """Raises Conflict while types have them, unless `force` takes them away."""
        self.show(transaction, uuid)
        used = TYPE_TRAITS.c.qos_uuid == uuid
        if transaction.execute(select(TYPE_TRAITS.c.bs_policy_id).where(used)).first() is not None:
            if not force:
                raise Conflict(reason=f"Qos Specs {uuid} is still associated with entities.")
            transaction.execute(TYPE_TRAITS.update().where(used).values(qos_uuid=None))
        transaction.execute(delete(QOS).where(QOS.c.uuid == uuid))
        self._audit(transaction, access, "delete", uuid)

    @staticmethod
    def _audit(transaction: Transaction, access: Access, action: str, uuid: str) -> None:
        record_audit(
            transaction,
            access,
            action,
            resource_type=QOS.name,
            resource_name=uuid,
            status=AuditStatus.SUCCEEDED,
        )
