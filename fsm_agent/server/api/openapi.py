"""The OpenAPI 3.1 document of the API, made from the table of operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fsm_agent import __version__
from fsm_agent.domain.json import Json, Schema
from fsm_agent.server import problems
from fsm_agent.server.api.operations import HEADERS, Operation
from fsm_agent.server.api.schema_parts import AGENT_ID, NAME, said
from fsm_agent.server.api.schemas import SCHEMAS

#: path parameter -> schema
PATH_SCHEMAS: Final[dict[str, Schema]] = {
    "id": said(AGENT_ID, "Id of an agent."),
    "name": said(NAME, "Name of a workflow."),
}

#: statuses of problems that every operation may have, and those with a body besides
ALWAYS: Final = (401, 403, 421, 422, 429, 500, 503)
WITH_BODY: Final = (400, 413, 415)

#: status -> what it means, here and in the documentation
MEANINGS: Final = {
    200: "Done",
    201: "Created",
    204: "There will be no more",
    400: "The body is no JSON",
    401: "No valid token",
    403: "The token lacks the scope or the namespace, or the question is for somebody else",
    404: "There is no such agent, version or workflow",
    405: "The path does not take this method",
    409: "The agent does not allow it now, or the id is taken",
    412: "Meant for another version, or for a question that is closed",
    413: "The body is too large",
    415: "The body must be application/json",
    421: "The server is not the host that was asked",
    422: "Something in it is not valid, or no such workflow can be started",
    428: "The answer names no question",
    429: "Too many requests",
    500: "The server failed",
    503: "The store does not answer",
}
_TAGS: Final = {
    "agents": "Start agents, send them events, answer them, follow them.",
    "questions": "The inbox: what agents ask.",
    "workflows": "The declarations that agents follow.",
}
_ABOUT: Final = (
    "Agents as explicit state machines: start them, answer what they ask, follow their steps. "
    "Every problem is a document of RFC 9457."
)
_TOKEN: Final = "A token that `fsm-agent token new` has made. A server without a tokens file asks for none."  # noqa: S105

#: name of a response header -> schema and meaning
_GIVEN_HEADERS: Final[dict[str, Schema]] = {
    "ETag": said({"type": "string"}, "The version of the agent, in quotes."),
    "Location": said({"type": "string"}, "Where the new agent is."),
    "Preference-Applied": said({"type": "string"}, "How long the request may have waited."),
    "Retry-After": said({"type": "integer"}, "Seconds to wait before the next try."),
    "WWW-Authenticate": said({"type": "string"}, "How a token is sent."),
}
#: status -> headers of its problem
_PROBLEM_HEADERS: Final = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}
_STREAM: Final = """id: 3
event: step
data: {"version": 3, "kind": "event", "event": "approve", "from": "deciding", "to": "granted", "by": "ana"}

event: end
data: {"reason": "ended"}

"""
_BINARY: Final = ("image/png", "application/pdf")
#: what can be done with an agent that a response has brought
_LINKED: Final = ("showAgent", "listSteps", "listEffects", "listMessages", "listChildren", "drawAgent", "sendEvent",
    "answerQuestion", "cancelAgent", "unparkAgent", "rewindAgent", "resumeAgent", "forkAgent")  # fmt: skip


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
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": what} for name, what in _TAGS.items()],
        "paths": {path: dict(methods) for path, methods in paths.items()},
        "components": {
            "schemas": {name: dict(schema) for name, schema in SCHEMAS.items()},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": _TOKEN}},
        },
        "security": [{"token": []}],
    }


def statuses_of(operation: Operation) -> list[int]:
    """The statuses of the problems that an operation may have."""
    return sorted({*ALWAYS, *operation.problems, *(WITH_BODY if operation.takes else ())})


def _operation(operation: Operation) -> dict[str, Json]:
    found: dict[str, Json] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"{operation.description} Needs the scope `{operation.scope}`.",
        "tags": [operation.path.split("/")[2]],
        "parameters": _parameters(operation),
        "responses": _responses(operation),
    }
    if operation.takes:
        body: Json = {"application/json": {"schema": _ref(operation.takes)}}
        found["requestBody"] = {"required": operation.needs_body, "content": body}
    return found


def _parameters(operation: Operation) -> list[Json]:
    places: list[tuple[str, str, Schema]] = [
        *(("path", name, PATH_SCHEMAS[name]) for name in operation.path_parameters),
        *(("query", name, schema) for name, schema in operation.parameters.items()),
        *(("header", name, HEADERS[name]) for name in operation.headers),
    ]
    return [_parameter(place, name, schema) for place, name, schema in places]


def _parameter(place: str, name: str, schema: Schema) -> dict[str, Json]:
    told = {key: schema[key] for key in ("description", "example") if key in schema}
    plain = {key: value for key, value in schema.items() if key != "example"}  # some tools look for descriptions there
    return {"name": name, "in": place, "required": place == "path", "schema": plain, **told}


def _responses(operation: Operation) -> dict[str, Json]:
    done = {str(status): _success(operation, status) for status in (operation.status, *operation.also)}
    return {**done, **{str(status): _problem(status) for status in statuses_of(operation)}}


def _problem(status: int) -> dict[str, Json]:
    content: Json = {problems.MEDIA_TYPE: {"schema": _ref("Problem")}}
    found: dict[str, Json] = {"description": MEANINGS[status], "content": content}
    return _with_headers(found, _PROBLEM_HEADERS.get(status, ()))


def _success(operation: Operation, status: int) -> dict[str, Json]:
    found: dict[str, Json] = {"description": MEANINGS[status]}
    if status != 204:
        found["content"] = {media: _content(operation, media) for media in operation.media}
    if status == 201:
        parameters: Json = {"id": "$response.body#/id"}
        found["links"] = {name: {"operationId": name, "parameters": parameters} for name in _LINKED}
    names = [
        *(["ETag"] if operation.gives_agent else []),
        *(["Location"] if operation.status == 201 else []),
        *(["Preference-Applied"] if "Prefer" in operation.headers else []),
    ]
    return _with_headers(found, names)


def _content(operation: Operation, media: str) -> Json:
    if operation.gives:
        return {"schema": _ref(operation.gives)}
    if media in _BINARY:
        return {"schema": {"type": "string", "format": "binary"}}
    if media == "text/event-stream":  # no version of OpenAPI that is in use has words for it
        return {"schema": {"description": "Server-sent events."}, "example": _STREAM}
    return {"schema": {"type": "string"}}


def _with_headers(response: dict[str, Json], names: Sequence[str]) -> dict[str, Json]:
    headers: dict[str, Json] = {}
    for name in names:
        schema = {key: value for key, value in _GIVEN_HEADERS[name].items() if key != "description"}
        headers[name] = {"description": _GIVEN_HEADERS[name]["description"], "schema": schema}
    return {**response, "headers": headers} if headers else response


def _ref(name: str | None) -> dict[str, Json]:
    return {"$ref": f"#/components/schemas/{name}"}
