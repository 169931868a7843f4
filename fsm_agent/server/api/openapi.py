"""The OpenAPI 3.1 document of the API, made from the table of operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fsm_agent import __version__
from fsm_agent.domain.json import Json, Schema
from fsm_agent.server import problems
from fsm_agent.server.api.operations import HEADERS, Operation
from fsm_agent.server.api.schemas import AGENT_ID, NAME, SCHEMAS

#: path parameter -> schema
PATH_SCHEMAS: Final[dict[str, Schema]] = {"id": AGENT_ID, "name": NAME}

#: what every operation may answer, and those with a body besides
_ALWAYS: Final = (401, 403, 421, 429, 500, 503)
_WITH_BODY: Final = (400, 413, 415)

_MEANINGS: Final = {
    200: "Done",
    201: "Created",
    204: "There will be no more",
    400: "The body is no JSON",
    401: "No valid token",
    403: "The token lacks the scope or the namespace, or the question is for somebody else",
    404: "There is no such agent, version or workflow",
    409: "The agent does not allow it now, or the id is taken",
    412: "Meant for another version, or for a question that is closed",
    413: "The body is too large",
    415: "The body must be application/json",
    421: "The server is not the host that was asked",
    422: "Something in it is not valid",
    428: "The answer names no question",
    429: "Too many requests",
    500: "The server failed",
    503: "The store does not answer",
}


def document(operations: Sequence[Operation]) -> dict[str, Json]:
    """The document as JSON."""
    paths: dict[str, dict[str, Json]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "fsm-agent",
            "version": __version__,
            "description": "Agents as explicit state machines: start them, answer what they ask, follow their steps.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": {path: dict(methods) for path, methods in paths.items()},
        "components": {
            "schemas": {name: dict(schema) for name, schema in SCHEMAS.items()},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"bearer": []}],
    }


def _operation(operation: Operation) -> dict[str, Json]:
    found: dict[str, Json] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"Scope: `{operation.scope}`.",
        "tags": [operation.path.split("/")[2]],
        "parameters": _parameters(operation),
        "responses": _responses(operation),
    }
    if operation.takes:
        body: Json = {"application/json": {"schema": _ref(operation.takes)}}
        found["requestBody"] = {"required": True, "content": body}
    return found


def _parameters(operation: Operation) -> list[Json]:
    places: list[tuple[str, str, Schema]] = [
        *(("path", name, PATH_SCHEMAS[name]) for name in operation.path_parameters),
        *(("query", name, schema) for name, schema in operation.parameters.items()),
        *(("header", name, HEADERS[name]) for name in operation.headers),
    ]
    return [_parameter(place, name, schema) for place, name, schema in places]


def _parameter(place: str, name: str, schema: Schema) -> dict[str, Json]:
    plain = {key: value for key, value in schema.items() if key != "description"}
    found: dict[str, Json] = {"name": name, "in": place, "schema": plain}
    if "description" in schema:
        found["description"] = schema["description"]
    return {**found, "required": True} if place == "path" else found


def _responses(operation: Operation) -> dict[str, Json]:
    done = {str(status): _success(operation, status) for status in (operation.status, *operation.also)}
    statuses = {*_ALWAYS, *operation.problems, *(_WITH_BODY if operation.takes else ())}
    content: Json = {problems.MEDIA_TYPE: {"schema": _ref("Problem")}}
    wrong: dict[str, Json] = {
        str(status): {"description": _MEANINGS[status], "content": content} for status in sorted(statuses)
    }
    return {**done, **wrong}


def _success(operation: Operation, status: int) -> dict[str, Json]:
    found: dict[str, Json] = {"description": _MEANINGS[status]}
    if status != 204:
        schema: Json = _ref(operation.gives) if operation.gives else {"type": "string"}
        found["content"] = {media: {"schema": schema} for media in operation.media}
    if operation.gives_agent:
        etag: Json = {"description": "The version of the agent, in quotes.", "schema": {"type": "string"}}
        found["headers"] = {"ETag": etag}
    if status == 201:
        found["links"] = {
            name: {"operationId": name, "parameters": {"id": "$response.body#/id"}}
            for name in ("showAgent", "listSteps", "sendEvent", "cancelAgent")
        }
    return found


def _ref(name: str | None) -> dict[str, Json]:
    return {"$ref": f"#/components/schemas/{name}"}
