"""The endpoints of operations that are not those of a resource: settings, version, licence."""

from http import HTTPStatus

from stratal.faces.neutonos.endpoint import Answer, Call, Endpoint, reading, writing
from stratal.faces.neutonos.resources import record, resource
from stratal.kernel.transaction import Transaction
from stratal.operations import LicenseSummary, Operations, SettingsUpdate, SettingsView, Version

LABELS = "Label management"


def operations_endpoints(operations: Operations) -> list[Endpoint]:
    def settings(transaction: Transaction, call: Call) -> Answer:
        return operations.settings.show(transaction)

    def change_settings(transaction: Transaction, call: Call) -> Answer:
        return operations.settings.update(transaction, call.access, call.body)

    def version(transaction: Transaction, call: Call) -> Answer:
        return operations.product.version()

    def license_summary(transaction: Transaction, call: Call) -> Answer:
        return operations.product.license_summary(transaction)

    return [
        *resource(operations.label_keys, LABELS),
        *resource(operations.label_values, LABELS),
        *record(operations.events, "Events"),
        *record(operations.audit_logs, "Audit logs"),
        Endpoint(
            method="GET",
            path="/settings",
            resource_type="settings",
            verb="show",
            summary="Show the settings of the installation",
            tag="System settings",
            answer=SettingsView,
            run=reading(settings, quick=True),
        ),
        Endpoint(
            method="PATCH",
            path="/settings",
            resource_type="settings",
            verb="update",
            summary="Change settings of the installation",
            tag="System settings",
            body=SettingsUpdate,
            answer=SettingsView,
            status=HTTPStatus.ACCEPTED,
            run=writing(change_settings),
        ),
        Endpoint(
            method="GET",
            path="/version",
            resource_type="version",
            verb="show",
            summary="Show what runs here",
            tag="Product information",
            answer=Version,
            run=reading(version, quick=True),
        ),
        Endpoint(
            method="GET",
            path="/license-summary",
            resource_type="license_summary",
            verb="show",
            summary="Show what is licensed",
            tag="Product information",
            answer=LicenseSummary,
            run=reading(license_summary, quick=True),
        ),
    ]
