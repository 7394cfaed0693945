"""What a server has and can: kinds, their fields, bodies and actions, read from its OpenAPI document.

So the generic commands know a kind that is newer than they are.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, cast

from stratal.cli.client.errors import BadArgument

JSON = dict[str, Any]

BASE_FIELDS = frozenset(
    (
        "id",
        "etag",
        "name",
        "description",
        "project_id",
        "created_at",
        "updated_at",
        "creation_finish",
        "deletion_begin",
        "deletion_finish",
        "deleted_at",
    )
)
"""The fields that every resource has."""

_SCHEMAS = "#/components/schemas/"
_ALSO_CALLED = {"virtual_machine": ("vm",)}
"""What fields and people call a kind besides its name."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of a body or an answer."""

    name: str
    #: of JSON schema: integer, number, string, boolean, array, object
    type: str
    description: str = ""
    choices: tuple[str, ...] = ()
    required: bool = False
    #: of an array: the type of its items
    items: str = ""


@dataclass(frozen=True, kw_only=True)
class Action:
    """`POST path`, with a body of these fields."""

    verb: str
    path: str
    summary: str
    fields: Mapping[str, Field]
    #: False for an action of the whole collection, such as :clone
    of_one: bool


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of resource, as a client sees it."""

    #: the path segment, such as bs-volumes
    plural: str
    #: as in resource_type, such as bs_volume
    name: str
    #: whether it has metadata, spec and status; events and audit logs are flat
    is_resource: bool
    verbs: frozenset[str]
    spec: Mapping[str, Field]
    status: Mapping[str, Field]
    create: Mapping[str, Field]
    update: Mapping[str, Field]
    actions: Mapping[str, Action] = field(default_factory=dict[str, Action])

    @property
    def words(self) -> str:
        return self.name.replace("_", " ")

    def must(self, verb: str) -> None:
        """Raises BadArgument when the kind has no such verb."""
        if verb not in self.verbs:
            raise BadArgument(reason=f"{self.plural} cannot be asked to {verb}")


class Document:
    """An OpenAPI document of the NeutonOS face."""

    def __init__(self, raw: JSON) -> None:
        self._paths: dict[str, JSON] = raw.get("paths") or {}
        components: JSON = raw.get("components") or {}
        self._schemas: dict[str, JSON] = components.get("schemas") or {}
        self.plurals = sorted(
            path.strip("/")
            for path, operations in self._paths.items()
            if path.count("/") == 1 and "get" in operations and f"{path}/{{id}}" in self._paths
        )
        self._read: dict[str, Kind] = {}
        self._names = {self._name_of(plural): plural for plural in self.plurals}

    def kind(self, text: str) -> Kind:
        """The kind that somebody means: its plural or its name, with hyphens or underscores."""
        wanted = text.replace("_", "-").lower()
        called = {plural: plural for plural in self.plurals}
        for name, plural in self._names.items():
            for each in (name, *_ALSO_CALLED.get(name, ())):
                called.setdefault(each.replace("_", "-"), plural)
        if wanted not in called:
            close = get_close_matches(wanted, called, n=3)
            hint = f"; did you mean {' or '.join(close)}?" if close else ""
            raise BadArgument(reason=f"there is no kind {text}{hint}", remedy="See them all: stratal kinds")
        plural = called[wanted]
        if plural not in self._read:
            self._read[plural] = self._kind(plural)
        return self._read[plural]

    def named(self, resource_type: str) -> Kind | None:
        """The kind with this resource_type, if it is one that can be asked for."""
        plural = self._names.get(resource_type)
        return self.kind(plural) if plural else None

    def target(self, field_name: str) -> str | None:
        """The plural that a field such as bs_policy_id or node_ids refers to, if it is one of those."""
        stem = re.sub(r"_ids?$", "", field_name)
        if stem == field_name:
            return None
        by_name = dict(self._names)
        for name, others in _ALSO_CALLED.items():
            if name in by_name:
                by_name.update(dict.fromkeys(others, by_name[name]))
        fitting = [name for name in by_name if stem == name or stem.endswith(f"_{name}")]
        return by_name[max(fitting, key=len)] if fitting else None

    # -- reading -------------------------------------------------------------------------------------

    def _kind(self, plural: str) -> Kind:
        collection, member = self._paths[f"/{plural}"], self._paths[f"/{plural}/{{id}}"]
        item = self._answer(member.get("get", {}))
        parts = item.get("properties", {})
        verbs = {"list"} | {
            verb
            for verb, method, operations in (
                ("show", "get", member),
                ("create", "post", collection),
                ("update", "patch", member),
                ("delete", "delete", member),
            )
            if method in operations
        }
        is_resource = {"metadata", "spec", "status"} <= set(parts)
        return Kind(
            plural=plural,
            name=self._name_of(plural),
            is_resource=is_resource,
            verbs=frozenset(verbs),
            spec=self._fields(parts.get("spec", {})) if is_resource else self._fields(item),
            status=self._fields(parts.get("status", {})),
            create=self._body(collection.get("post", {})),
            update=self._body(member.get("patch", {})),
            actions=self._actions(plural),
        )

    def _actions(self, plural: str) -> dict[str, Action]:
        found: dict[str, Action] = {}
        pattern = re.compile(rf"^/{re.escape(plural)}(?P<one>/\{{id\}})?/:(?P<verb>[^/]+)$")
        for path, operations in self._paths.items():
            match = pattern.match(path)
            operation = operations.get("post")
            if match is None or operation is None:
                continue
            if "application/octet-stream" in operation.get("requestBody", {}).get("content", {}):
                continue  # a stream is no body that can be typed
            found[match["verb"]] = Action(
                verb=match["verb"],
                path=path,
                summary=str(operation.get("summary", "")),
                fields=self._body(operation),
                of_one=match["one"] is not None,
            )
        return found

    def _name_of(self, plural: str) -> str:
        operation = self._paths[f"/{plural}/{{id}}"].get("get", {})
        reference = str(_schema_of_answer(operation).get("$ref", ""))
        camel = reference.removeprefix(_SCHEMAS)
        if not camel:
            return plural.replace("-", "_").removesuffix("s")
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", camel).lower()

    def _answer(self, operation: JSON) -> JSON:
        return self._resolved(_schema_of_answer(operation))

    def _body(self, operation: JSON) -> dict[str, Field]:
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        request = self._resolved(content.get("schema", {}))
        return self._fields(request.get("properties", {}).get("spec", {}))

    def _fields(self, schema: JSON) -> dict[str, Field]:
        resolved = self._resolved(schema)
        required: list[str] = resolved.get("required", [])
        return {
            name: self._field(name, below, required=name in required)
            for name, below in resolved.get("properties", {}).items()
        }

    def _field(self, name: str, schema: JSON, *, required: bool) -> Field:
        resolved = self._resolved(schema)
        type_ = str(resolved.get("type") or ("string" if "enum" in resolved else "object"))
        below = self._resolved(resolved.get("items") or {}) if type_ == "array" else {}
        return Field(
            name=name,
            type=type_,
            description=str(schema.get("description") or resolved.get("description") or ""),
            choices=tuple(str(each) for each in resolved.get("enum", ())),
            required=required,
            items=str(below.get("type", "")),
        )

    def _resolved(self, schema: JSON) -> JSON:
        """The schema itself, whatever refers to it, and of an optional one what it is when it is given."""
        if "$ref" in schema:
            return self._resolved(self._schemas.get(str(schema["$ref"]).removeprefix(_SCHEMAS), {}))
        for alternatives in ("anyOf", "oneOf", "allOf"):
            for each in cast(list[JSON], schema.get(alternatives, [])):
                if each.get("type") != "null":
                    return self._resolved(each)
        return schema


def _schema_of_answer(operation: JSON) -> JSON:
    for status, response in operation.get("responses", {}).items():
        if str(status).startswith("2"):
            return response.get("content", {}).get("application/json", {}).get("schema", {})
    return {}
