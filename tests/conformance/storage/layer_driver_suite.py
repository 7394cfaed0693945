"""What every layer driver must do: the tests that hold `stratal.storage.drivers.contract`.

A driver's test module subclasses `LayerDriverSuite` under a name that starts with Test and overrides the
`driver` fixture (a driver on an empty place of its own); sizes and hooks where its backend needs it.

    class TestQcow2Layers(LayerDriverSuite):
        @pytest.fixture
        def driver(self, tmp_path): return Qcow2Driver(...)
"""

from layer_suite_changing import Flattening, Looking, Merging, Removing
from layer_suite_crashing import Crashes, Sequences
from layer_suite_making import Children, Roots, Sizes, Writing


class LayerDriverSuite(
    Roots, Children, Writing, Sizes, Merging, Flattening, Removing, Looking, Crashes, Sequences
):
    """Everything. The hooks and sizes to override are those of `layer_suite_base.LayerSuite`."""
