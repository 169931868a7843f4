"""Pydantic models as JSON Schema. Pydantic itself is not needed here: a model knows its schema."""

from __future__ import annotations

from typing import Any, Final, TypeGuard

from fsm_agent.jsontypes import Schema

#: Factories whose values are the same every time, and JSON. Others are the model's business, and no default of ours.
_CONTAINERS: Final = (list, dict)


def is_model(value: object) -> TypeGuard[type[Any]]:
    return isinstance(value, type) and hasattr(value, "model_json_schema")


def model_name(model: type[Any]) -> str:
    """How ``data`` names a model: ``module:Model``."""
    return f"{model.__module__}:{model.__qualname__}"


def model_schema(model: type[Any]) -> Schema:
    """The JSON Schema of a model's object, with ``default_factory=list`` and ``dict``, which pydantic leaves out."""
    schema: dict[str, Any] = model.model_json_schema()
    fields = schema.get("properties", {})
    for name, field in model.model_fields.items():
        if field.default_factory in _CONTAINERS and field.alias is None and name in fields:
            fields[name]["default"] = field.default_factory()
    return schema
