"""A request for every rule of the role table: fresh targets, and a body that is sound."""

from dataclasses import dataclass
from typing import Any

from role_table import Caller, Rule, Target
from role_world import CONSOLE_PASSWORD, PASSWORD, World

IMAGE_BYTES = 512


@dataclass(frozen=True)
class Prepared:
    method: str
    path: str
    #: how the body is handed to the client
    payload: dict[str, Any]
    #: for calls that end the token that they come with
    token: str | None = None


def prepare(world: World, rule: Rule, caller: Caller) -> Prepared:
    """Make what the request needs, as the administrator, and the request."""
    method, _, route = rule.endpoint.partition(" ")
    plural = route.split("/")[1]
    spec = _spec(world, rule, caller)
    ids: dict[str, str] = {}
    if "{id}" in route:
        lasting = method == "GET" and plural.startswith(("vm-", "virtual-machines"))
        key = (plural, world.project_of(rule.target))
        made = world.lasting.get(key) if lasting else None
        ids["{id}"] = str(_target(world, plural, rule, caller) if made is None else made)
        if lasting:
            world.lasting[key] = int(ids["{id}"])
    path = route.replace("{project_id}", str(world.project_of(rule.target)))
    for name, value in ids.items():
        path = path.replace(name, value)
    if route == "/bs-volumes/{id}/:rollback":
        project = world.project_of(rule.target)
        spec = {"bs_snap_id": world.snapshot(int(ids["{id}"]), project)}
    if route == "/virtual-machines/{id}/:rollback":
        spec = {"vm_snap_id": world.moment(int(ids["{id}"]), world.project_of(rule.target))}
    if plural == "projects" and route.endswith(":remove-user"):
        world.add_to(world.project_of(rule.target), spec["user_id"])
    if plural == "chassises" and route.endswith(":switch-chassis"):
        spec["chassis_id"] = world.make("chassises", rack_id=world.rack())
    token = world.log_in(caller) if plural == "tokens" else None
    payload: dict[str, Any] = {} if method in ("GET", "DELETE") else {"json": {"spec": spec}}
    if route.endswith(":upload"):
        payload = {"content": b"\0" * IMAGE_BYTES, "headers": {"content-type": "application/octet-stream"}}
    return Prepared(method, path, payload, token)


def _target(world: World, plural: str, rule: Rule, caller: Caller) -> int:
    project = world.project_of(rule.target)
    match plural:
        case "data-centers":
            return world.make(plural)
        case "rooms":
            return world.make(plural, data_center_id=world.make("data-centers"))
        case "racks":
            return world.rack()
        case "chassises":
            return world.make(plural, rack_id=world.rack())
        case "nodes":
            return world.root.get("/nodes").json()["items"][0]["metadata"]["id"]
        case "roles":
            return world.roles["auditor"]
        case "label-keys":
            return world.make(plural, project=project)
        case "label-values":
            return world.make(plural, project=project, label_key_id=world.make("label-keys", project=project))
        case "os-releases":
            return world.root.get("/os-releases").json()["items"][0]["metadata"]["id"]
        case "bs-policies" | "vsws":
            return world.make(plural)
        case "br-nets":
            return world.network(project)
        case "nics":
            return world.nic()
        case "bridges" | "br-net-nss" | "l3-nets":
            return world.part_of_network(plural)
        case "bs-volumes":
            return world.volume(project)
        case "bs-snaps":
            return world.snapshot(world.volume(project), project)
        case "vm-images":
            return world.make(plural, project=project, format="raw", size_byte=IMAGE_BYTES)
        case "virtual-machines":
            return world.machine(project)
        case "vm-disks" | "vm-nics" | "vm-cd-roms" | "vm-snaps" | "vm-scheduling-rules":
            return world.make(plural, project=project, **_of_machine(world, plural, project))
        case "vm-disk-snaps" | "vm-nic-snaps" | "vm-cd-rom-snaps":
            return world.part_of_moment(plural, project)
        case "vm-cleanup-jobs" | "vm-disk-cleanup-jobs" | "vm-nic-cleanup-jobs":
            return world.job(plural, project)
        case "vm-migration-jobs":
            return 1
        case "events" | "audit-logs":
            found = world.root.get(f"/{plural}", params={"q": f"project_id:{project}", "limit": 1}).json()
            return found["items"][0]["id"]
        case "users":
            if rule.target is Target.OWN:
                return world.users.get(caller, 1)
            return world.user(project)
        case "projects":
            return world.make(plural) if rule.target is Target.COMMON else project
        case _:
            raise KeyError(plural)


def _spec(world: World, rule: Rule, caller: Caller) -> dict[str, Any]:
    project = world.project_of(rule.target)
    observer = world.roles["observer"]
    named = {"name": world.name()}
    match rule.endpoint:
        case "POST /rooms":
            return {**named, "data_center_id": world.make("data-centers")}
        case "POST /racks":
            return {**named, "room_id": world.make("rooms", data_center_id=world.make("data-centers"))}
        case "POST /chassises":
            return {**named, "rack_id": world.rack()}
        case "POST /chassises/{id}/:switch-chassis":
            return {"node_ids": [1], "chassis_id": 0}
        case "PATCH /settings":
            return {"ha_enabled": True}
        case "POST /label-values":
            return {**named, "label_key_id": world.make("label-keys", project=project)}
        case "POST /label-values/{id}/:attach" | "POST /label-values/{id}/:detach":
            return {
                "resource_type": "label_key",
                "resource_ids": [world.make("label-keys", project=project)],
            }
        case "POST /br-nets":
            return {**named, "vsw_id": world.make("vsws"), "vlan_id": 0}
        case "POST /vsws/{id}/:attach-nics" | "POST /vsws/{id}/:detach-nics":
            return {"nic_ids": [world.nic()]}
        case "POST /bs-volumes":
            return {**named, "bs_policy_id": world.policy(), "size_mb": 1}
        case "POST /bs-snaps":
            return {**named, "bs_volume_id": world.volume(project)}
        case "POST /bs-volumes/:clone":
            return {**named, "bs_snap_id": world.snapshot(world.volume(project), project), "flatten": False}
        case "POST /bs-volumes/{id}/:flatten":
            return {}
        case "POST /vm-images":
            return {**named, "format": "raw", "size_byte": IMAGE_BYTES}
        case "POST /virtual-machines":
            return {**named, "memory_mb": 64}
        case "POST /virtual-machines/:clone":
            return {**named, "vm_id": world.machine(project)}
        case "POST /virtual-machines/{id}/:verify-gpasswd":
            return {"password": CONSOLE_PASSWORD}
        case endpoint if (
            endpoint.startswith("POST /vm-") and "{id}" not in endpoint and "images" not in endpoint
        ):
            return {**named, **_of_machine(world, endpoint.removeprefix("POST /"), project)}
        case endpoint if endpoint.startswith("POST /virtual-machines/"):
            return {}
        case "POST /users":
            return {**named, "password": PASSWORD}
        case "POST /users/{id}/:allow-login":
            return {"allowed": True}
        case "POST /users/:verify-password":
            return {"password": PASSWORD}
        case "POST /users/{id}/:set-default-project" | "POST /tokens/:reauth-in-project":
            return {"project_id": project}
        case "PATCH /users/{id}/:ui-profile":
            return {"profile": {"theme": "dark"}}
        case "POST /users/{id}/projects/{project_id}/:set-role":
            return {"role_id": observer}
        case "POST /projects/{id}/:add-user":
            return {"user_id": world.user(), "role_id": observer}
        case "POST /projects/{id}/:remove-user":
            return {"user_id": world.user()}
        case "POST /tokens/:login":
            someone = Caller.NOBODY if caller is Caller.ANONYMOUS else caller
            return {"name": world.name_of(someone), "password": PASSWORD}
        case "POST /tokens/:logout" | "POST /rsa-keys":
            return {}
        case endpoint if endpoint.startswith("PATCH "):
            return {"description": world.name("said by")}
        case _:
            return named


def _of_machine(world: World, plural: str, project: int) -> dict[str, Any]:
    """What a new part of a machine of this project needs to say."""
    machine = world.machine(project)
    match plural:
        case "vm-disks":
            return {"vm_id": machine, "size_mb": 1, "bs_policy_id": world.policy()}
        case "vm-nics":
            return {"vm_id": machine, "br_net_id": world.network(project)}
        case "vm-scheduling-rules":
            return {"type": "vm_affinity", "vm_ids": [machine, world.machine(project)]}
        case _:
            return {"vm_id": machine}
