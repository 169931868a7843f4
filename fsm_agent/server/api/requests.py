"""What a request says, read and checked by the schemas of its operation."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request

from fsm_agent.data.validation import Shape
from fsm_agent.domain.json import Json, Schema
from fsm_agent.domain.text import did_you_mean, listed
from fsm_agent.server.api.openapi import PATH_SCHEMAS
from fsm_agent.server.api.operations import HEADERS, LISTS, Operation
from fsm_agent.server.api.schemas import SCHEMAS, choices, whole
from fsm_agent.server.problems import HttpProblem

#: bytes
LARGEST_BODY: Final = 1_000_000

_INTEGER: Final = re.compile(r"-?[0-9]{1,18}")
_TRUTH: Final = {"true": True, "false": False}
#: id of a schema -> its validator
_SHAPES: Final[dict[int, Shape]] = {}


def check_path(operation: Operation, request: Request) -> None:
    """Raises ``HttpProblem`` 422 for a name in the path that can name nothing."""
    for name in operation.path_parameters:
        _check(request.path_params[name], PATH_SCHEMAS[name], name)


def read_query(operation: Operation, request: Request) -> dict[str, Any]:
    """The parameters, as values of their types. Raises ``HttpProblem`` 422 for unknown ones and for repetitions."""
    declared, query = operation.parameters, request.query_params
    found: dict[str, Any] = {}
    for name in query:
        if name not in declared:
            known = f"{did_you_mean(name, declared)}; there are {listed(declared)}"
            raise HttpProblem(422, "parameter-unknown", f"there is no parameter {name!r}{known}")
        values = query.getlist(name)
        if len(values) > 1:
            raise HttpProblem(422, "parameter-repeated", f"parameter {name!r} stands there {len(values)} times")
        found[name] = _typed(name, values[0], declared[name])
        _check(found[name], declared[name], name)
    return found


def read_headers(operation: Operation, request: Request) -> dict[str, str]:
    """The headers that count for an operation. Raises ``HttpProblem`` 422."""
    found: dict[str, str] = {}
    for name in operation.headers:
        values = request.headers.getlist(name)
        if len(values) > 1 and name not in LISTS:
            raise HttpProblem(422, "header-repeated", f"header {name} stands there {len(values)} times")
        if values:
            found[name] = ", ".join(values)
            _check(found[name], HEADERS[name], name)
    return found


async def read_body(operation: Operation, request: Request) -> Mapping[str, Any]:
    """The body. Raises ``HttpProblem``: 400 if it is no JSON, 413 if it is too large, 415 if it says that it is
    something else, 422 if it breaks its schema, 428 if it does not name what it is meant for."""
    if operation.takes is None:
        return {}
    schema = SCHEMAS[operation.takes]
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/json", ""):
        raise HttpProblem(415, "media-type", f"the body must be application/json, and says that it is {kind!r}")
    content = await read_bytes(request)
    if not content and not operation.needs_body:
        return {}
    if not kind:
        raise HttpProblem(415, "media-type", "the body must be application/json, and does not say what it is")
    body = parse(content)
    if isinstance(body, dict) and operation.precondition not in (None, *body):
        wanted = operation.precondition
        raise HttpProblem(428, f"{wanted}-unnamed", f"the body must name the {wanted} that it is meant for: `{wanted}`")
    _check(body, schema, "the body")
    return dict(body) if isinstance(body, dict) else {}


async def read_bytes(request: Request) -> bytes:
    """The body as it comes. Raises ``HttpProblem`` 413 as soon as it is too large."""
    too_large = HttpProblem(413, "body-too-large", f"the body may have {LARGEST_BODY:,} bytes, and has more")
    if int(request.headers.get("content-length", 0)) > LARGEST_BODY:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise too_large
    return bytes(body)


def parse(body: bytes) -> Json:
    """JSON as it must be: no NaN, no name twice, no half of a character. Raises ``HttpProblem`` 400."""
    try:
        value: Json = json.loads(body.decode(), parse_constant=_refuse_constant, object_pairs_hook=_unrepeated)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise HttpProblem(400, "not-json", f"the body is no JSON: {_why_not(error)}") from None
    return value


def _why_not(error: Exception) -> str:
    match error:
        case RecursionError():
            return "it is nested too deeply"
        case UnicodeDecodeError():
            return f"it is not UTF-8 from byte {error.start} on"
        case UnicodeEncodeError():
            return "a text in it has half of a surrogate pair"
        case json.JSONDecodeError() if not error.doc.strip():
            return "it is empty"
        case ValueError() if str(error).startswith("Out of range"):
            return "a number in it is larger than there are"
        case _:
            return str(error)


def _refuse_constant(token: str) -> None:
    raise ValueError(f"there is no {token} in JSON")


def _unrepeated(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return values


def _typed(name: str, text: str, schema: Schema) -> Json:
    if schema.get("type") == "integer":
        if not _INTEGER.fullmatch(text):
            raise HttpProblem(422, "parameter-invalid", f"parameter {name!r} must be an integer, and is {text!r}")
        return int(text)
    if schema.get("type") == "boolean":
        if text not in _TRUTH:
            raise HttpProblem(422, "parameter-invalid", f"parameter {name!r} must be true or false, and is {text!r}")
        return _TRUTH[text]
    return text


def _shape(schema: Schema) -> Shape:
    """The validator of a schema of the table, which lives as long as the process: it is compiled once."""
    return _SHAPES.get(id(schema)) or _SHAPES.setdefault(id(schema), Shape(whole(schema)))


def _check(value: Json, schema: Schema, what: str) -> None:
    if (allowed := choices(schema)) and value not in allowed:
        raise HttpProblem(422, "invalid", f"{what} must be one of {listed(allowed)}", allowed=[*allowed])
    try:
        problems = _shape(schema).problems(value, "")
    except ValueError as error:  # a number that is too large for the validator
        problems = [str(error)]
    if problems:
        told = [problem.removeprefix("the payload: ") for problem in problems]
        raise HttpProblem(422, "invalid", f"{what} is not valid: {told[0]}", problems=list(told))
