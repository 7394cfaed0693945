"""What the product says of itself."""

import platform

import msgspec
from operations_installation import Installation

from stratal import __version__
from stratal.operations import Operations
from stratal.operations.product.service import ProductService


def test_the_version_names_the_product_its_parts_and_the_machine() -> None:
    version = ProductService(count_hosts=lambda _: 0, features=()).version()
    assert version.version == version.product["Stratal"].version == __version__
    assert version.module["python"].version == platform.python_version()
    assert version.module["msgspec"].version == msgspec.__version__
    assert version.os
    assert version.arch == platform.machine()


def test_the_licence_limits_nothing_and_counts_the_nodes_that_there_are(
    installation: Installation, operations: Operations
) -> None:
    database = installation.database
    before = database.read(operations.product.license_summary)
    database.write(lambda tx: installation.cluster.nodes.register_this_node(tx, "node-1", "192.0.2.10"))
    after = database.read(operations.product.license_summary)
    assert (before.used_quota.used_host_num, after.used_quota.used_host_num) == (0, 1)
    assert msgspec.to_builtins(after) == {
        "product_info": {"model": "Stratal", "series": "Apache-2.0"},
        "features": ["cluster", "operations"],
        "expired_features": [],
        "license_invalid": False,
        "limits": {},
        "used_quota": {"used_host_num": 1},
    }
