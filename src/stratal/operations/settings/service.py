"""Reading and changing the installation's settings. Called by faces, and through `current` by whoever obeys
a setting.
"""

import msgspec
from sqlalchemy import select

from stratal.kernel.access import Access
from stratal.kernel.fields import given
from stratal.kernel.journal import AuditStatus, record_audit
from stratal.kernel.transaction import Transaction
from stratal.operations.settings.model import SETTING, Settings, SettingsUpdate, SettingsView

KIND_NAME = "settings"
"""What the role policy and the audit log call them."""


class SettingsService:
    """The settings are few and always read whole. Who may do so is the faces' to decide."""

    update_body = SettingsUpdate

    def current(self, transaction: Transaction) -> Settings:
        """Every setting: what was set, else its default."""
        rows = transaction.execute(select(SETTING.c.key, SETTING.c.value)).all()
        # what an older version knew and this one does not is left out
        return msgspec.convert({row.key: row.value for row in rows}, Settings)

    def show(self, transaction: Transaction) -> SettingsView:
        return SettingsView(settings=self.current(transaction))

    def update(self, transaction: Transaction, access: Access, body: msgspec.Struct) -> SettingsView:
        """Set what the body names. It takes effect when whoever obeys the setting reads it next."""
        before = msgspec.structs.asdict(self.current(transaction))
        changes = {name: value for name, value in given(body).items() if value != before[name]}
        for name, value in changes.items():
            self._set(transaction, name, value)
        record_audit(
            transaction,
            access,
            "update",
            resource_type=KIND_NAME,
            old_data={name: before[name] for name in changes},
            new_data=changes,
            status=AuditStatus.SUCCEEDED,
        )
        return self.show(transaction)

    @staticmethod
    def _set(transaction: Transaction, name: str, value: object) -> None:
        row = {"value": value, "updated_at": transaction.now}
        statement = transaction.insert(SETTING).values(key=name, **row)
        transaction.execute(statement.on_conflict_do_update(index_elements=[SETTING.c.key], set_=row))
