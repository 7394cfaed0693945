"""The OpenAPI 3.1 document of this face, made from the table of endpoints. Committed, and checked for drift.

Called by the composition root and by `stratal openapi`.
"""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from stratal import __version__
from stratal.faces.neutonos import formats
from stratal.faces.neutonos.dispatch import REQUEST_ID_HEADER, TOKEN_HEADER
from stratal.faces.neutonos.endpoint import Endpoint, request_type
from stratal.faces.neutonos.problems import STATUS, Problem
from stratal.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    PreconditionFailed,
    StratalError,
    TooLarge,
    TooSlow,
    Unauthenticated,
    Unavailable,
    UnsupportedMedia,
)
from stratal.kernel.fields import INT64_MAX

_LIST_PARAMETERS = {
    "q": 'Filter, Lucene style: spec.name:foo, spec.id:(1 2), spec.name:~"web.*", AND, OR, NOT, parentheses.',
    "sort": "Order, such as spec.created_at:desc,spec.name:asc.",
    "limit": "Items at most, up to 1000; -1 for as many.",
    "offset": "Items to pass over.",
    "index": "Another name for offset.",
}


def openapi_document(endpoints: Sequence[Endpoint], prefix: str) -> dict[str, Any]:
    """The document, with paths and schemas in a stable order."""
    types: list[Any] = [Problem]
    for endpoint in endpoints:
        if endpoint.body is not None:
            types.append(request_type(endpoint.body))
        if endpoint.answer is not None:
            types.append(endpoint.answer)
    unique = list(dict.fromkeys(types))
    references, components = msgspec.json.schema_components(
        unique, ref_template="#/components/schemas/{name}"
    )
    formats.complete(components, unique)
    schema_of = dict(zip(unique, references, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in sorted(endpoints, key=lambda each: (each.path, each.method)):
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Stratal: the NeutonOS face",
            "version": __version__,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": (
                "A write answers 202 as soon as it is durable; poll the resource until its "
                "metadata.state.state is `active`, or until it is gone. Paths may end with a slash."
            ),
        },
        "servers": [{"url": prefix}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": TOKEN_HEADER}},
        },
    }


def openapi_json(endpoints: Sequence[Endpoint], prefix: str) -> bytes:
    """The document as the file that is committed."""
    encoded = msgspec.json.encode(openapi_document(endpoints, prefix), order="deterministic")
    return msgspec.json.format(encoded, indent=2) + b"\n"


def _operation(endpoint: Endpoint, schema_of: dict[Any, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.operation_id,
        "summary": endpoint.summary,
        "tags": [endpoint.tag],
        "parameters": _parameters(endpoint),
        "responses": _responses(endpoint, schema_of),
    }
    if endpoint.public:
        operation["security"] = []
    if endpoint.body is not None:
        request = request_type(endpoint.body)
        operation["requestBody"] = {
            "required": msgspec.structs.fields(request)[0].required,
            "content": {"application/json": {"schema": schema_of[request]}},
        }
    elif endpoint.streams_in:
        binary = {"schema": {"type": "string", "format": "binary"}}
        operation["requestBody"] = {
            "required": True,
            "content": dict.fromkeys(endpoint.streams_in, binary),
        }
    return operation


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer", "format": "int64", "minimum": 1, "maximum": INT64_MAX},
        }
        for name in re.findall(r"\{(\w+)\}", endpoint.path)
    ]
    parameters += [
        {
            "name": parameter.name,
            "in": parameter.place,
            "description": parameter.description,
            "schema": dict(parameter.schema),
        }
        for parameter in endpoint.parameters
    ]
    if endpoint.lists:
        parameters += [
            {"name": name, "in": "query", "description": description, "schema": _list_schema(name)}
            for name, description in _LIST_PARAMETERS.items()
        ]
    if endpoint.conditional:
        parameters.append(
            {
                "name": "If-Match",
                "in": "header",
                "description": "The etag that the resource must still have.",
                "schema": {"type": "string"},
            }
        )
    return parameters


def _list_schema(name: str) -> dict[str, Any]:
    if name in ("q", "sort"):
        return {"type": "string", "maxLength": 4096}
    least, most = (-1, 1000) if name == "limit" else (0, INT64_MAX)
    return {"type": "integer", "format": "int64", "minimum": least, "maximum": most}


def _responses(endpoint: Endpoint, schema_of: dict[Any, Any]) -> dict[str, Any]:
    headers: dict[str, Any] = {REQUEST_ID_HEADER: {"schema": {"type": "string"}}}
    if "spec" in getattr(endpoint.answer, "__struct_fields__", ()):
        description = "The etag of the answer's spec, for If-Match."
        headers["etag"] = {"schema": {"type": "string"}, "description": description}
    success: dict[str, Any] = {"description": endpoint.status.phrase, "headers": headers}
    if endpoint.answer is not None:
        success["content"] = {"application/json": {"schema": schema_of[endpoint.answer]}}
    for media_type in endpoint.streams_out:
        content = success.setdefault("content", {})
        content[media_type] = {"schema": {"type": "string", "format": "binary"}}
    responses = {str(endpoint.status.value): success}
    for error in _errors(endpoint):
        status = STATUS[error]
        responses[str(status.value)] = {
            "description": status.phrase,
            "content": {"application/json": {"schema": schema_of[Problem]}},
        }
    return dict(sorted(responses.items()))


def _errors(endpoint: Endpoint) -> list[type[StratalError]]:
    errors: list[type[StratalError]] = [Unavailable]
    if not endpoint.public:
        errors += [Unauthenticated, Forbidden]
    if "{" in endpoint.path:
        errors += [NotFound, Invalid]
    if endpoint.body is not None:
        errors += [Invalid, Conflict, TooLarge, TooSlow, UnsupportedMedia]
        if endpoint.verb == "login":
            errors.append(Unauthenticated)
    if endpoint.streams_in:
        errors += [Conflict, TooLarge, TooSlow, UnsupportedMedia]
    if endpoint.streams_out:
        errors.append(Conflict)
    if endpoint.lists:
        errors.append(Invalid)
    if endpoint.conditional:
        errors += [Conflict, PreconditionFailed]
    return errors
