"""The shapes in which the product speaks of itself. Called by the service and the faces."""

from datetime import datetime
from typing import Annotated

import msgspec


class ModuleVersion(msgspec.Struct, kw_only=True):
    """The version of one part."""

    version: str


class Version(msgspec.Struct, kw_only=True):
    """What is installed here."""

    version: Annotated[str, msgspec.Meta(description="The version of Stratal.")]
    product: Annotated[dict[str, ModuleVersion], msgspec.Meta(description="The product, by its name.")]
    module: Annotated[
        dict[str, ModuleVersion], msgspec.Meta(description="What it is built on, each by its name.")
    ]
    os: Annotated[str, msgspec.Meta(description="The operating system, such as debian12.")]
    arch: Annotated[str, msgspec.Meta(description="The processor architecture, such as x86_64.")]


class ProductInfo(msgspec.Struct, kw_only=True):
    """What is licensed."""

    model: str
    series: str


class UsedQuota(msgspec.Struct, kw_only=True):
    """What is in use of that which a licence could limit."""

    used_host_num: Annotated[int, msgspec.Meta(description="Nodes.")]


class LicenseSummary(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the licence allows. That of Stratal has no limits and no end."""

    product_info: ProductInfo
    features: Annotated[list[str], msgspec.Meta(description="The functional areas that are served.")]
    expired_features: list[str]
    license_invalid: bool
    limits: Annotated[dict[str, int], msgspec.Meta(description="Empty: nothing is limited.")]
    used_quota: UsedQuota
    expires_at: datetime | None = None
