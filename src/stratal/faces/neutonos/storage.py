"""The endpoints of block storage, with those that are not made from a service's declaration."""

from http import HTTPStatus

from stratal.faces.neutonos.endpoint import Answer, Call, Endpoint, reading, writing
from stratal.faces.neutonos.resources import resource
from stratal.faces.neutonos.wire import item, item_type
from stratal.kernel.transaction import Transaction
from stratal.storage import BsPolicySummary, BsVolumeClone, Storage, VolumeTree

POLICIES = "Block-storage policies"
VOLUMES = "Block-storage volumes"


def storage_endpoints(storage: Storage) -> list[Endpoint]:
    policies, volumes = storage.bs_policies.kind, storage.bs_volumes.kind

    def summary(transaction: Transaction, call: Call) -> Answer:
        return storage.bs_policies.summary(transaction)

    def clone(transaction: Transaction, call: Call) -> Answer:
        return item(storage.bs_volumes.clone(transaction, call.access, call.body))

    def tree(transaction: Transaction, call: Call) -> Answer:
        return storage.trees.of_volume(transaction, call.access, call.id)

    return [
        *resource(storage.bs_policies, POLICIES),
        Endpoint(
            method="GET",
            path="/bs-policies/summary",
            resource_type=policies.name,
            profile=policies.profile,
            verb="list",
            summary="Show the capacity of all policies",
            tag=POLICIES,
            answer=BsPolicySummary,
            run=reading(summary),
        ),
        *resource(storage.bs_volumes, VOLUMES),
        Endpoint(
            method="POST",
            path="/bs-volumes/:clone",
            resource_type=volumes.name,
            profile=volumes.profile,
            verb="clone",
            summary="Create a volume that starts as a snapshot is",
            tag=VOLUMES,
            body=BsVolumeClone,
            answer=item_type(volumes),
            status=HTTPStatus.ACCEPTED,
            run=writing(clone),
        ),
        Endpoint(
            method="GET",
            path="/bs-volumes/{id}/tree",
            resource_type=volumes.name,
            profile=volumes.profile,
            verb="show",
            summary="Show the layers of a volume and of all that shares data with it",
            tag=VOLUMES,
            answer=VolumeTree,
            run=reading(tree),
        ),
        *resource(storage.bs_snaps, "Volume snapshots"),
        *resource(storage.os_releases, "Images"),
    ]
