"""Problems as RFC 9457 tells them: one table from errors to HTTP statuses, by what the caller can do about an error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from starlette.responses import JSONResponse

from fsm_agent.domain.json import Json
from fsm_agent.errors import Conflict, FsmAgentError, QuestionClosed
from fsm_agent.errors.kinds import ErrorKind, kind_of

MEDIA_TYPE: Final = "application/problem+json"

#: what a caller can do about an error -> the status that says so
STATUSES: Final[Mapping[ErrorKind, int]] = {
    ErrorKind.MALFORMED: 400,
    ErrorKind.FORBIDDEN: 403,
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.CONFLICT: 409,
    ErrorKind.OUTDATED: 412,
    ErrorKind.INVALID: 422,
    ErrorKind.FAILED: 500,
    ErrorKind.UNAVAILABLE: 503,
}

#: headers that belong to a status
_HEADERS: Final[Mapping[int, Mapping[str, str]]] = {
    401: {"WWW-Authenticate": "Bearer"},
    429: {"Retry-After": "1"},
    503: {"Retry-After": "1"},
}
_WORDS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class HttpProblem(Exception):
    """What is wrong with a request, as a response tells it. ``kind`` is in lower case, with hyphens."""

    def __init__(self, status: int, kind: str, detail: str, **more: Json) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        #: members beside those of the standard: problems, allowed, version
        self.more = more

    def to_json(self, path: str) -> dict[str, Json]:
        """The document; ``path`` is what was asked for."""
        return {
            "type": f"urn:fsm-agent:problem:{self.kind}",
            "title": self.kind.replace("-", " ").capitalize(),
            "status": self.status,
            "detail": self.detail,
            "instance": path,
            **self.more,
        }

    def response(self, path: str) -> JSONResponse:
        headers = dict(_HEADERS.get(self.status, {}))
        return JSONResponse(self.to_json(path), self.status, headers=headers, media_type=MEDIA_TYPE)


def problem_of(error: FsmAgentError, *, is_conditional: bool = False) -> HttpProblem:
    """An error of ours as a problem. ``is_conditional`` says whether the request named a version that it is meant for:
    else a conflict with somebody faster is no failed precondition."""
    status = STATUSES[kind_of(error)]
    if isinstance(error, Conflict) and not isinstance(error, QuestionClosed) and not is_conditional:
        status = 409
    more: dict[str, Json] = {}
    for name in ("allowed", "problems"):
        if (values := getattr(error, name, None)) is not None:
            more[name] = [str(value) for value in values]
    return HttpProblem(status, _WORDS.sub("-", type(error).__name__).lower(), str(error), **more)
