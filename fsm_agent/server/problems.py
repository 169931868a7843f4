"""Problems as RFC 9457 tells them: one table from errors to HTTP statuses, by what the caller can do about an error.

Rules:

- What the caller can do something about is told as the error tells it, but for commands that only a terminal has.
- What only the operator can mend is told to the operator, by the log: its sentence may name places and settings of the
  server. The caller learns its kind, and that it is no fault of the request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from starlette.responses import JSONResponse

from fsm_agent.domain.json import Json
from fsm_agent.errors import (
    AgentDamaged,
    Conflict,
    EngineError,
    FsmAgentError,
    HistoryBroken,
    KeyInvalid,
    KeyMissing,
    LeaseHeld,
    MachineInvalid,
    QuestionClosed,
    RenderFailed,
    RunnerClosed,
    SettingsInvalid,
    SharedDamaged,
    StoreUrlInvalid,
    UserConflict,
    WorkflowInvalid,
)
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

#: what is invalid here was written by the operator, and not by whoever sent the request
_OF_THE_SERVER: Final = (
    EngineError,
    KeyInvalid,
    KeyMissing,
    MachineInvalid,
    SettingsInvalid,
    StoreUrlInvalid,
    WorkflowInvalid,
)
#: failures whose sentences tell of an agent or a picture, and of nothing else
_TOLD_FAILURES: Final = (AgentDamaged, SharedDamaged, HistoryBroken, RenderFailed)

#: headers that belong to a status
_HEADERS: Final[Mapping[int, Mapping[str, str]]] = {
    401: {"WWW-Authenticate": "Bearer"},
    429: {"Retry-After": "1"},
    503: {"Retry-After": "1"},
}
#: characters of a sentence
_LONGEST: Final = 1_000
_WORDS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
#: the end of a sentence that names a command
_COMMAND: Final = re.compile(r"; `fsm-agent [^`]*`[^`;]*$")


class HttpProblem(Exception):
    """What is wrong with a request, as a response tells it. ``kind`` is in lower case, with hyphens."""

    def __init__(self, status: int, kind: str, detail: str, **more: Json) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        #: members beside those of the standard: problems, allowed, version, question
        self.more = more

    def to_json(self, path: str) -> dict[str, Json]:
        """The document; ``path`` is what was asked for."""
        return {
            "type": f"urn:fsm-agent:problem:{self.kind}",
            "title": self.kind.replace("-", " ").capitalize(),
            "status": self.status,
            "detail": _cut(self.detail),
            "instance": path,
            **{name: [*map(_cut, each)] if isinstance(each, list) else each for name, each in self.more.items()},
        }

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers that belong to its status."""
        return _HEADERS.get(self.status, {})

    def response(self, path: str) -> JSONResponse:
        headers = {**self.headers, "Cache-Control": "no-store"}
        return JSONResponse(self.to_json(path), self.status, headers=headers, media_type=MEDIA_TYPE)


def _cut(text: Json) -> Json:
    """A text without its midst if it is long: what breaks a rule may be all that was sent."""
    if not isinstance(text, str) or len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 2 :]}"


def problem_of(error: FsmAgentError, *, is_conditional: bool = False) -> HttpProblem:
    """An error of ours as a problem. ``is_conditional`` says whether the request named a version that it is meant for:
    else a conflict with somebody faster is no failed precondition."""
    status = status_of(type(error), is_conditional=is_conditional)
    return HttpProblem(status, kind_name(type(error)), _detail_of(error, status), **_members_of(error))


def status_of(error: type[FsmAgentError], *, is_conditional: bool = False) -> int:
    """The status that tells of a class of errors."""
    if issubclass(error, _OF_THE_SERVER):
        return 500
    if issubclass(error, RunnerClosed):  # the server is being stopped
        return 503
    if issubclass(error, (Conflict, UserConflict)) and not is_conditional:
        return 409
    return STATUSES[kind_of(error)]


def kind_name(error: type[FsmAgentError]) -> str:
    """What the kind of problem is called that tells of a class of errors."""
    return _WORDS.sub("-", error.__name__).lower()


def _detail_of(error: FsmAgentError, status: int) -> str:
    if status == 503:
        return "the store does not answer now: ask again later, under the same Idempotency-Key if there was one"
    if status == 500 and not isinstance(error, _TOLD_FAILURES):
        return "the server cannot do this, which is no fault of the request; its log says why"
    if isinstance(error, LeaseHeld):
        return "another process works on the agent now: ask again later"
    return _COMMAND.sub("", str(error))


def _members_of(error: FsmAgentError) -> dict[str, Json]:
    """What a program can go on with: what is allowed, all that is wrong, the version and the question there are now."""
    members: dict[str, Json] = {}
    for name in ("allowed", "problems"):
        if (values := getattr(error, name, None)) is not None:
            members[name] = [str(value) for value in values]
    if isinstance(error, Conflict) and error.actual is not None:
        members["version"] = error.actual
    if isinstance(error, QuestionClosed) and error.now is not None:
        members["question"] = error.now.id
    return members
