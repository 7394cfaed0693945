"""The version and the licence. Called by faces."""

import platform
import re
from collections.abc import Callable, Sequence
from functools import cache
from importlib import metadata

from stratal import __version__
from stratal.kernel.transaction import Transaction
from stratal.operations.product.model import LicenseSummary, ModuleVersion, ProductInfo, UsedQuota, Version

_PRODUCT = "Stratal"
_DISTRIBUTION = "stratal"
_LICENSE = "Apache-2.0"

CountHosts = Callable[[Transaction], int]


class ProductService:
    """Tells what this is. `features` are the functional areas that the server has put together."""

    def __init__(self, *, count_hosts: CountHosts, features: Sequence[str]) -> None:
        self._count_hosts = count_hosts
        self._features = tuple(features)

    def version(self) -> Version:
        return Version(
            version=__version__,
            product={_PRODUCT: ModuleVersion(version=__version__)},
            module={name: ModuleVersion(version=version) for name, version in _modules()},
            os=_operating_system(),
            arch=platform.machine(),
        )

    def license_summary(self, transaction: Transaction) -> LicenseSummary:
        return LicenseSummary(
            product_info=ProductInfo(model=_PRODUCT, series=_LICENSE),
            features=list(self._features),
            expired_features=[],
            license_invalid=False,
            limits={},
            used_quota=UsedQuota(used_host_num=self._count_hosts(transaction)),
        )


@cache
def _modules() -> tuple[tuple[str, str], ...]:
    """Python and the distributions that Stratal itself requires, each with the version that is installed."""
    try:
        requirements = metadata.requires(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:  # run from a source tree that was never installed
        requirements = []
    names = {name for each in requirements if "extra ==" not in each for name in _named(each)}
    found = [("python", platform.python_version())]
    for name in sorted(names):
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:  # required on another platform only
            continue
    return tuple(found)


def _named(requirement: str) -> list[str]:
    """The distribution's name at the start of a requirement (PEP 508)."""
    return re.findall(r"^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", requirement)


@cache
def _operating_system() -> str:
    try:
        release = platform.freedesktop_os_release()
    except OSError:  # there is no os-release file
        return platform.system().lower()
    return f"{release['ID']}{release.get('VERSION_ID', '')}"
