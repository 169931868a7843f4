"""The reference of the API in Markdown, made from its OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from fsm_agent.server.api.openapi import ALWAYS, MEANINGS, WITH_BODY, document
from fsm_agent.server.api.problem_kinds import problem_kinds
from fsm_agent.server.api.table import OPERATIONS

#: what stands in the page above the reference
MARK: Final = "<!-- From here on `make http-api` writes this page from the OpenAPI document. -->"


def written(page: str) -> str:
    """A page with the reference as it is now."""
    introduction, _, _ = page.partition(MARK)
    return f"{introduction}{MARK}\n\n{reference()}"


def reference() -> str:
    """All operations, problems and schemas."""
    api: Any = document(OPERATIONS)
    parts = [*_overview(), *_operations(api), *_problems(), *_schemas(api["components"]["schemas"])]
    return "\n\n".join(parts) + "\n"


def _overview() -> Iterator[str]:
    yield "## Operations"
    rows = [
        (f"[`{each.method} {each.path}`](#{each.name.lower()})", each.summary, f"`{each.scope}`") for each in OPERATIONS
    ]
    yield _table(("", "", "scope"), rows)
    yield (
        f"Each of them may answer with {_codes(ALWAYS)}, and those with a body also with {_codes(WITH_BODY)}. "
        "Each takes `?namespace=`, which is needed if the token counts in several."
    )


def _operations(api: Any) -> Iterator[str]:
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            yield f"### {operation['operationId']}"
            yield f"`{method.upper()} {path}`"
            yield f"{operation['summary']}. {operation['description']}"
            yield from _parameters(operation["parameters"])
            yield from _body(api, operation)
            yield from _answers(operation)


def _parameters(parameters: list[Any]) -> Iterator[str]:
    rows = [
        (f"`{each['name']}`", each["in"], _value(each["schema"]), each.get("description", ""))
        for each in parameters
        if each["name"] != "namespace"
    ]
    if rows:
        yield _table(("parameter", "in", "value", ""), rows)


def _body(api: Any, operation: Any) -> Iterator[str]:
    if "requestBody" not in operation:
        return
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    needed = "" if operation["requestBody"]["required"] else ", which may be left out"
    yield f"The body is a {_value(schema)}{needed}."
    for example in api["components"]["schemas"][_name(schema)].get("examples", ()):
        yield f"```json\n{json.dumps(example)}\n```"


def _answers(operation: Any) -> Iterator[str]:
    rows = []
    for code, response in operation["responses"].items():
        content = response.get("content", {})
        if "application/problem+json" in content:
            if int(code) not in (*ALWAYS, *WITH_BODY):
                rows.append((code, "a problem", response["description"]))
        else:
            rows.append((code, _given(content), _with_headers(response)))
    yield _table(("status", "gives", ""), rows)


def _given(content: Mapping[str, Any]) -> str:
    if not content:
        return "nothing"
    schema = content.get("application/json", {}).get("schema")
    return _value(schema) if schema else ", ".join(f"`{media}`" for media in content)


def _with_headers(response: Any) -> str:
    names = ", ".join(f"`{name}`" for name in response.get("headers", ()))
    return f"{response['description']}; headers: {names}" if names else str(response["description"])


def _problems() -> Iterator[str]:
    yield "## Problem kinds"
    yield _table(("status", ""), [(str(status), meaning) for status, meaning in MEANINGS.items() if status >= 400])
    yield "The `type` of a problem is `urn:fsm-agent:problem:` and one of these:"
    yield _table(
        ("kind", "status", ""), [(f"`{each.name}`", str(each.status), each.meaning) for each in problem_kinds()]
    )


def _schemas(schemas: Mapping[str, Any]) -> Iterator[str]:
    yield "## Schemas"
    yield "A field in *italics* may be missing."
    for name, schema in schemas.items():
        yield f"### {name}"
        yield str(schema["description"])
        if "properties" in schema:
            yield _fields(schema)
        else:
            yield f"{_value(schema).capitalize()}."


def _fields(schema: Any) -> str:
    required = schema.get("required", ())
    rows = [
        (f"`{name}`" if name in required else f"*`{name}`*", _value(each), each.get("description", ""))
        for name, each in schema["properties"].items()
    ]
    return _table(("field", "value", ""), rows)


def _value(schema: Any) -> str:
    """What a value may be, in a few words."""
    if "$ref" in schema:
        name = _name(schema)
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_value(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    types = schema.get("type", "anything")
    return " or ".join(_of_type(each, schema) for each in ([types] if isinstance(types, str) else types))


def _of_type(kind: str, schema: Any) -> str:
    match kind:
        case "array":
            return f"array of {_value(schema['items'])}"
        case "string" if schema.get("format") == "date-time":
            return "time"
        case "object" if isinstance(schema.get("additionalProperties"), dict):
            return f"object of {_value(schema['additionalProperties'])}"
        case "integer" | "string":
            return f"{kind}{_bounds(schema)}"
        case _:
            return kind


def _bounds(schema: Any) -> str:
    if "pattern" in schema:
        return f" `{schema['pattern']}`".replace("|", "\\|")
    told = [
        *([f"from {schema['minimum']}"] if schema.get("minimum", 0) > 0 else []),
        *([f"up to {schema['maximum']:,}"] if schema.get("maximum", 10**9) < 10**9 else []),
        *([f"1 to {schema['maxLength']} characters"] if "maxLength" in schema else []),
        *([f"by default {schema['default']}"] if "default" in schema else []),
    ]
    return f" {', '.join(told)}" if told else ""


def _name(schema: Any) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _codes(statuses: Iterable[int]) -> str:
    *others, last = map(str, statuses)
    return f"{', '.join(others)} and {last}"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
