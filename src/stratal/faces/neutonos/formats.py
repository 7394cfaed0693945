"""Formats that msgspec leaves out of the schemas it makes: `date-time` and `int64`. Called by `openapi`."""

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import inspect


def complete(components: dict[str, dict[str, Any]], types: Sequence[Any]) -> None:
    """Write the formats into the schemas that were made of these types."""
    for struct in _structs(inspect.multi_type_info(types), set()):
        properties: dict[str, Any] = components[struct.cls.__name__]["properties"]
        for field in struct.fields:
            _annotate(properties[field.encode_name], field.type)


def _structs(types: Sequence[inspect.Type], seen: set[type]) -> Iterator[inspect.StructType]:
    for each in types:
        if isinstance(each, inspect.StructType):
            if each.cls not in seen:
                seen.add(each.cls)
                yield each
                yield from _structs([field.type for field in each.fields], seen)
        else:
            yield from _structs(_below(each), seen)


def _below(of: inspect.Type) -> list[inspect.Type]:
    match of:
        case inspect.UnionType():
            return list(of.types)
        case inspect.ListType() | inspect.VarTupleType() | inspect.CollectionType():
            return [of.item_type]
        case inspect.DictType():
            return [of.value_type]
        case inspect.Metadata():
            return [of.type]
        case _:
            return []


def _annotate(schema: dict[str, Any], of: inspect.Type) -> None:
    match of:
        case inspect.Metadata():
            _annotate(schema, of.type)
        case inspect.DateTimeType():
            schema["format"] = "date-time"
        case inspect.IntType():
            schema["format"] = "int64"
        case inspect.ListType() if "items" in schema:
            _annotate(schema["items"], of.item_type)
        case inspect.UnionType() if "anyOf" in schema:
            for part, member in zip(schema["anyOf"], of.types, strict=True):
                _annotate(part, member)
        case _:
            pass
