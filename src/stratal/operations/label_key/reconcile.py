"""Counts the values of a label key. Called by the reconcile engine."""

import msgspec

from stratal.kernel.reconcile import RecordReconciler
from stratal.kernel.store import Resource, Store
from stratal.kernel.transaction import Transaction
from stratal.operations.label_key.model import LABEL_KEY, LabelKeySpec, LabelKeyStatus
from stratal.operations.label_value.model import LABEL_VALUE


class LabelKeyReconciler(RecordReconciler[LabelKeySpec, LabelKeyStatus]):
    def __init__(self) -> None:
        super().__init__(LABEL_KEY)
        self._values = Store(LABEL_VALUE)

    def observe(
        self, transaction: Transaction, resource: Resource[LabelKeySpec, LabelKeyStatus]
    ) -> LabelKeyStatus:
        key_of = LABEL_VALUE.tables.spec.c.label_key_id
        values = self._values.count(transaction, key_of == resource.id)
        return msgspec.structs.replace(resource.status, label_value_num=values)
