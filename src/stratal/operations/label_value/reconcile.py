"""Counts what a label value is attached to; detaches it everywhere before it goes. Called by the engine."""

import msgspec

from stratal.kernel.labels import count_attachments, detach_everywhere
from stratal.kernel.reconcile import Gone, Look, RecordReconciler
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction
from stratal.operations.label_value.model import LABEL_VALUE, LabelValueSpec, LabelValueStatus


class LabelValueReconciler(RecordReconciler[LabelValueSpec, LabelValueStatus]):
    def __init__(self) -> None:
        super().__init__(LABEL_VALUE)

    def observe(
        self, transaction: Transaction, resource: Resource[LabelValueSpec, LabelValueStatus]
    ) -> LabelValueStatus:
        resources = count_attachments(transaction, resource.id)
        return msgspec.structs.replace(resource.status, resource_num=resources)

    def remove(self, resource: Resource[LabelValueSpec, LabelValueStatus], look: Look) -> Gone:
        # nothing is attached any more once a deletion has begun, so this happens once and for all
        look.write(lambda transaction: detach_everywhere(transaction, resource.id))
        return Gone()
