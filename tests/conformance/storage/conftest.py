"""Lets the suites' own asserts explain themselves, which pytest does only for test modules."""

import pytest

pytest.register_assert_rewrite(
    "layer_suite_base",
    "layer_suite_making",
    "layer_suite_changing",
    "layer_suite_crashing",
    "layer_mirror",
    "layer_graph_machine",
    "qcow2_ground",
)
