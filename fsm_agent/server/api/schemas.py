"""JSON Schemas of what the API takes and gives; the document and the checks of requests share them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fsm_agent.data.arguments import LONGEST_LABEL, LONGEST_PAGE, MOST_LABELS
from fsm_agent.domain.agent import LONGEST_ID, Status
from fsm_agent.domain.effect import EffectMode
from fsm_agent.domain.json import Json, Schema
from fsm_agent.domain.message import Role
from fsm_agent.domain.step_kind import StepKind

#: versions and times: what a double holds exactly
_LARGEST: Final = 2**53 - 1

AGENT_ID: Final[Schema] = {"type": "string", "pattern": f"^[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST_ID - 1}}}$"}
VERSION: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": _LARGEST}
STATUS: Final[Schema] = {"type": "string", "enum": [str(status) for status in Status]}
LIMIT: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": LONGEST_PAGE, "default": 50}
#: names of workflows, states, events and people
NAME: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": 256}
_TEXT: Final[Schema] = {"type": "string"}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_ANYTHING: Final[Schema] = {}
_VALUES: Final[Schema] = {"type": "object", "additionalProperties": True}
_LABELS: Final[Schema] = {"type": "object", "additionalProperties": {"type": "string"}}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _or_null(schema: Schema) -> Schema:
    """As OpenAPI 3.1 says it: by a second type where there is one, else by a second alternative."""
    if isinstance(schema.get("type"), str):
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [dict(schema), {"type": "null"}]}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": dict(items)}


def _object(properties: Mapping[str, Schema], *, optional: tuple[str, ...] = (), what: str = "") -> Schema:
    """An object with these fields; all but ``optional`` are always there."""
    fields: dict[str, Json] = {name: dict(schema) for name, schema in properties.items()}
    document: dict[str, Json] = {"type": "object", "properties": fields}
    if required := [name for name in properties if name not in optional]:
        document["required"] = required
    return {**document, "description": what} if what else document


def _request(properties: Mapping[str, Schema], *, required: tuple[str, ...] = (), what: str = "") -> Schema:
    """A body: other fields are refused, so that a misspelt one is told and not ignored."""
    optional = tuple(name for name in properties if name not in required)
    return {**_object(properties, optional=optional, what=what), "additionalProperties": False}


_QUESTION: Final = _object(
    {
        "id": VERSION,
        "prompt": _TEXT,
        "to": {"type": ["string", "array", "null"], "items": {"type": "string"}},
        "deadline": _or_null(_TIME),
        "events": {"type": "object", "additionalProperties": {"type": "object"}},
    },
    what="What a waiting agent asks. `id` is named by an answer, so that it never falls on another question; `events` "
    "are the possible answers, each with the JSON Schema of its payload.",
)
_LISTED: Final[Mapping[str, Schema]] = {
    "id": AGENT_ID,
    "workflow": NAME,
    "workflow_version": _COUNT,
    "state": _TEXT,
    "status": STATUS,
    "version": VERSION,
    "question": _or_null(_ref("Question")),
    "created_at": _TIME,
    "updated_at": _TIME,
    "user": _or_null(_TEXT),
    "progress": _or_null(_VALUES),
    "error": _or_null(_VALUES),
    "retry": _or_null(_VALUES),
    "labels": _LABELS,
}
_AGENT: Final = _object(
    {
        **_LISTED,
        "data": _VALUES,
        "allowed": _list(_TEXT),
        "output": _ANYTHING,
        "usage": _or_null(_VALUES),
        "context_tokens": _COUNT,
        "messages": _COUNT,
        "parent": _or_null(_TEXT),
        "delivery": {"type": "string", "enum": ["applied", "queued", "duplicate"]},
    },
    optional=("delivery",),
    what="One living instance of a workflow. `version` is that of its last step; `delivery` says how an event fared.",
)
_STEP: Final = _object(
    {
        "version": VERSION,
        "kind": {"type": "string", "enum": [str(kind) for kind in StepKind]},
        "event": _TEXT,
        "payload": _VALUES,
        "from": _or_null(_TEXT),
        "to": _TEXT,
        "delta": _VALUES,
        "by": _or_null(_TEXT),
        "at": _TIME,
        "duration_ms": _or_null(_COUNT),
        "reason": _or_null(_TEXT),
        "messages": _COUNT,
        "usage": _or_null(_VALUES),
        "asks_anew": {"type": "boolean"},
    },
    what="One committed change of an agent.",
)
_EFFECT: Final = _object(
    {
        "key": _TEXT,
        "activation": _COUNT,
        "name": _TEXT,
        "use": _COUNT,
        "mode": {"type": "string", "enum": [str(mode) for mode in EffectMode]},
        "begun_at": _TIME,
        "ended_at": _or_null(_TIME),
        "result": _ANYTHING,
    },
    what="What an action did to the world outside; without `ended_at` nobody knows whether it happened.",
)
_MESSAGE: Final = _object(
    {
        "number": _COUNT,
        "role": {"type": "string", "enum": [str(role) for role in Role]},
        "content": _TEXT,
        "parts": _list(_VALUES),
        "tokens": _COUNT,
        "at": _TIME,
        "by": _or_null(_TEXT),
        "covers": _or_null(_COUNT),
    },
    what="One message of an agent's own conversation.",
)
_CHILD: Final = _object(
    {"id": AGENT_ID, "number": _COUNT, "workflow": NAME, "state": _TEXT, "status": STATUS, "version": VERSION},
    what="An agent that another one has started as part of its work.",
)
_WORKFLOW: Final = _object(
    {
        "name": NAME,
        "version": _COUNT,
        "versions": _list(_COUNT),
        "description": _TEXT,
        "definition": _TEXT,
        "can_start": {"type": "boolean"},
        "agents": {"type": "object", "additionalProperties": {"type": "integer"}},
    },
    what="A workflow: the newest version that is known here, and how many agents it has, by status.",
)
_OCCUPANCY: Final = _object(
    {"state": _TEXT, "agents": _COUNT, "dwell": _or_null(_ref("Dwell"))}, what="How many agents are in a state."
)
_DWELL: Final = _object(
    {"p50_ms": _COUNT, "p95_ms": _COUNT},
    what="How long agents stayed in a state, of those stays that have ended.",
)
_PROBLEM: Final = _object(
    {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "instance": _TEXT,
        "problems": _list(_TEXT),
        "allowed": _list(_TEXT),
    },
    optional=("problems", "allowed"),
    what="What is wrong, as RFC 9457 tells it: `detail` is a sentence, `problems` are several, `allowed` is what would "
    "be taken.",
)
_FORK_OR_START_ID: Final[Schema] = {**AGENT_ID, "description": "Id of the new agent; a new one if left out."}
_EVENT: Final[Schema] = {**NAME, "description": "The event to send."}


def _page(name: str, items: str, *, text: bool = True) -> Schema:
    return _object({name: _list(_ref(items)), "next": _or_null(_TEXT if text else VERSION)})


#: name -> schema, as the document lists them
SCHEMAS: Final[Mapping[str, Schema]] = {
    "Agent": _AGENT,
    "AgentSummary": _object(_LISTED, what="An agent in a list: what is known of it without reading its data."),
    "AgentPage": _object(
        {
            "agents": _list(_ref("AgentSummary")),
            "next": _or_null(_TEXT),
            "damaged": _list(_object({"id": _TEXT, "place": _TEXT, "what": _TEXT})),
        },
        what="Some agents; `next` is the `after` of the next page.",
    ),
    "Question": _QUESTION,
    "Step": _STEP,
    "StepPage": _page("steps", "Step", text=False),
    "Effect": _EFFECT,
    "EffectList": _object({"effects": _list(_ref("Effect"))}),
    "Message": _MESSAGE,
    "MessageList": _object(
        {"messages": _list(_ref("Message")), "earlier": {"type": "boolean"}},
        what="The last messages, in order; `earlier` says whether there are earlier ones.",
    ),
    "Child": _CHILD,
    "ChildList": _object({"children": _list(_ref("Child")), "total": _COUNT}),
    "Workflow": _WORKFLOW,
    "WorkflowList": _object({"workflows": _list(_ref("Workflow"))}),
    "Dwell": _DWELL,
    "Occupancy": _OCCUPANCY,
    "WorkflowDetail": _object(
        {
            "workflow": _ref("Workflow"),
            "document": _VALUES,
            "occupancy": _list(_ref("Occupancy")),
            "sampled": _COUNT,
        },
        what="A workflow with its document, and where its agents are; dwell is that of `sampled` agents, the newest.",
    ),
    "Problem": _PROBLEM,
    "StartRequest": _request(
        {
            "workflow": NAME,
            "id": _FORK_OR_START_ID,
            "event": _EVENT,
            "payload": _VALUES,
            "data": _VALUES,
            "user": {**NAME, "description": "Whom the agent serves."},
            "labels": {
                "type": "object",
                "maxProperties": MOST_LABELS,
                "propertyNames": {"minLength": 1, "maxLength": LONGEST_LABEL},
                "additionalProperties": {"type": "string", "maxLength": LONGEST_LABEL},
            },
        },
        required=("workflow",),
    ),
    "SendRequest": _request({"event": _EVENT, "payload": _VALUES}, required=("event",)),
    "AnswerRequest": _request(
        {
            "question": {**VERSION, "description": "Id of the question that is answered. Without it: 428."},
            "event": {**NAME, "description": "Which answer, if there are several."},
            "payload": _VALUES,
        },
    ),
    "UnparkRequest": _request(
        {
            "event": {**NAME, "description": "An event to send instead of trying again."},
            "payload": _VALUES,
            "effect": {**NAME, "description": "Key of the effect in doubt that is settled."},
            "result": {"description": "What the effect has returned, if it was done."},
            "not_done": {"type": "boolean", "description": "The effect was not done."},
        },
    ),
    "RewindRequest": _request({"version": VERSION}, required=("version",)),
    "ForkRequest": _request({"version": VERSION, "id": _FORK_OR_START_ID}),
}
