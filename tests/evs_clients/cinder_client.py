"""The life of volumes and snapshots through python-cinderclient. Says what it saw."""

import json
import os
import time
from typing import Any

from cinderclient import client as cinder
from cinderclient import exceptions
from keystoneauth1.identity import v3
from keystoneauth1.session import Session

auth = v3.Password(
    auth_url=os.environ["AUTH_URL"],
    username=os.environ["USERNAME"],
    password=os.environ["PASSWORD"],
    project_name=os.environ["PROJECT_NAME"],
    user_domain_name="Default",
    project_domain_name="Default",
)
seen: dict[str, object] = {}


def connected(version: str) -> Any:
    return cinder.Client(version, session=Session(auth=auth))


def settled(manager: Any, item: Any, status: str = "available") -> Any:
    deadline = time.monotonic() + 30
    while (found := manager.get(item.id)).status != status:
        assert time.monotonic() < deadline, found.status
        time.sleep(0.05)
    return found


for version in ("3.0", "3.66"):
    client = connected(version)
    volume = settled(client.volumes, client.volumes.create(1, name=f"cc-{version}"))
    snapshot = client.volume_snapshots.create(volume.id, name="s", metadata={"a": "b"})
    snapshot = settled(client.volume_snapshots, snapshot)
    seen[version] = [snapshot.metadata, snapshot.size, hasattr(volume, "volume_type_id")]
    client.volume_snapshots.set_metadata(snapshot, {"c": "d"})
    client.volume_snapshots.update(snapshot, name="t")
    client.volumes.extend(volume, 2)
    settled(client.volumes, volume)
    try:
        client.volumes.delete(volume)
    except exceptions.BadRequest as error:
        seen[f"refused {version}"] = error.code
    client.volume_snapshots.delete(snapshot)
    while any(each.id == snapshot.id for each in client.volume_snapshots.list()):
        time.sleep(0.05)
    client.volumes.delete(volume)
    while any(each.id == volume.id for each in client.volumes.list()):
        time.sleep(0.05)

client = connected("3.66")
paged = [client.volumes.create(1, name=f"page-{number}") for number in range(3)]
seen["pages"] = len(
    [each for each in client.volumes.list(limit=1000, sort="name:asc") if each.name[:4] == "page"]
)
attachment = client.attachments.create(
    settled(client.volumes, paged[0]).id, None, "11111111-1111-1111-1111-111111111112"
)
seen["attachment"] = attachment["status"]
client.attachments.delete(attachment["id"])
seen["services"] = sorted({each.binary for each in client.services.list()})
seen["pools"] = len(client.pools.list(detailed=True)) > 0
client.quotas.update(os.environ["PROJECT_ID"], snapshots=100)
seen["quota"] = client.quotas.get(os.environ["PROJECT_ID"]).snapshots
client.quotas.delete(os.environ["PROJECT_ID"])
for each in paged:
    settled(client.volumes, each)
    client.volumes.reset_state(each, "error")
    client.volumes.force_delete(each)
print(json.dumps(seen))
