"""QoS specs: kept and shown with the types that have them. The speed of volumes is their policy's."""

from typing import Any, Final

from stratal.faces.evs.call import Call, Endpoint, Mode
from stratal.faces.evs.faults import Fault, bad_request
from stratal.kernel.kind import Profile
from stratal.kernel.transaction import Transaction
from stratal.storage.block.qos import QosSpecs
from stratal.storage.block.types import VolumeType
from stratal.storage.bs_policy.model import BS_POLICY


def _shown(call: Call, found: QosSpecs) -> dict[str, Any]:
    return {"id": found.uuid, "name": found.name, "consumer": found.consumer, "specs": found.specs}


def _links(call: Call, found: QosSpecs) -> list[dict[str, str]]:
    path = f"qos-specs/{found.uuid}"
    return [
        {"rel": "self", "href": f"{call.base}/v3/{path}"},
        {"rel": "bookmark", "href": f"{call.base}/{path}"},
    ]


def _specs(call: Call) -> dict[str, str]:
    specs = call.object.get("qos_specs")
    if not isinstance(specs, dict):
        raise bad_request("Missing required element 'qos_specs' in request body.")
    pairs: dict[str, str] = {}
    for key, value in specs.items():  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        if not isinstance(value, str):
            raise bad_request(f"Invalid input for field/attribute {key!s:.64}. It is not of type 'string'")
        pairs[str(key)] = value  # pyright: ignore[reportUnknownArgumentType]
    return pairs


def list_all(transaction: Transaction, call: Call) -> dict[str, Any]:
    return {"qos_specs": [_shown(call, each) for each in call.services.storage.block.qos.all(transaction)]}


def show(transaction: Transaction, call: Call) -> dict[str, Any]:
    found = call.services.storage.block.qos.show(transaction, call.parts["id"])
    return {"qos_specs": _shown(call, found), "links": _links(call, found)}


def create(transaction: Transaction, call: Call) -> dict[str, Any]:
    specs = _specs(call)
    name, consumer = specs.pop("name", "").strip(), specs.pop("consumer", "back-end")
    if not name or len(name) > 255:
        raise bad_request("Invalid input for field/attribute name. It must have 1 to 255 characters.")
    if consumer not in ("back-end", "front-end", "both"):
        raise bad_request("Valid consumer of QoS specs are: ['back-end', 'both', 'front-end'].")
    made = call.services.storage.block.qos.create(transaction, call.access, name, consumer, specs)
    return {"qos_specs": _shown(call, made), "links": _links(call, made)}


def update(transaction: Transaction, call: Call) -> dict[str, Any]:
    specs = _specs(call)
    call.services.storage.block.qos.change(transaction, call.access, call.parts["id"], specs)
    return {"qos_specs": specs}


def delete(transaction: Transaction, call: Call) -> None:
    force = (call.parameter("force") or "").lower() == "true"
    call.services.storage.block.qos.delete(transaction, call.access, call.parts["id"], force=force)


def delete_keys(transaction: Transaction, call: Call) -> None:
    keys = call.object.get("keys")
    if not isinstance(keys, list):
        raise bad_request("Missing required element 'keys' in request body.")
    names = [str(key) for key in keys]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    call.services.storage.block.qos.drop(transaction, call.access, call.parts["id"], names)


def _type(transaction: Transaction, call: Call) -> int:
    uuid = call.parameter("vol_type_id")
    if not uuid:
        raise bad_request("Volume Type id must not be None.")
    return call.id_of(transaction, BS_POLICY, uuid, "Volume type")


def associate(transaction: Transaction, call: Call) -> None:
    qos, id = call.services.storage.block.qos, _type(transaction, call)
    found = qos.show(transaction, call.parts["id"])
    call.services.storage.block.types.associate(transaction, id, found.uuid)


def disassociate(transaction: Transaction, call: Call) -> None:
    qos, id = call.services.storage.block.qos, _type(transaction, call)
    found = qos.show(transaction, call.parts["id"])
    if call.services.storage.block.types.show(transaction, call.access, id).qos_uuid != found.uuid:
        raise Fault(404, "The volume type does not have these QoS specs.")
    call.services.storage.block.types.associate(transaction, id, None)


def disassociate_all(transaction: Transaction, call: Call) -> None:
    for each in _of_types(transaction, call):
        call.services.storage.block.types.associate(transaction, each.id, None)


def associations(transaction: Transaction, call: Call) -> dict[str, Any]:
    return {
        "qos_associations": [
            {"association_type": "volume_type", "id": each.uuid, "name": each.name}
            for each in _of_types(transaction, call)
        ]
    }


def _of_types(transaction: Transaction, call: Call) -> list[VolumeType]:
    found = call.services.storage.block.qos.show(transaction, call.parts["id"])
    types = call.services.storage.block.types.all(transaction, call.access)
    return [each for each in types if each.qos_uuid == found.uuid]


def _row(method: str, path: str, run: Any, verb: str, status: int = 200, *, writes: bool = True) -> Endpoint:
    return Endpoint(
        method=method,
        path=f"/v3/qos-specs{path}",
        run=run,
        kind="volume_qos",
        verb=verb,
        profile=Profile.INFRASTRUCTURE,
        status=status,
        mode=Mode.WRITE if writes else Mode.READ,
        conflict=409 if method == "POST" else 400,
    )


ENDPOINTS: Final = (
    _row("GET", "", list_all, "list", writes=False),
    _row("POST", "", create, "create"),
    _row("GET", "/{id}", show, "show", writes=False),
    _row("PUT", "/{id}", update, "update"),
    _row("DELETE", "/{id}", delete, "delete", 202),
    _row("PUT", "/{id}/delete_keys", delete_keys, "update", 202),
    _row("GET", "/{id}/associations", associations, "show", writes=False),
    # that these change something by GET is Cinder's own
    _row("GET", "/{id}/associate", associate, "update", 202),
    _row("GET", "/{id}/disassociate", disassociate, "update", 202),
    _row("GET", "/{id}/disassociate_all", disassociate_all, "update", 202),
)
