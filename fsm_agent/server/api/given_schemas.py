"""Schemas of what the API gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fsm_agent.data.arguments import LONGEST_LABEL, MOST_LABELS
from fsm_agent.domain.agent import Status
from fsm_agent.domain.effect import EffectMode
from fsm_agent.domain.json import Schema
from fsm_agent.domain.message import Role
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.server.api.schema_parts import (
    AGENT_ID,
    ANYTHING,
    COUNT,
    NAME,
    NUMBERED,
    TEXT,
    TIME,
    VERSION,
    array,
    enum,
    object_of,
    or_null,
    ref,
    said,
)
from fsm_agent.server.diagrams import MEDIA

_LISTED: Final[Mapping[str, Schema]] = {
    "id": AGENT_ID,
    "workflow": said(NAME, "Name of its workflow."),
    "workflow_version": COUNT,
    "state": said(TEXT, "Path of the state that it is in."),
    "status": ref("AgentStatus"),
    "version": said(VERSION, "That of its last step; every step is one more."),
    "question": or_null(ref("Question", "What it asks, if it waits for an answer.")),
    "created_at": TIME,
    "updated_at": TIME,
    "user": or_null(said(TEXT, "Whom it serves.")),
    "progress": or_null(ref("Progress")),
    "error": or_null(ref("AgentError", "Why it failed or is parked.")),
    "retry": or_null(ref("Retry", "The next attempt of an action that has failed, if it is tried again.")),
    "labels": ref("Labels"),
}
#: what of an agent is for those who may read
CONTENT: Final = ("data", "output")

#: name -> schema
GIVEN: Final[Mapping[str, Schema]] = {
    "JsonObject": {"type": "object", "additionalProperties": True, "description": "Names with values of any kind."},
    "Labels": {
        "type": "object",
        "maxProperties": MOST_LABELS,
        "propertyNames": {"minLength": 1, "maxLength": LONGEST_LABEL},
        "additionalProperties": {"type": "string", "maxLength": LONGEST_LABEL},
        "description": "Words by which an agent is found again.",
    },
    "DiagramFormat": {"type": "string", "enum": list(MEDIA), "description": "The format of a picture."},
    "AgentStatus": enum(
        Status,
        "`running` has work now, `waiting` waits for an event, an answer or a timer, `parked` needs an operator; the "
        "others have ended.",
    ),
    "Delivery": {
        "type": "string",
        "enum": ["applied", "queued", "duplicate"],
        "description": "How an event fared: taken now, kept until the running action ends, or known by its key.",
    },
    "Question": object_of(
        {
            "id": said(VERSION, "An answer names it, so that it never falls on another question."),
            "prompt": TEXT,
            "to": {
                "type": ["string", "array", "null"],
                "items": {"type": "string"},
                "description": "Who may answer; null is anybody.",
            },
            "deadline": or_null(said(TIME, "When the agent goes on without an answer.")),
            "events": {
                "type": "object",
                "additionalProperties": ref("JsonObject"),
                "description": "The possible answers, each with the JSON Schema of its payload.",
            },
        },
        "What a waiting agent asks.",
    ),
    "Progress": object_of(
        {"goal": or_null(TEXT), "done": or_null(COUNT), "remaining": or_null(COUNT), "current": or_null(TEXT)},
        "How far an agent has come, as its workflow computes it.",
    ),
    "AgentError": object_of(
        {"type": TEXT, "message": TEXT, "place": said(TEXT, "Where in the code.")},
        "What went wrong.",
        optional=("place",),
    ),
    "Retry": object_of(
        {
            "attempt": said(NUMBERED, "Which one comes next: 2 after the first has failed."),
            "at": or_null(said(TIME, "When; null is now.")),
            "error": or_null(ref("AgentError", "Why the last one failed.")),
        },
        "An action that has failed and is tried again.",
    ),
    "Usage": object_of(
        {
            "requests": COUNT,
            "input_tokens": COUNT,
            "output_tokens": COUNT,
            "cost": {"type": "number", "description": "US dollars, where prices are known."},
            "latency_ms": COUNT,
            "refused": said(COUNT, "Choices of a model that were not legal."),
        },
        "What language models have taken.",
    ),
    "Agent": object_of(
        {
            **_LISTED,
            "data": ref("JsonObject", "Its data. Left out for a token without the scope `read`."),
            "allowed": said(array(TEXT), "Events that may be sent now; guards may still refuse them."),
            "output": {"description": "What it has ended with. Left out for a token without the scope `read`."},
            "usage": or_null(ref("Usage")),
            "context_tokens": said(COUNT, "What the last request to a model weighed with its reply."),
            "messages": said(COUNT, "How many messages its conversation has."),
            "parent": or_null(said(TEXT, "Id of the agent that started it as part of its work.")),
            "delivery": ref("Delivery"),
        },
        "One living instance of a workflow.",
        optional=(*CONTENT, "delivery"),
    ),
    "AgentSummary": object_of(_LISTED, "An agent in a list: what is known of it without reading its data."),
    "Damage": object_of({"id": TEXT, "place": TEXT, "what": TEXT}, "An agent of which something cannot be read."),
    "AgentPage": object_of(
        {
            "agents": array(ref("AgentSummary")),
            "next": or_null(said(TEXT, "The `after` of the next page; null on the last one.")),
            "damaged": said(array(ref("Damage")), "Those that would stand among these, and cannot be read."),
        },
        "Some agents.",
    ),
    "StepKind": enum(StepKind, "Why a version exists."),
    "Delta": object_of(
        {"set": ref("JsonObject"), "remove": array(TEXT), "append": ref("JsonObject")},
        "What a step has changed in the data, by JSON Pointer without the leading slash.",
        optional=("set", "remove", "append"),
    ),
    "Step": object_of(
        {
            "version": VERSION,
            "kind": ref("StepKind"),
            "event": TEXT,
            "payload": ref("JsonObject"),
            "from": or_null(said(TEXT, "The state before; null at the beginning.")),
            "to": said(TEXT, "The state after."),
            "delta": ref("Delta"),
            "by": or_null(said(TEXT, "In whose name it was done; null is the agent itself.")),
            "at": TIME,
            "duration_ms": or_null(said(COUNT, "How long the action worked that ended with it.")),
            "reason": or_null(TEXT),
            "messages": said(COUNT, "How many messages it has added."),
            "usage": or_null(ref("Usage")),
            "asks_anew": said({"type": "boolean"}, "Whether it put another question in the same state."),
        },
        "One committed change of an agent.",
    ),
    "StepPage": object_of(
        {
            "id": AGENT_ID,
            "steps": array(ref("Step")),
            "next": or_null(said(VERSION, "The `after` of the next page; null on the last one.")),
        },
        "Some steps of an agent, in order.",
    ),
    "EffectMode": enum(EffectMode, "What becomes of an effect that was begun, and of which nobody knows the end."),
    "Effect": object_of(
        {
            "key": said(TEXT, "By which the world outside knows it, and by which it is settled."),
            "activation": said(COUNT, "The version that entered the state whose action did it."),
            "name": TEXT,
            "use": said(NUMBERED, "Which use of that name under the activation."),
            "mode": ref("EffectMode"),
            "begun_at": TIME,
            "ended_at": or_null(said(TIME, "Without it nobody knows whether it happened.")),
            "result": ANYTHING,
        },
        "What an action did to the world outside.",
    ),
    "EffectList": object_of({"effects": array(ref("Effect"))}, "All effects of an agent."),
    "MessageRole": enum(Role, "Whose words they are; a `summary` stands for older messages."),
    "Message": object_of(
        {
            "number": COUNT,
            "role": ref("MessageRole"),
            "content": TEXT,
            "parts": said(array(ref("JsonObject")), "What is no text: calls of tools and their results."),
            "tokens": COUNT,
            "at": TIME,
            "by": or_null(TEXT),
            "covers": or_null(said(COUNT, "Of a summary: the last message that it stands for.")),
        },
        "One message of an agent's conversation.",
    ),
    "MessagePage": object_of(
        {
            "messages": array(ref("Message")),
            "earlier": or_null(said(TEXT, "The `before` of the page of earlier ones; null if there are none.")),
        },
        "Some messages, in order.",
    ),
    "Child": object_of(
        {
            "id": AGENT_ID,
            "number": said(COUNT, "1 for the first."),
            "workflow": NAME,
            "state": TEXT,
            "status": ref("AgentStatus"),
            "version": VERSION,
        },
        "An agent that another one has started as part of its work.",
    ),
    "ChildList": object_of(
        {"children": array(ref("Child")), "total": said(COUNT, "How many there will be.")},
        "The agents that work for an agent now.",
    ),
    "Workflow": object_of(
        {
            "name": NAME,
            "version": said(COUNT, "The newest that is known here."),
            "versions": array(COUNT),
            "description": TEXT,
            "definition": said(TEXT, "Hash of the newest version."),
            "can_start": said({"type": "boolean"}, "Whether an agent of it can be started here."),
            "agents": {
                "type": "object",
                "additionalProperties": {"type": "integer"},
                "description": "How many agents it has, by status.",
            },
        },
        "A workflow. Agents are counted every ten seconds.",
    ),
    "WorkflowList": object_of({"workflows": array(ref("Workflow"))}, "All workflows."),
    "Dwell": object_of(
        {"p50_ms": COUNT, "p95_ms": COUNT}, "How long agents stayed in a state, of those stays that have ended."
    ),
    "Occupancy": object_of(
        {"state": TEXT, "agents": COUNT, "dwell": or_null(ref("Dwell"))}, "How many agents are in a state."
    ),
    "WorkflowDetail": object_of(
        {
            "workflow": ref("Workflow"),
            "document": ref("JsonObject", "The declaration."),
            "occupancy": array(ref("Occupancy")),
            "sampled": said(COUNT, "Dwell is that of so many agents, the newest."),
        },
        "A workflow with its declaration, and where its agents are.",
    ),
    "Problem": object_of(
        {
            "type": said(TEXT, "Which kind of problem: a URN that does not change."),
            "title": said(TEXT, "The kind in words."),
            "status": {"type": "integer"},
            "detail": said(TEXT, "What happened, where, and what is allowed."),
            "instance": said(TEXT, "The path that was asked for."),
            "problems": said(array(TEXT), "All that is wrong, if it may be several things."),
            "allowed": said(array(TEXT), "What would be taken instead."),
            "version": said(VERSION, "The version that the agent is at now."),
            "question": said(VERSION, "Id of the question that is open now."),
        },
        "What is wrong, as RFC 9457 tells it.",
        optional=("problems", "allowed", "version", "question"),
    ),
}
