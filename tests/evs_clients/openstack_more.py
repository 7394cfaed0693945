"""Images, groups, types and services through openstacksdk and cinderclient. Says what it saw."""

import json
import os
import time
from typing import Any

import openstack
from cinderclient import client as cinder_client
from keystoneauth1 import loading, session

wanted = {
    "auth_url": os.environ["AUTH_URL"],
    "username": os.environ["USERNAME"],
    "password": os.environ["PASSWORD"],
    "project_name": os.environ["PROJECT_NAME"],
    "user_domain_name": "Default",
    "project_domain_name": "Default",
}
cloud: Any = openstack.connect(auth=wanted, region_name=None)
keystone = session.Session(auth=loading.get_plugin_loader("password").load_from_options(**wanted))
cinder: Any = cinder_client.Client("3.66", session=keystone)
seen: dict[str, object] = {}

volume = cinder.volumes.create(1, name="more")
while cinder.volumes.get(volume.id).status != "available":
    time.sleep(0.05)
_, uploaded = cinder.volumes.upload_to_image(volume, False, "more-image", "bare", "qcow2", "private", False)
image_id = uploaded["os-volume_upload_image"]["image_id"]
while (image := cloud.image.get_image(image_id)).status != "active":
    time.sleep(0.05)
seen["image"] = [
    image.name,
    image.disk_format,
    image.min_disk,
    cloud.image.find_image("more-image").id == image_id,
]
content = cloud.image.download_image(image, stream=False).content
seen["magic"] = content[:3].decode()
made = cloud.block_storage.create_volume(size=1, name="of-image", image_id=image_id)
made = cloud.block_storage.wait_for_status(made, "available", interval=0.1, wait=20)
seen["bootable"] = made.is_bootable
cloud.image.delete_image(image_id)
seen["listed"] = [each.name for each in cloud.image.images()]

kind = cinder.volume_types.create("more-type")
record = cinder.volume_encryption_types.create(kind, {"provider": "luks", "control_location": "front-end"})
seen["encryption"] = cinder.volume_encryption_types.get(kind).provider
cinder.volume_encryption_types.delete(kind)
cinder.default_types.create("more-type", os.environ["PROJECT_ID"])
seen["default"] = cinder.default_types.list(os.environ["PROJECT_ID"]).volume_type_id == kind.id
cinder.default_types.delete(os.environ["PROJECT_ID"])
seen["class"] = cinder.quota_classes.get("default").snapshots
[service] = [each for each in cinder.services.list() if each.host.endswith("@more-type")]
seen["disabled"] = cinder.services.disable(service.host, "cinder-volume").status
seen["enabled"] = cinder.services.enable(service.host, "cinder-volume").status
seen["capabilities"] = cinder.capabilities.get(service.host).volume_backend_name
seen["messages"] = [each.id for each in cinder.messages.list()]
seen["filters"] = "volume" in {each.resource for each in cinder.resource_filters.list()}
seen["clusters"] = list(cinder.clusters.list())
seen["extensions"] = len(list(cloud.block_storage.extensions())) > 5

group_type = cinder.group_types.create("more-group", None)
group_type.set_keys({"consistent_group_snapshot_enabled": "<is> True"})
seen["specs"] = group_type.get_keys()
group_type.unset_keys(["consistent_group_snapshot_enabled"])
group = cinder.groups.create(group_type.id, "default", name="g")
inside = cinder.volumes.create(1, group_id=group.id)
while cinder.volumes.get(inside.id).status != "available":
    time.sleep(0.05)
moment = cinder.group_snapshots.create(group.id, name="m")
while cinder.group_snapshots.get(moment.id).status != "available":
    time.sleep(0.05)
cinder.group_snapshots.reset_state(moment.id, "error")
seen["moment"] = cinder.group_snapshots.get(moment.id).status
print(json.dumps(seen))
