"""Schemas of what the API takes: the bodies of requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fsm_agent.domain.json import Json, Schema
from fsm_agent.server.api.schema_parts import AGENT_ID, NAME, VERSION, object_of, ref, said


def _request(
    properties: Mapping[str, Schema], what: str, *, required: tuple[str, ...] = (), example: Json = None
) -> Schema:
    """A body: other fields are refused, so that a misspelt one is told and not ignored."""
    optional = tuple(name for name in properties if name not in required)
    found = {**object_of(properties, what, optional=optional), "additionalProperties": False}
    return {**found, "examples": [example]} if example is not None else found


_NEW_ID: Final = said(AGENT_ID, "Id of the new agent; a new one if left out.")
_PAYLOAD: Final = ref("JsonObject", "The fields of the event.")

#: name -> schema
TAKEN: Final[Mapping[str, Schema]] = {
    "StartRequest": _request(
        {
            "workflow": said(NAME, "Name of a workflow that can be started here."),
            "id": _NEW_ID,
            "event": said(NAME, "A first event."),
            "payload": _PAYLOAD,
            "data": ref("JsonObject", "Data that it begins with, instead of those that the workflow says."),
            "user": said(NAME, "Whom it serves."),
            "labels": ref("Labels"),
        },
        "An agent to start.",
        required=("workflow",),
        example={
            "workflow": "leave",
            "event": "asked",
            "payload": {"who": "Ana", "days": 3},
            "labels": {"team": "sales"},
        },
    ),
    "SendRequest": _request(
        {"event": said(NAME, "The event to send."), "payload": _PAYLOAD},
        "An event for an agent.",
        required=("event",),
        example={"event": "asked", "payload": {"who": "Ana", "days": 3}},
    ),
    "AnswerRequest": _request(
        {
            "question": said(VERSION, "Id of the question that is answered."),
            "event": said(NAME, "Which answer, if there are several."),
            "payload": ref("JsonObject", "The fields of the answer."),
        },
        "An answer to the question of an agent.",
        required=("question",),
        example={"question": 2, "event": "reject", "payload": {"reason": "too many of us are away"}},
    ),
    "UnparkRequest": _request(
        {
            "event": said(NAME, "An event to send, instead of trying again."),
            "payload": _PAYLOAD,
            "effect": said(NAME, "Key of an effect in doubt, which is settled by `result` or by `not_done`."),
            "result": {"description": "What the effect has returned, if it was done."},
            "not_done": {"type": "boolean", "description": "The effect was not done, and may be begun again."},
        },
        "How a parked agent goes on. Without a field it tries again.",
    ),
    "RewindRequest": _request(
        {"version": VERSION}, "The version that is brought back.", required=("version",), example={"version": 2}
    ),
    "ForkRequest": _request(
        {"version": said(VERSION, "Where the new agent begins; the present version if left out."), "id": _NEW_ID},
        "An agent that begins where another one was.",
    ),
}
