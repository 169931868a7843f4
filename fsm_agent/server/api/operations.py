"""What an operation is, and the parameters that several of them have."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from fsm_agent.domain.json import Schema
from fsm_agent.server.api.schema_parts import VERSION
from fsm_agent.server.api.schemas import SCHEMAS
from fsm_agent.server.tokens import Scope

if TYPE_CHECKING:
    from fsm_agent.server.api.call import Call, Reply

Handler: TypeAlias = "Callable[[Call], Awaitable[Reply]]"


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the table: a method and a path, who may ask, what is taken, what is given."""

    name: str
    method: Literal["GET", "POST"]
    path: str
    scope: Scope
    summary: str
    handler: Handler
    #: what the summary leaves out
    description: str
    #: name of the schema of what is given; ``None`` where it is not JSON
    gives: str | None
    status: int = 200
    #: other statuses of success, with the same document
    also: tuple[int, ...] = ()
    #: name of the schema of the body
    takes: str | None = None
    #: a field of the body that names what the request is meant for
    precondition: str | None = None
    query: Mapping[str, Schema] | None = None
    headers: tuple[str, ...] = ()
    #: statuses of problems beside those that every operation may have
    problems: tuple[int, ...] = ()
    #: of what is given
    media: tuple[str, ...] = ("application/json",)
    #: whether what is given is an agent, which has an ETag
    gives_agent: bool = False

    @property
    def parameters(self) -> Mapping[str, Schema]:
        return {**(self.query or {}), "namespace": NAMESPACE}

    @property
    def needs_body(self) -> bool:
        """Whether there must be a body: else nothing of it is required."""
        return self.takes is not None and "required" in SCHEMAS[self.takes]

    @property
    def path_parameters(self) -> tuple[str, ...]:
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))


#: seconds that a request may wait
LONGEST_WAIT_S: Final = 60

NAMESPACE: Final[Schema] = {
    "type": "string",
    "minLength": 1,
    "maxLength": 256,
    "description": "Which part of the store; needed if the token has several.",
}

#: header -> schema
HEADERS: Final[Mapping[str, Schema]] = {
    "Idempotency-Key": {
        "type": "string",
        "minLength": 1,
        "maxLength": 255,
        "pattern": "^[!-~]+$",
        "description": "A word of the caller, such as a UUID: what is repeated under the same key happens once.",
    },
    "If-Match": {
        "type": "string",
        "pattern": '^(\\*|(W/)?"[1-9][0-9]{0,14}")$',
        "description": "The ETag of the version that this is meant for; `*` is any.",
    },
    "Last-Event-ID": {
        "type": "string",
        "pattern": "^[0-9]{1,15}$",
        "description": "The version of the last step that was read.",
    },
    "Prefer": {
        "type": "string",
        "description": f"`wait=N`: wait up to N seconds, at most {LONGEST_WAIT_S}, until the agent needs nobody's work "
        "any more. Other preferences are ignored.",
        "example": "wait=10",
    },
}
#: headers of which several are one list
LISTS: Final = frozenset({"Prefer"})

CREATING: Final = ("Idempotency-Key", "Prefer")
DELIVERING: Final = ("Idempotency-Key", "If-Match", "Prefer")
CHANGING: Final = ("If-Match", "Prefer")

AT: Final[Schema] = {**VERSION, "description": "As it was at this version."}


def after_number(what: str) -> Schema:
    """A parameter of pages that are numbered."""
    return {"type": "integer", "minimum": 0, "maximum": VERSION["maximum"], "description": f"Those above this {what}."}
