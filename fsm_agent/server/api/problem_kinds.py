"""The kinds of problems that the API tells, for who has to deal with them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from fsm_agent import errors
from fsm_agent.errors import FsmAgentError
from fsm_agent.server.problems import kind_name, status_of


class ProblemKind(NamedTuple):
    """One kind of problem."""

    status: int
    #: the end of its ``type``
    name: str
    meaning: str


#: of requests, whatever they ask for
_OF_REQUESTS: Final = (
    ProblemKind(400, "body-cut-off", "the connection ended before the body did"),
    ProblemKind(400, "not-json", "the body is no JSON, or has a name twice, NaN, or half of a character"),
    ProblemKind(401, "unauthorized", "no token, or none that counts"),
    ProblemKind(403, "cross-site", "a page of another site has made a browser ask"),
    ProblemKind(403, "namespace-forbidden", "the token does not count in this namespace"),
    ProblemKind(403, "scope-missing", "the token lacks the scope"),
    ProblemKind(404, "not-found", "there is nothing at this path"),
    ProblemKind(404, "workflow-unknown", "no workflow has this name"),
    ProblemKind(405, "method-not-allowed", "the path does not take this method; `Allow` tells which it takes"),
    ProblemKind(413, "body-too-large", "the body has more than 1,000,000 bytes"),
    ProblemKind(415, "media-type", "the body is not said to be `application/json`"),
    ProblemKind(421, "host-unknown", "the `Host` header names another server"),
    ProblemKind(422, "header-repeated", "a header stands there twice"),
    ProblemKind(
        422, "invalid", "the body, a header or a parameter breaks its schema; `problems` has all that is wrong"
    ),
    ProblemKind(422, "namespace-unnamed", "the token counts in several namespaces, and none is named"),
    ProblemKind(422, "parameter-invalid", "a parameter is not of its type"),
    ProblemKind(422, "parameter-repeated", "a parameter stands there twice"),
    ProblemKind(422, "parameter-unknown", "the operation has no such parameter"),
    ProblemKind(428, "question-unnamed", "the answer does not say which question it is for"),
    ProblemKind(429, "too-many-requests", "the token asks too often; `Retry-After` says when to ask again"),
    ProblemKind(500, "failure", "the server failed; its log says why, under the `X-Request-ID` of the response"),
)
#: errors that no request of the API meets
_ELSEWHERE: Final = (
    errors.AgentAmbiguous,
    errors.MessagesInvalid,
    errors.MoveImpossible,
    errors.OtherWorkflow,
    errors.RunnerClosed,
    errors.TokenExists,
    errors.TokenNotFound,
    errors.UserConflict,
)
#: class -> what the tree of errors tells only beside the line above
_IN_OTHER_WORDS: Final = {
    "GuardsRefused": "the table has a transition for it here, and every guard said no",
    "Refused": "the agent, as it stands, does not allow it",
}
_LINE: Final = re.compile(r"── (\w+) +(.+)")


def problem_kinds() -> list[ProblemKind]:
    """All kinds that a client may meet, by status and name. Of what only an operator can mend there are many more."""
    found = {(each.status, each.name): each for each in (*_of_errors(), *_OF_REQUESTS)}
    return [found[key] for key in sorted(found)]


def _of_errors() -> Iterator[ProblemKind]:
    """What is refused, as the tree of errors tells it."""
    meanings = {**dict(_LINE.findall(errors.__doc__ or "")), **_IN_OTHER_WORDS}
    for error in (getattr(errors, name) for name in errors.__all__):
        if issubclass(error, (errors.Refused, errors.StoreUnavailable)) and not issubclass(error, _ELSEWHERE):
            yield from (ProblemKind(status, kind_name(error), meanings[error.__name__]) for status in _statuses(error))


def _statuses(error: type[FsmAgentError]) -> set[int]:
    return {status_of(error), status_of(error, is_conditional=True)}
