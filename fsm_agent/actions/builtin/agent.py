"""``llm.agent``: a model works with tools until it has an answer.

Every request and every call of a tool is an effect in the journal. What was said is in the conversation, so that an
agent which has asked a person whether it may call a tool goes on from there, in any process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from fsm_agent.actions.action import Asking, Emission
from fsm_agent.actions.builtin.ending import ended
from fsm_agent.actions.builtin.generate import output_schema, put_output
from fsm_agent.actions.builtin.models import asked, model_name, refused
from fsm_agent.actions.builtin.recalled import rendered
from fsm_agent.actions.builtin.toolbox import Toolbox
from fsm_agent.actions.context import Context, insight_of
from fsm_agent.errors import RoundsExceeded
from fsm_agent.jsontypes import Json
from fsm_agent.message import Message, Role
from fsm_agent.models.words import Ask, Call, Reply
from fsm_agent.step import NOTHING, Step

#: Who is asked whether a tool may be called sees so much of its arguments.
_LONGEST: Final = 2_000


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
    """``approval`` names the events that answer whether a tool may be called: ``approve`` and ``deny``. Raises
    ``RoundsExceeded`` when the model has no answer after so many replies."""
    async with Toolbox(ctx, tools, mcp) as toolbox:
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
            ctx.conversation.append(Role.USER, await rendered(ctx, prompt), by=insight_of(ctx).head.user)
        for _ in range(rounds):
            if (question_to_person := await loop.called()) is not None:
                return question_to_person
            reply = await asked(ctx, question.showing(await ctx.conversation.window()))
            loop.heard(reply)
            if not reply.calls:
                put_output(ctx, into, reply)
                return ended(ctx, emit)
        raise RoundsExceeded(rounds)


class _Loop:
    """Of one attempt: the calls that are still to be made."""

    def __init__(self, ctx: Context, toolbox: Toolbox, approval: Mapping[str, str]) -> None:
        self._ctx, self._toolbox, self._approval = ctx, toolbox, approval
        self._calls: list[Call] = []
        #: the call of which a person has spoken, and whether it may be made
        self._verdict: tuple[str, bool, str] | None = None

    async def goes_on(self) -> bool:
        """Whether a person was asked and has answered, so that the loop goes on where it was."""
        entry: Step | None = await self._ctx.entry()
        if entry is None or not self._approval or entry.event not in self._approval.values():
            return False
        calls = _unanswered(await self._ctx.conversation.tail(64))
        self._calls = calls
        asked_about = next((call for call in calls if self._toolbox.needs_approval(call.name)), None)
        if asked_about is not None:
            said = " ".join(str(value) for value in entry.payload.values() if value is not None)
            self._verdict = (asked_about.id, entry.event == self._approval["approve"], said)
        return bool(calls)

    def heard(self, reply: Reply) -> None:
        self._ctx.conversation.append(Role.ASSISTANT, reply.written, parts=reply.parts)
        self._calls = list(reply.calls)

    async def called(self) -> Asking | None:
        """Make the calls that may be made; returns the question whether the next may."""
        for call in [call for call in self._calls if not self._is_to_be_asked(call)]:
            self._calls.remove(call)
            self._told(call, await self._result(call))
        if not self._calls:
            return None
        call = self._calls[0]
        return self._ctx.ask(_question(call), [self._approval["approve"], self._approval["deny"]])

    def _is_to_be_asked(self, call: Call) -> bool:
        is_known = self._toolbox.problem(call) is None
        return is_known and self._toolbox.needs_approval(call.name) and not self._is_settled(call)

    def _is_settled(self, call: Call) -> bool:
        return self._verdict is not None and self._verdict[0] == call.id

    async def _result(self, call: Call) -> tuple[str, bool]:
        """What the tool has returned, and whether that is an error."""
        if (problem := self._toolbox.problem(call)) is not None:
            refused(self._ctx, Reply(), [], problem)
            return problem, True
        if self._verdict is not None and self._is_settled(call) and not self._verdict[1]:
            why = f": {self._verdict[2]}" if self._verdict[2] else ""
            return f"a person does not allow this call{why}", True
        return await self._toolbox.call(call)

    def _told(self, call: Call, result: tuple[str, bool]) -> None:
        text, is_error = result
        message = Message.result(call.id, call.name, text, is_error=is_error)
        self._ctx.conversation.append(message.role, message.content, parts=message.parts)


def _unanswered(messages: Sequence[Message]) -> list[Call]:
    """The calls of the last reply that have no result yet."""
    last = next((message for message in reversed(messages) if message.role is Role.ASSISTANT and message.calls), None)
    if last is None:
        return []
    answered = {result for message in messages for result in message.results}
    parts = [part for part in last.parts if part.get("type") == "tool_call" and part["id"] not in answered]
    return [Call(part["id"], part["name"], part["arguments"]) for part in parts]


def _question(call: Call) -> str:
    arguments = call.arguments if isinstance(call.arguments, dict) else {}
    given = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    text = f"May the agent call `{call.name}({given})`?"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
