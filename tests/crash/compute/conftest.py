"""What the crash suites of machines share."""

import sys
from pathlib import Path

import pytest

# what the crash suites share
sys.path.insert(0, str(Path(__file__).parents[1]))

pytest.register_assert_rewrite("machine_aftermath", "machine_living")
