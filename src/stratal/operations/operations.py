"""The operations domain put together. Called by the composition root and by faces."""

from collections.abc import Sequence

from stratal.kernel.journal import AUDIT_LOG, EVENT
from stratal.kernel.kind import AnyKind, Catalogue
from stratal.kernel.reconcile import AnyReconciler
from stratal.kernel.records import RecordService
from stratal.operations.label_key.model import LABEL_KEY
from stratal.operations.label_key.reconcile import LabelKeyReconciler
from stratal.operations.label_key.service import LabelKeyService
from stratal.operations.label_value.model import LABEL_VALUE
from stratal.operations.label_value.reconcile import LabelValueReconciler
from stratal.operations.label_value.service import LabelValueService
from stratal.operations.label_value.targets import ReachOf
from stratal.operations.product.service import CountHosts, ProductService
from stratal.operations.retention import Retention
from stratal.operations.settings.service import SettingsService

KINDS: tuple[AnyKind, ...] = (LABEL_KEY, LABEL_VALUE)
RECORD_KINDS = (EVENT, AUDIT_LOG)


class Operations:
    """The services and reconcilers of labels, events, audit logs, settings and the product itself.

    `reach_of` is the role policy, `count_hosts` counts the nodes, `features` names the functional areas
    that are served.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        reach_of: ReachOf,
        count_hosts: CountHosts,
        features: Sequence[str],
    ) -> None:
        self.label_keys = LabelKeyService(catalogue)
        self.label_values = LabelValueService(catalogue, reach_of)
        self.events = RecordService(EVENT)
        self.audit_logs = RecordService(AUDIT_LOG)
        self.settings = SettingsService()
        self.product = ProductService(count_hosts=count_hosts, features=features)
        self.retention = Retention(self.settings, self.events, self.audit_logs)
        self.reconcilers: list[AnyReconciler] = [LabelKeyReconciler(), LabelValueReconciler()]
