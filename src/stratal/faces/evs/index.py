"""Every call that this face serves."""

from typing import Final

from stratal.faces.evs.call import Endpoint
from stratal.faces.evs.identity import administration, credentials, tokens
from stratal.faces.evs.volume import attachments, discovery, limits, snapshots, types, volumes

ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    *tokens.ENDPOINTS,
    *administration.ENDPOINTS,
    *credentials.ENDPOINTS,
    *discovery.ENDPOINTS,
    *volumes.ENDPOINTS,
    *snapshots.ENDPOINTS,
    *types.ENDPOINTS,
    *attachments.ENDPOINTS,
    *limits.ENDPOINTS,
)
