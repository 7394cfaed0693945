"""The fields of every kind are those of the reference's tables, and the few differences are meant."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
MODELS: dict[str, Any] = json.loads((HERE / "models.json").read_text())
KINDS: dict[str, Any] = {model["plural"]: model for model in MODELS["resources"]}
SCHEMAS: dict[str, Any] = json.loads((HERE.parents[2] / "docs/openapi/neutonos.json").read_text())[
    "components"
]["schemas"]

#: Fields that Stratal has beyond the reference, each with the reason.
ADDED: dict[str, str] = {
    "User.create.password": "clear passwords over TLS, as :login already takes them in the reference",
    "User.update.password": "as for create",
    "User.update.original_password": "the clear form of encrypted_original_password",
    "VerifyPassword.password": "the clear form of encrypted_password",
    "DataCenter.create.is_witness": "the spec has it, and nothing else could set it",
    "DataCenter.update.is_witness": "as for create",
    "Rack.create.height_u": "the spec has it, and nothing else could set it",
    "Rack.update.height_u": "as for create",
    "Chassis.create.height_u": "the spec has it, and nothing else could set it",
    "Chassis.update.height_u": "as for create",
    **{
        f"BrNet.{part}.{name}": "a network's subnet: the reference has no way to make an l3-net"
        for part in ("spec", "create", "update")
        for name in ("cidr", "gateway", "dhcp", "dns_servers")
    },
    "VirtualMachine.spec.reboot_num": "a request of it shows as reconciling until it is done",
    "VirtualMachine.spec.rollback_num": "as reboot_num",
    **{
        f"VirtualMachine.{part}.cpu_model": "the cpu_mode custom says nothing without a model"
        for part in ("spec", "status", "create", "update")
    },
    "VirtualMachine.spec.rollback_vm_snap_id": "where a machine was rolled back to",
    **{
        f"VirtualMachine.status.{name}": "what a guest was booted with: a change is irreconcilable"
        for name in (
            *("bios", "boot_device_order", "socket_num", "core_num_per_socket", "thread_num_per_core"),
            *("cpu_mode", "graphics_auth_enabled", "graphics_spice_enabled", "time_zone"),
        )
    },
    "VirtualMachine.status.flattened": "whether the flattening that is wanted was done",
    "VirtualMachine.status.reboot_num": "as in the spec",
    "VirtualMachine.status.rollback_num": "as in the spec",
    "VirtualMachine.status.vm_cd_rom_num": "beside vm_disk_num and vm_nic_num",
    "VirtualMachine.status.vm_snap_num": "as vm_cd_rom_num",
    "VirtualMachine.status.accelerator": "kvm or tcg: an emulated processor must not go unnoticed",
    "VirtualMachine.status.problem": "why a machine is not as it shall be",
    **{f"{kind}.status.problem": "as for machines" for kind in ("VmDisk", "VmNic", "VmCdRom")},
    **{
        f"VirtualMachine.{verb}.{name}": "the encrypted form of graphics_password, as of users' passwords"
        for verb in ("create", "update")
        for name in ("encrypted_graphics_password", "rsa_key_id")
    },
    "VerifyGraphicsPassword.encrypted_password": "the encrypted form of password",
    "VerifyGraphicsPassword.rsa_key_id": "as encrypted_password",
    **{
        f"VmDisk.{verb}.delete_volume_with_vm": "the spec has it, and nothing else could set it"
        for verb in ("create", "update")
    },
    **{
        f"VmNic.create.{name}": "the update has it, and the spec: why not from the start"
        for name in ("in_bw_kbps", "out_bw_kbps")
    },
    **{
        f"VmImage.create.{name}": "the spec says that images are made of snapshots, and no body did"
        for name in ("vm_snap_id", "vm_disk_snap_id")
    },
    "VmNic.update.ip_address": "an interface that changes its network needs another one, or none",
    "VmCdRom.create.boot_order": "the spec has it, and nothing else could set it",
    **{
        f"VmCdRom.update.{name}": "insert and eject, beside creating and deleting a drive"
        for name in ("name", "description", "vm_image_id", "boot_order")
    },
    "VmSnap.create.quiesce": "whether the guest's file systems are frozen around the moment",
    "VmSnap.create.memory": "whether the guest's memory is kept as well",
    "VirtualMachineRollback.memory": "whether the guest goes on from the memory that was kept",
    "Event.project_id": "who may see an event is decided by its project",
    "AuditLog.request_id": "finds the lines in the log, and the answer that the client got",
    "AuditLog.created_at": "every record has one; lists are ordered by it",
}
#: Fields of the reference that Stratal does not have, each with the reason.
LEFT_OUT: dict[str, str] = {
    "User.spec.password": "write-only: it is in the bodies, and never in an answer",
    "VirtualMachine.spec.graphics_password": "as a user's password",
}

TYPES = {
    "int64": {"type": "integer", "format": "int64"},
    "string": {"type": "string"},
    "boolean": {"type": "boolean"},
    "date-time": {"type": "string", "format": "date-time"},
    "NullTime": {"$ref": "#/components/schemas/NullTime"},
    "ResourceMetaState": {"$ref": "#/components/schemas/ResourceState"},
}
WITH_SPEC = sorted(plural for plural, model in KINDS.items() if model["spec"])
FLAT = sorted(plural for plural, model in KINDS.items() if model["flat"] and plural != "tokens")


def of_base(part: str) -> dict[str, tuple[str, bool]]:
    """Name → type and whether it is always there, from a line such as `id:int64! name:string`."""
    fields = (field.partition(":") for field in MODELS["base"][part].split())
    return {name: (type_.rstrip("!"), type_.endswith("!")) for name, _, type_ in fields}


def properties(schema: str) -> dict[str, Any]:
    return SCHEMAS[schema]["properties"]


def matches(shape: dict[str, Any], type_: str) -> bool:
    """Whether a property is of the reference's type, or that or null."""
    parts = [part for part in shape.get("anyOf", [shape]) if part != {"type": "null"}]
    if len(parts) != 1:
        return False
    [part] = parts
    if type_.startswith("["):
        if part.get("type") != "array":
            return False
        inner = type_.strip("[]")
        return inner not in TYPES or matches(part["items"], inner)
    if type_ == "map":
        target = SCHEMAS[part["$ref"].rpartition("/")[2]] if "$ref" in part else part
        return target.get("type") == "object"
    if type_ == "string" and "$ref" in part:  # an enumeration
        return "enum" in SCHEMAS[part["$ref"].rpartition("/")[2]]
    if type_ == "string" and "enum" in part:
        return True
    return TYPES[type_].items() <= part.items()


def expected(kind: str, part: str, names: set[str]) -> set[str]:
    """The names of the reference, less what is left out and with what is added."""
    prefix = f"{kind}.{part}."
    out = {key.removeprefix(prefix) for key in LEFT_OUT if key.startswith(prefix)}
    added = {key.removeprefix(prefix) for key in ADDED if key.startswith(prefix)}
    assert out <= names
    assert not added & names
    return names - out | added


def of_part(plural: str, part: str) -> dict[str, tuple[str, bool]]:
    model = KINDS[plural]
    fields = {**of_base(part)}
    if part == "spec" and model["scope"] != "project":
        del fields["project_id"]
    return fields | {field["name"]: (field["type"], field["required"]) for field in model[part]}


@pytest.mark.parametrize("part", ["spec", "status"])
@pytest.mark.parametrize("plural", WITH_SPEC)
def test_spec_and_status_have_the_fields_of_the_reference(plural: str, part: str) -> None:
    kind = KINDS[plural]["kind"]
    schema = f"{kind}{part.capitalize()}"
    fields = of_part(plural, part)
    assert set(properties(schema)) == expected(kind, part, set(fields))
    for name, (type_, _) in fields.items():
        shape = properties(schema).get(name)
        assert shape is None or matches(shape, type_), f"{schema}.{name}: {shape}"


@pytest.mark.parametrize("part", ["spec", "status"])
@pytest.mark.parametrize("plural", WITH_SPEC)
def test_what_the_reference_always_has_is_required(plural: str, part: str) -> None:
    required = {name for name, (_, always) in of_part(plural, part).items() if always}
    schema = f"{KINDS[plural]['kind']}{part.capitalize()}"
    assert required <= set(SCHEMAS[schema]["required"])


def test_the_metadata_has_the_nine_fields_of_the_reference() -> None:
    fields = of_base("metadata")
    assert len(fields) == 9
    assert set(properties("ResourceMeta")) == set(fields)
    for name, shape in properties("ResourceMeta").items():
        assert matches(shape, fields[name][0]), name


def test_labels_and_states_have_the_shapes_of_the_reference() -> None:
    assert set(properties("Label")) == {
        "label_key_id",
        "label_key_name",
        "label_value_id",
        "label_value_name",
    }
    assert set(properties("ResourceState")) == {"state", "diff_fields"}
    assert set(properties("DiffFields")) == {"irreconcilable", "reconciling"}
    assert SCHEMAS["State"]["enum"] == ["active", "creating", "deleting", "reconciling"]
    assert set(properties("NullTime")) == {"Time", "Valid"}


@pytest.mark.parametrize("verb", ["create", "update"])
@pytest.mark.parametrize("plural", WITH_SPEC)
def test_bodies_take_the_fields_of_the_reference_and_no_others(plural: str, verb: str) -> None:
    model = KINDS[plural]
    schema = f"{model['kind']}{verb.capitalize()}"
    names = expected(model["kind"], verb, set(model[verb]))
    if not names:
        assert schema not in SCHEMAS
        return
    assert set(properties(schema)) == names
    assert SCHEMAS[schema]["additionalProperties"] is False
    if verb == "update":
        assert SCHEMAS[schema].get("required", []) == []


@pytest.mark.parametrize("plural", FLAT)
def test_plain_objects_have_the_fields_of_the_reference(plural: str) -> None:
    model = KINDS[plural]
    kind = "SettingsView" if model["kind"] == "Settings" else model["kind"]
    fields = {field["name"]: field for field in model["flat"]}
    added = {key.partition(".")[2] for key in ADDED if key.startswith(f"{kind}.")}
    assert set(properties(kind)) == set(fields) | added
    for name, field in fields.items():
        assert matches(properties(kind)[name], field["type"]), name
        if field["required"]:
            assert name in SCHEMAS[kind]["required"]


def test_logins_and_tokens_have_the_fields_of_the_reference() -> None:
    fields = [field["name"] for field in KINDS["tokens"]["flat"]]

    def under(prefix: str) -> set[str]:
        return {name.removeprefix(prefix) for name in fields if name.startswith(prefix)}

    assert set(properties("Login")) == under(":login.")
    assert set(properties("Reauth")) == under(":reauth-in-project.")
    assert set(properties("Token")) == under("response.")


ACTIONS = [
    (plural, path, text)
    for plural, model in KINDS.items()
    for path, text in model["actions"].items()
    if "{spec:{" in text
]
BODY_OF = {
    ":verify-password": "VerifyPassword",
    ":clone": "VirtualMachineClone",
    "{id}/:start": "VirtualMachineStart",
    "{id}/:stop": "VirtualMachineStop",
    "{id}/:reboot": "VirtualMachineReboot",
    "{id}/:migrate": "VirtualMachineMigrate",
    "{id}/:failure-migrate": "VirtualMachineMigrate",
    "{id}/:rollback": "VirtualMachineRollback",
    "{id}/:verify-gpasswd": "VerifyGraphicsPassword",
    "{id}/:allow-login": "AllowLogin",
    "{id}/:set-default-project": "SetDefaultProject",
    "{id}/projects/{project_id}/:set-role": "SetRole",
    "{id}/:add-user": "AddUser",
    "{id}/:remove-user": "RemoveUser",
    "{id}/:switch-chassis": "SwitchChassis",
    "{id}/:attach-nics": "SwitchNics",
    "{id}/:detach-nics": "SwitchNics",
    "{id}/:attach": "Labelling",
    "{id}/:detach": "Labelling",
}


@pytest.mark.parametrize(
    ("plural", "path", "text"), ACTIONS, ids=[f"{each[0]}/{each[1]}" for each in ACTIONS]
)
def test_actions_take_the_arguments_of_the_reference(plural: str, path: str, text: str) -> None:
    arguments = re.search(r"\{spec:\{([^}]*)\}\}", text)
    assert arguments
    wanted = {name.strip().rstrip("!"): name.strip().endswith("!") for name in arguments[1].split(",")}
    schema = BODY_OF[path]
    added = {key.partition(".")[2] for key in ADDED if key.startswith(f"{schema}.")}
    assert set(properties(schema)) == set(wanted) | added
    if not added:
        required = {name for name, needed in wanted.items() if needed}
        assert set(SCHEMAS[schema].get("required", [])) == required


def test_every_difference_is_one_that_there_is() -> None:
    for difference in [*ADDED, *LEFT_OUT]:
        schema, _, field = difference.rpartition(".")
        name = "".join(part[:1].upper() + part[1:] for part in schema.split("."))
        assert (field in properties(name)) == (difference in ADDED), difference
