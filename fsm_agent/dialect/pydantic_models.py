"""Pydantic models as JSON Schema. Pydantic is not imported here, since a model knows its own schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeGuard

from fsm_agent.dialect.json_schema import refers
from fsm_agent.domain.json import Schema, without_annotations

#: These factories always give the same JSON value. Defaults of other factories are left to the model.
_CONTAINERS: Final = (list, dict)


def is_model(value: object) -> TypeGuard[type[Any]]:
    return isinstance(value, type) and hasattr(value, "model_json_schema")


def model_name(model: type[Any]) -> str:
    """The name of a model under ``data``: ``module:Model``."""
    return f"{model.__module__}:{model.__qualname__}"


def model_schema(model: type[Any]) -> Schema:
    """The JSON Schema of a model's object. It includes the defaults of ``list`` and ``dict``, which pydantic leaves
    out."""
    schema: dict[str, Any] = model.model_json_schema()
    fields = schema.get("properties", {})
    for name, field in model.model_fields.items():
        if field.default_factory in _CONTAINERS and field.alias is None and name in fields:
            fields[name]["default"] = field.default_factory()
    return schema


def model_fields(schema: Schema) -> dict[str, Schema] | None:
    """The fields of a model's JSON Schema, each with the ``$defs`` that it uses; ``None`` if the model is no object."""
    definitions = schema.get("$defs", {})
    root = schema
    if "$ref" in schema:  # the model contains itself
        root = definitions.get(schema["$ref"].removeprefix("#/$defs/"), {})
    if root.get("type") != "object":
        return None
    fields = root.get("properties", {})
    return {name: {**field, "$defs": definitions} if refers(field) else field for name, field in fields.items()}


def declares(model: type[Any], data: Mapping[str, Schema]) -> bool:
    """Whether a model still has the fields that were stored with a definition."""
    try:
        fields = model_fields(model_schema(model))
    except Exception:  # the class may have no schema any more
        return False
    return fields is not None and without_annotations({"properties": fields}) == without_annotations(
        {"properties": dict(data)}
    )
