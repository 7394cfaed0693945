"""Every call that this face serves."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from stratal.faces.evs.call import Endpoint
from stratal.faces.evs.huawei import changes, recycle_bin, snapshot_groups, tags
from stratal.faces.evs.huawei import snapshots as huawei_snapshots
from stratal.faces.evs.huawei import volumes as huawei_volumes
from stratal.faces.evs.identity import administration, credentials, tokens
from stratal.faces.evs.image import images
from stratal.faces.evs.volume import (
    attachments,
    defaults,
    discovery,
    group_types,
    groups,
    installation,
    limits,
    manage,
    qos,
    snapshots,
    types,
    volumes,
)

_ALSO_V2: Final = (
    "/v3/volumes",
    "/v3/snapshots",
    "/v3/types",
    "/v3/os-volume-transfer",
    "/v3/os-quota-sets",
    "/v3/os-availability-zone",
    "/v3/extensions",
    "/v3/limits",
)


def _with_v2(endpoints: Iterable[Endpoint]) -> Iterator[Endpoint]:
    """Huawei's documents have the native calls under /v2 as well, always with the project's id."""
    for endpoint in endpoints:
        yield endpoint
        if endpoint.path.startswith(_ALSO_V2):
            yield replace(endpoint, path=endpoint.path.replace("/v3/", "/v2/", 1), documented=True)


ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    *tokens.ENDPOINTS,
    *administration.ENDPOINTS,
    *credentials.ENDPOINTS,
    *discovery.ENDPOINTS,
    *images.ENDPOINTS,
    *_with_v2(
        (
            *volumes.ENDPOINTS,
            *snapshots.ENDPOINTS,
            *types.ENDPOINTS,
            *attachments.ENDPOINTS,
            *limits.ENDPOINTS,
        )
    ),
    *defaults.ENDPOINTS,
    *installation.ENDPOINTS,
    *manage.ENDPOINTS,
    *group_types.ENDPOINTS,
    *groups.ENDPOINTS,
    *qos.ENDPOINTS,
    *huawei_volumes.ENDPOINTS,
    *huawei_snapshots.ENDPOINTS,
    *snapshot_groups.ENDPOINTS,
    *changes.ENDPOINTS,
    *recycle_bin.ENDPOINTS,
    *tags.ENDPOINTS,
)
