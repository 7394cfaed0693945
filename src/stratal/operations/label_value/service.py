"""What may be asked of label values: to be created and deleted, attached and detached. Called by faces."""

import msgspec

from stratal.kernel.access import Access
from stratal.kernel.actions import action
from stratal.kernel.errors import Conflict, Invalid
from stratal.kernel.fields import given
from stratal.kernel.kind import Catalogue
from stratal.kernel.labels import Label, attach, detach
from stratal.kernel.service import Change, ResourceService
from stratal.kernel.store import Resource, Store
from stratal.kernel.transaction import Transaction
from stratal.operations.label_key.model import LABEL_KEY
from stratal.operations.label_value.model import (
    LABEL_VALUE,
    Labelling,
    LabelValueCreate,
    LabelValueSpec,
    LabelValueStatus,
)
from stratal.operations.label_value.targets import ReachOf, kind_called, lock_targets

LabelValue = Resource[LabelValueSpec, LabelValueStatus]


class LabelValueService(ResourceService[LabelValueSpec, LabelValueStatus]):
    create_body = LabelValueCreate

    def __init__(self, catalogue: Catalogue, reach_of: ReachOf) -> None:
        super().__init__(LABEL_VALUE, catalogue)
        self._keys = Store(LABEL_KEY)
        self._reach_of = reach_of

    def new(self, transaction: Transaction, access: Access, body: LabelValueCreate) -> Change:
        # even for a caller who sees the keys of every project: a value belongs to the project of its key
        key = self._keys.get(transaction, body.label_key_id, labels=False)
        if key is not None and key.spec.project_id != access.project_id:
            reason = f"there is no label_key {body.label_key_id} in the project of this token"
            raise Invalid(field="spec.label_key_id", reason=reason)
        return given(body)

    @action("attach", Labelling)
    def attach(self, transaction: Transaction, access: Access, id: int, body: Labelling) -> LabelValue:
        """Attach this value to resources, in place of other values of the same key."""
        value = self.changeable(transaction, access, id)
        kind = kind_called(self.catalogue, body.resource_type)
        lock_targets(transaction, access, self._reach_of, kind, body.resource_ids)
        attach(transaction, self._label(transaction, value), kind.name, body.resource_ids)
        return self._labelled(transaction, access, value, "attach", body, kind.name)

    @action("detach", Labelling)
    def detach(self, transaction: Transaction, access: Access, id: int, body: Labelling) -> LabelValue:
        """Detach this value from resources. Those that it is not attached to stay as they are."""
        value = self.changeable(transaction, access, id)
        kind = kind_called(self.catalogue, body.resource_type)
        lock_targets(transaction, access, self._reach_of, kind, body.resource_ids)
        detach(transaction, id, kind.name, body.resource_ids)
        return self._labelled(transaction, access, value, "detach", body, kind.name)

    def _label(self, transaction: Transaction, value: LabelValue) -> Label:
        key = self._keys.get(transaction, value.spec.label_key_id, labels=False)
        if key is None:  # a key outlives its values: the reference holds it
            raise Conflict(reason=f"the key of label_value {value.id} is gone")
        return Label(
            label_key_id=key.id,
            label_key_name=key.spec.name,
            label_value_id=value.id,
            label_value_name=value.spec.name,
        )

    def _labelled(
        self,
        transaction: Transaction,
        access: Access,
        value: LabelValue,
        verb: str,
        body: Labelling,
        kind_name: str,
    ) -> LabelValue:
        what = {**msgspec.structs.asdict(body), "resource_type": kind_name}
        return self.acted(transaction, access, value, verb, what)
