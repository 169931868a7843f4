"""``llm.agent``: a model works with tools until it has an answer.

Every request and every tool call is an effect in the journal. All messages are in the conversation. So an agent that
has asked a person to approve a tool call goes on from there, in any process.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from fsm_agent.actions.action import Asking, Emission
from fsm_agent.actions.builtin.llm_generate import shown
from fsm_agent.actions.builtin.llm_output import output_schema, put_output
from fsm_agent.actions.builtin.llm_request import asked, model_name
from fsm_agent.actions.builtin.result import ended
from fsm_agent.actions.builtin.templates import rendered
from fsm_agent.actions.builtin.tools import Toolbox
from fsm_agent.actions.context import Context
from fsm_agent.domain.json import Json
from fsm_agent.domain.message import Message, Role, is_own
from fsm_agent.domain.step import NOTHING, Step
from fsm_agent.domain.usage import Usage
from fsm_agent.errors import RoundsExceeded
from fsm_agent.llm.types import Ask, Call, Reply
from fsm_agent.memory.groups import REACH

#: how many messages back a call that waits for approval is searched: its results may not come later
_TAIL: Final = REACH + 1


async def work(
    ctx: Context,
    *,
    prompt: str,
    system: str = "",
    model: str | None = None,
    tools: Sequence[str | Mapping[str, str]] = (),
    mcp: Sequence[str] = (),
    approval: Mapping[str, str] = NOTHING,
    rounds: int = 20,
    into: str | list[str] | None = None,
    settings: Mapping[str, Json] = NOTHING,
    emit: str | None = None,
) -> Emission | Asking:
    """Let the model work. ``approval`` names the events that answer whether a tool may be called: ``approve`` and
    ``deny``. Raises ``RoundsExceeded`` if the model has no answer after ``rounds`` replies."""
    async with Toolbox(ctx, tools, mcp, asks=bool(approval)) as toolbox:
        loop = _Loop(ctx, toolbox, approval)
        question = Ask(
            model=model_name(ctx, model),
            messages=(),
            system=await rendered(ctx, system),
            tools=toolbox.offered,
            output=output_schema(ctx, into),
            settings=settings,
            state=ctx.state,
        )
        if not await loop.goes_on():
            await shown(ctx, Message.user(await rendered(ctx, prompt)))
        for _ in range(rounds):
            if (asking := await loop.called()) is not None:
                return asking
            reply = await asked(ctx, question.showing(await ctx.conversation.window()), is_heard=True)
            loop.heard(reply)
            if not reply.calls:
                put_output(ctx, into, reply)
                return ended(ctx, emit)
        raise RoundsExceeded(rounds)


class _Approval(NamedTuple):
    """A person's answer about one call."""

    call_id: str
    is_allowed: bool
    comment: str


class _Loop:
    """The tool calls of one attempt that are still to be made."""

    def __init__(self, ctx: Context, toolbox: Toolbox, approval: Mapping[str, str]) -> None:
        self._ctx, self._toolbox, self._approval = ctx, toolbox, approval
        self._calls: list[Call] = []
        self._answer: _Approval | None = None

    async def goes_on(self) -> bool:
        """Whether this work continues after a person has answered a question of ours."""
        entry: Step | None = await self._ctx.entry()
        answers = self._approval.values()
        if entry is None or entry.event not in answers or entry.source != self._ctx.state:
            return False
        self._calls = _unanswered(await self._ctx.conversation.tail(_TAIL), self._speaker)
        about = next((call for call in self._calls if self._toolbox.needs_approval(call.name)), None)
        if about is None:
            return False
        comment = " ".join(str(value) for value in entry.payload.values() if value is not None)
        self._answer = _Approval(about.id, entry.event == self._approval["approve"], comment)
        return True

    @property
    def _speaker(self) -> str | None:
        """The name under which the model speaks in the conversation. In a shared conversation it keeps the calls of
        other agents apart from ours."""
        return None if is_own(self._ctx.conversation.thread) else self._ctx.agent_id

    def heard(self, reply: Reply) -> None:
        self._ctx.conversation.append(Role.ASSISTANT, reply.written, parts=reply.parts, by=self._speaker)
        self._calls = list(reply.calls)

    async def called(self) -> Asking | None:
        """Make the calls that are allowed. Returns the question for approval if the next call needs one."""
        for call in [call for call in self._calls if not self._is_to_be_asked(call)]:
            text, is_error = await self._result(call)
            self._calls.remove(call)
            result = Message.result(call.id, call.name, text, is_error=is_error)
            self._ctx.conversation.append(result.role, result.content, parts=result.parts, by=self._speaker)
        if not self._calls:
            return None
        return self._ctx.ask(_question(self._calls[0]), [self._approval["approve"], self._approval["deny"]])

    def _is_to_be_asked(self, call: Call) -> bool:
        """Whether a person must approve the call. A call that cannot be made needs no approval."""
        is_open = self._answer is None or self._answer.call_id != call.id
        return is_open and self._toolbox.needs_approval(call.name) and self._toolbox.problem(call) is None

    async def _result(self, call: Call) -> tuple[str, bool]:
        """The text that the tool returned, and whether it is an error."""
        if (problem := self._toolbox.problem(call)) is not None:
            self._ctx.outputs.spend(Usage(refused=1))
            return problem, True
        approval = self._answer
        if approval is not None and approval.call_id == call.id and not approval.is_allowed:
            return f"a person does not allow this call{f': {approval.comment}' if approval.comment else ''}", True
        return await self._toolbox.call(call)


def _unanswered(messages: Sequence[Message], speaker: str | None) -> list[Call]:
    """The calls of the model's last message that have no result yet."""
    mine = [message for message in messages if message.by == speaker and message.role in (Role.ASSISTANT, Role.TOOL)]
    place = next((place for place, each in reversed([*enumerate(mine)]) if each.role is Role.ASSISTANT), None)
    if place is None:
        return []
    last, answered = mine[place], {result for message in mine[place:] for result in message.results}
    parts = [part for part in last.parts if part.get("type") == "tool_call" and part["id"] not in answered]
    return [Call(part["id"], part["name"], part["arguments"]) for part in parts]


def _question(call: Call) -> str:
    """The question for approval. It shows all arguments, so that a person allows nothing unseen."""
    given = json.dumps(call.arguments, ensure_ascii=False)
    return f"May the agent call `{call.name}` with {given}?"
