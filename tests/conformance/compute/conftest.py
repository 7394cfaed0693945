"""A libvirtd for the modules of this folder, and asserts of the suite that explain themselves."""

from collections.abc import Generator

import pytest

import libvirt_host as host

pytest.register_assert_rewrite(
    "hypervisor_suite", "hypervisor_suite_life", "hypervisor_suite_points", "hypervisor_suite_crashing"
)


@pytest.fixture(scope="session")
def libvirt_host() -> Generator[host.LibvirtHost]:
    try:
        with host.running() as running:
            yield running
    except FileNotFoundError as error:
        pytest.skip(str(error))
