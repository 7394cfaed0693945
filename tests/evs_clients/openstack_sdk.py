"""The life of volumes and snapshots through openstacksdk. Says what it saw."""

import json
import os
from typing import Any

import openstack
from openstack import exceptions

cloud: Any = openstack.connect(
    auth_url=os.environ["AUTH_URL"],
    username=os.environ["USERNAME"],
    password=os.environ["PASSWORD"],
    project_name=os.environ["PROJECT_NAME"],
    user_domain_name="Default",
    project_domain_name="Default",
    region_name="RegionOne",
)
block: Any = cloud.block_storage
seen: dict[str, object] = {}


def settle(volume: Any, status: str = "available") -> Any:
    return block.wait_for_status(volume, status=status, failures=["error"], interval=1, wait=30)


volume = settle(block.create_volume(name="sdk", size=1, metadata={"a": "b"}))
seen["found"] = block.find_volume("sdk").id == volume.id
snapshot = block.create_snapshot(name="sdk-s", volume_id=volume.id, metadata={"x": "y"})
snapshot = block.wait_for_status(snapshot, status="available", failures=["error"], interval=1, wait=30)
seen["snapshot"] = [snapshot.name, snapshot.metadata, snapshot.size]
block.set_volume_metadata(volume, c="d")
seen["metadata"] = dict(block.get_volume_metadata(volume).metadata)
block.delete_volume_metadata(volume, ["a"])
block.extend_volume(volume, 2)
seen["size"] = settle(block.get_volume(volume)).size
block.delete_snapshot(snapshot)
block.wait_for_delete(snapshot, interval=1, wait=30)
again = block.create_snapshot(name="sdk-t", volume_id=volume.id)
again = block.wait_for_status(again, status="available", failures=["error"], interval=1, wait=30)
block.revert_volume_to_snapshot(volume, again)
settle(block.get_volume(volume))
copy = settle(block.create_volume(name="sdk-c", snapshot_id=again.id, size=3))
seen["copy"] = [copy.snapshot_id == again.id, copy.size]
block.reserve_volume(volume)
seen["reserved"] = block.get_volume(volume).status
block.unreserve_volume(volume)
block.set_volume_bootable_status(volume, True)
seen["bootable"] = block.get_volume(volume).is_bootable
block.update_volume(volume, name="sdk-2")
seen["listed"] = sorted(each.name for each in block.volumes(limit=1) if each.name.startswith("sdk"))
seen["types"] = [each.name for each in block.types()][-1]
transfer = block.create_transfer(volume_id=copy.id, name="t")
seen["transfer"] = block.get_volume(copy.id).status
block.delete_transfer(transfer)
seen["limits"] = block.get_limits().absolute.total_volumes_used > 1
seen["quota"] = block.get_quota_set(cloud.current_project_id).gigabytes
seen["zones"] = [each.name for each in block.availability_zones()]
try:
    block.get_volume("00000000-0000-0000-0000-000000000000")
except exceptions.NotFoundException as error:
    seen["missing"] = error.details
for gone, options in ((copy, {}), (volume, {"cascade": True})):
    block.delete_volume(gone, **options)
    block.wait_for_delete(gone, interval=1, wait=30)
print(json.dumps(seen))
