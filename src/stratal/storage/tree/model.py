"""The declaration of trees. Called by the reconciler and by `disks`.

A tree is a connected set of layers in one place: a volume made empty or an imported image starts one, and
its snapshots, clones and images belong to the same one. No face serves trees. They are a kind because the
lease on a tree's work row is the mutual exclusion that a graph needs, and because what could not be done
to it has to be said and retried like anything else.
"""

from datetime import datetime

from stratal.kernel.fields import Spec, Status, count_field
from stratal.kernel.kind import Kind


class TreeSpec(Spec, kw_only=True, omit_defaults=True):
    """Where a tree is. Copied from the policy, which may go before the last hidden layer is reclaimed."""

    driver: str
    place: str
    bs_policy_id: int


class TreeStatus(Status, kw_only=True, omit_defaults=True):
    """What is observed of a tree."""

    layer_num: int = count_field()
    #: of all its layers together
    allocated_byte: int = count_field()
    #: when the layers that may be written to were weighed last
    weighed_at: datetime | None = None


TREE = Kind(name="tree", plural="trees", type_name="Tree", spec=TreeSpec, status=TreeStatus)
