"""Lets the suites' own asserts explain themselves, which pytest does only for test modules."""

import pytest

pytest.register_assert_rewrite("layer_driver_suite", "layer_mirror")
