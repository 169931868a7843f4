"""CEL kinds of JSON Schemas: what a value is, as far as its schema fixes it."""

from collections.abc import Iterable, Mapping
from types import NoneType
from typing import Final, NamedTuple

from fsm_agent.domain.json import Json, Schema

#: JSON type -> CEL kind
_KINDS: Final = {
    "boolean": "bool",
    "integer": "int",
    "number": "double",
    "string": "string",
    "array": "list",
    "object": "map",
    "null": "null",
}
#: Python type -> JSON type; anything else is an object
_OF_VALUES: Final = {
    NoneType: "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    tuple: "array",
}
_ALL: Final = frozenset(_KINDS)

#: how far recursive schemas are followed
DEEPEST: Final = 8


class Kind(NamedTuple):
    """A CEL type; ``dyn`` where the schema does not fix one."""

    name: str
    is_nullable: bool = False
    #: of a list's items, of a map's values
    item: "Kind | None" = None


DYN: Final = Kind("dyn")
BOOLEAN: Final = Kind("bool")
INTEGER: Final = Kind("int")


def kind_of(schema: Schema, root: Schema | None = None, depth: int = 0) -> Kind:
    """The CEL kind of the values of ``schema``; references are looked up in ``root``."""
    root = schema if root is None else root
    schema = resolved(schema, root)
    if depth > DEEPEST:
        return DYN
    types = json_types(schema, root)
    rest = types - {"null"}
    if rest == {"integer", "number"}:
        rest = frozenset({"number"})
    if len(rest) != 1:
        return DYN
    item = kind_of(item_schema(schema, root), root, depth + 1) if "array" in rest else None
    return Kind(_KINDS[next(iter(rest))], "null" in types, item)


def json_types(schema: Schema, root: Schema | None = None, depth: int = 0) -> frozenset[str]:
    """The JSON types that values of ``schema`` may have; all of them where it does not say."""
    root = schema if root is None else root
    schema = resolved(schema, root)
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if "type" in schema:
        named = schema["type"]
        types = frozenset([named] if isinstance(named, str) else named)
        return types if values is None or None in values else types - {"null"}
    if values is not None:
        return frozenset(_OF_VALUES.get(type(value), "object") for value in values)
    for union in ("anyOf", "oneOf"):
        if union in schema and depth <= DEEPEST:
            return frozenset().union(*(json_types(branch, root, depth + 1) for branch in schema[union]))
    return _ALL


def fits(kind: Kind, schema: Schema, root: Schema | None = None) -> bool:
    """Whether some value of ``kind`` can satisfy ``schema`` by its type; an int is a number too."""
    root = schema if root is None else root
    types = json_types(schema, root)
    match kind.name:
        case "dyn":
            return True
        case "int" | "uint":
            return bool(types & {"integer", "number"})
        case "list" if kind.item is not None and "array" in types:
            return fits(kind.item, item_schema(schema, root), root)
        case name:
            return any(_KINDS[each] == name for each in types)


def item_schema(schema: Schema, root: Schema | None = None) -> Schema:
    """What a list's items must be; anything where ``schema`` does not say."""
    root = schema if root is None else root
    schema = resolved(schema, root)
    for branch in (schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())):
        items = resolved(branch, root).get("items")
        if isinstance(items, Mapping):
            return items
    return {}


def property_schema(name: str, schema: Schema, root: Schema) -> Schema:
    """What the property ``name`` of an object must be; anything where ``schema`` does not say."""
    schema = resolved(schema, root)
    for branch in (schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())):
        found = resolved(branch, root)
        declared = found.get("properties", {}).get(name, found.get("additionalProperties"))
        if isinstance(declared, Mapping):
            return declared
    return {}


def resolved(schema: Schema, root: Schema) -> Schema:
    """``schema``, or what its local ``$ref`` points to; a reference that leads nowhere allows anything."""
    seen: set[str] = set()
    while isinstance(schema, Mapping) and "$ref" in schema:
        reference = str(schema["$ref"])
        if reference in seen or not reference.startswith("#/"):
            return {}
        seen.add(reference)
        schema = _at(root, reference.removeprefix("#/").split("/"))
    return schema if isinstance(schema, Mapping) else {}


def _at(node: Json, keys: Iterable[str]) -> Json:
    for key in keys:
        node = node.get(key.replace("~1", "/").replace("~0", "~"), {}) if isinstance(node, Mapping) else {}
    return node
