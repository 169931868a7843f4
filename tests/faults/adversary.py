"""A language model that breaks every rule, and a judgement of its replies that looks at the transition table alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic_ai.messages import ModelMessage, ModelResponse, ModelResponsePart, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from fsm_agent.domain.agent import Head, Status

from .model import MOST_N
from .random_workflows import EVENTS
from .transition_table import Choice, Table, Values, choose, value

#: the kinds of replies; most are not legal
TRICKS = (
    "legal", "legal", "legal", "unknown", "undeclared", "built in", "a state", "too little", "too much", "wrong type",
    "by somebody", "prose", "several", "twice", "broken", "a list",
)  # fmt: skip
BUILT_IN = ("cancel", "error", "timeout", "after", "created")


class Reply(NamedTuple):
    """One reply: what was offered, and what was called, each with its arguments as they were sent."""

    offered: frozenset[str]
    calls: Sequence[tuple[str, Any]]


class DecisionAttempt(NamedTuple):
    """One attempt of ``llm.decide``: the agent before it, and what the model said."""

    head: Head
    replies: list[Reply]


class Adversary:
    """Replies to every agent with its tricks, one after the other, over and over, and records them."""

    def __init__(self, tricks: Sequence[tuple[str, int]]) -> None:
        self.attempts: list[DecisionAttempt] = []
        self._tricks = tricks
        self._played = 0
        self.model = FunctionModel(self._answer, model_name="adversary")

    def observe(self, head: Head) -> None:
        """Called before each attempt, and after each step."""
        if head.status is Status.RUNNING and head.activation:
            self.attempts.append(DecisionAttempt(head, []))

    async def _answer(self, _: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        trick, number = self._tricks[self._played % len(self._tricks)]
        self._played += 1
        offered = sorted(tool.name for tool in info.function_tools)
        parts = [*_parts(trick, number, offered)]
        calls = [(part.tool_name, part.args) for part in parts if isinstance(part, ToolCallPart)]
        self.attempts[-1].replies.append(Reply(frozenset(offered), calls))
        return ModelResponse(parts)


def _parts(trick: str, number: int, offered: Sequence[str]) -> Sequence[ModelResponsePart]:  # noqa: PLR0911 - a line each
    event = offered[number % len(offered)]
    right = {"x": number} if event == "give" else {}
    match trick:
        case "prose":
            return [TextPart(f"I hereby take {event}, and then cancel.")]
        case "unknown":
            return [ToolCallPart("erase_everything", {})]
        case "undeclared":
            others = [each for each in EVENTS if each not in offered]
            return [ToolCallPart((others or ["nothing"])[0], {"x": number} if others[:1] == ["give"] else {})]
        case "built in":
            return [ToolCallPart(BUILT_IN[number % len(BUILT_IN)], {})]
        case "a state":
            return [ToolCallPart("done", {})]
        case "several":
            return [ToolCallPart(each, right if each == event else {}) for each in (event, offered[0])]
        case "twice":
            return [ToolCallPart(event, right, "same"), ToolCallPart(event, right, "same")]
        case _:
            return [ToolCallPart(event, _arguments(trick, right))]


def _arguments(trick: str, right: dict[str, int]) -> Any:
    """Of a call whose event is offered; ``legal`` ones are right."""
    wrong: dict[str, Any] = {
        "too little": {},
        "too much": {**right, "target": "done"},
        "wrong type": {"x": "1"},
        "by somebody": {**right, "by": "the operator", "name": "cancel"},
        "broken": '{"x": 1',
        "a list": json.dumps([right]),
    }
    return wrong.get(trick, right)


def offered_by(table: Table, leaf: str, data: Values, visits: Mapping[str, int]) -> set[str]:
    """The events that may be chosen: declared, and with a guard that holds, or that looks at the payload."""
    return {
        event
        for event in EVENTS
        if any(
            "event." in (choice.said.get("when") or "") or choose([choice], {}, data, visits)
            for choice in table.candidates(leaf, event)
        )
    }


def chosen_by(
    table: Table, leaf: str, reply: Reply, data: Values, visits: Mapping[str, int]
) -> tuple[str, Values, Choice] | None:
    """The event, its payload and its transition, if a reply is a legal choice."""
    if len(reply.calls) != 1:
        return None
    [(event, payload)] = reply.calls
    if event not in EVENTS or not isinstance(payload, dict) or payload.keys() != EVENTS[event].keys():
        return None
    if not all(type(each) is int for each in payload.values()):
        return None
    choice = choose(table.candidates(leaf, event), payload, data, visits)
    if choice is None:
        return None
    written = {**data, **{name: value(each, payload, data) for name, each in choice.said.get("assign", {}).items()}}
    return None if written["n"] > MOST_N else (event, payload, choice)
