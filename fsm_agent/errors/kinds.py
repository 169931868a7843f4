"""The kinds of errors: what each means to whoever called. One table for all doors.

Every door says it in its own words: the command line by an exit code, a server by an HTTP status, a protocol by a code
of its own. So none of them knows errors by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from fsm_agent.errors.agents import AgentNotFound, Conflict, IdInvalid, UserConflict, VersionMissing, WorkflowUnknown
from fsm_agent.errors.base import (
    ArgumentInvalid,
    FsmAgentError,
    MachineInvalid,
    Refused,
    SettingsInvalid,
    WorkflowInvalid,
)
from fsm_agent.errors.engines import EngineUnavailable, EngineUrlInvalid
from fsm_agent.errors.events import (
    AnswerUnclear,
    DataInvalid,
    ExpressionFailed,
    KeyReuse,
    MessagesInvalid,
    NotAddressee,
    PayloadInvalid,
    QuestionClosed,
    UnknownEvent,
)
from fsm_agent.errors.storage import KeyInvalid, KeyMissing, StoreUnavailable, StoreUrlInvalid
from fsm_agent.errors.tokens import TokenNotFound


class ErrorKind(StrEnum):
    """What whoever called can do about an error."""

    #: say it so that it can be understood: nobody has looked at what it asks for
    MALFORMED = "malformed"
    #: write it differently: it breaks a rule
    INVALID = "invalid"
    #: name something that is there
    NOT_FOUND = "not_found"
    #: leave it to somebody else
    FORBIDDEN = "forbidden"
    #: read again: it was meant for an earlier version, or for a question that is closed
    OUTDATED = "outdated"
    #: wait, or choose something else: the agent, as it stands, does not allow it
    CONFLICT = "conflict"
    #: try again later
    UNAVAILABLE = "unavailable"
    #: have it repaired: by a developer or an operator of the project, since the caller can do nothing
    FAILED = "failed"


#: a class -> what it and its subclasses are, unless one of those has a row of its own
KINDS: Final[Mapping[type[FsmAgentError], ErrorKind]] = {
    FsmAgentError: ErrorKind.FAILED,
    WorkflowInvalid: ErrorKind.INVALID,
    MachineInvalid: ErrorKind.INVALID,
    SettingsInvalid: ErrorKind.INVALID,
    # what a caller wanted
    Refused: ErrorKind.CONFLICT,
    AgentNotFound: ErrorKind.NOT_FOUND,
    AnswerUnclear: ErrorKind.INVALID,
    ArgumentInvalid: ErrorKind.INVALID,
    Conflict: ErrorKind.OUTDATED,
    DataInvalid: ErrorKind.INVALID,
    ExpressionFailed: ErrorKind.INVALID,
    IdInvalid: ErrorKind.INVALID,
    KeyReuse: ErrorKind.INVALID,
    MessagesInvalid: ErrorKind.INVALID,
    NotAddressee: ErrorKind.FORBIDDEN,
    PayloadInvalid: ErrorKind.INVALID,
    QuestionClosed: ErrorKind.OUTDATED,
    TokenNotFound: ErrorKind.NOT_FOUND,
    UnknownEvent: ErrorKind.INVALID,
    UserConflict: ErrorKind.OUTDATED,
    VersionMissing: ErrorKind.NOT_FOUND,
    WorkflowUnknown: ErrorKind.INVALID,
    # what a store did, or was given
    StoreUnavailable: ErrorKind.UNAVAILABLE,
    StoreUrlInvalid: ErrorKind.INVALID,
    KeyInvalid: ErrorKind.INVALID,
    KeyMissing: ErrorKind.INVALID,
    # what an engine did, or was given
    EngineUnavailable: ErrorKind.UNAVAILABLE,
    EngineUrlInvalid: ErrorKind.INVALID,
}


def kind_of(error: FsmAgentError | type[FsmAgentError]) -> ErrorKind:
    """The kind of an error, or of a class of errors."""
    kind = error if isinstance(error, type) else type(error)
    return next(KINDS[each] for each in kind.__mro__ if each in KINDS)
