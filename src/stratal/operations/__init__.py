"""Running an installation: labels, events, the audit log, settings, and what the product says of itself."""

from stratal.operations.label_value.targets import ReachOf
from stratal.operations.operations import KINDS, RECORD_KINDS, Operations
from stratal.operations.product.model import LicenseSummary, Version
from stratal.operations.product.service import CountHosts
from stratal.operations.settings.model import Settings, SettingsUpdate, SettingsView

__all__ = [
    "KINDS",
    "RECORD_KINDS",
    "CountHosts",
    "LicenseSummary",
    "Operations",
    "ReachOf",
    "Settings",
    "SettingsUpdate",
    "SettingsView",
    "Version",
]
