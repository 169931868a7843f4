"""Scripted models for the library: a script's replies as those of a model, streamed where that is wanted."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import KW_ONLY, dataclass
from typing import Any, Final

from pydantic_ai.messages import (
    FinishReason,
    ModelMessage,
    ModelResponse,
    ModelResponsePart,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters, StreamedResponse
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel, FunctionStreamedResponse
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage

from fsm_agent.llm.pydantic_messages import OURS
from fsm_agent.llm.script import Rule, Script, Shown

#: characters that are streamed at once
CHUNK: Final = 16


class ScriptedModel(FunctionModel):
    """A script as a model; ``fsm_agent.llm.script`` has the format."""

    def __init__(self, script: Script) -> None:
        async def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
            rule = script.rule_for(_shown(messages, info))
            parts = list(_parts(rule, messages, info))
            spent = rule.usage or (0, 0)
            usage = RequestUsage(input_tokens=spent[0], output_tokens=spent[1])
            finish: FinishReason = "tool_call" if any(isinstance(part, ToolCallPart) for part in parts) else "stop"
            said = None if rule.usage is None else {OURS: {"usage": "as the script says"}}
            return ModelResponse(parts, usage=usage, finish_reason=finish, metadata=said)

        super().__init__(answer, model_name=script.name)

    async def request(self, *asked: Any, **named: Any) -> ModelResponse:
        """What the script says. Usage that it does not state is estimated, and the request marked as not measured."""
        response = await super().request(*asked, **named)
        if response.metadata is None:
            response.usage.unmeasured_requests = 1
        return response

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: Any = None,  # noqa: ARG002  a script looks at messages alone
    ) -> AsyncGenerator[StreamedResponse]:
        """What ``request`` gives, piece by piece."""
        response = await self.request(messages, model_settings, model_request_parameters)
        yield _Recited(
            model_request_parameters=model_request_parameters,
            _model_name=self.model_name,
            _iter=_pieces(response.parts),
            whole=response,
        )


@dataclass
class _Recited(FunctionStreamedResponse):
    """A stream whose end is known."""

    _: KW_ONLY
    whole: ModelResponse

    async def _get_event_iterator(self) -> AsyncIterator[Any]:
        async for event in super()._get_event_iterator():
            yield event
        self._usage, self.finish_reason = self.whole.usage, self.whole.finish_reason


async def _pieces(parts: Sequence[ModelResponsePart]) -> AsyncIterator[Any]:
    for index, part in enumerate(parts):
        if isinstance(part, TextPart):
            for start in range(0, len(part.content), CHUNK):
                yield part.content[start : start + CHUNK]
        elif isinstance(part, ToolCallPart):
            yield {index: DeltaToolCall(part.tool_name, part.args_as_json_str(), tool_call_id=part.tool_call_id)}


def _shown(messages: Sequence[ModelMessage], info: AgentInfo) -> Shown:
    last = messages[-1]
    texts = [info.instructions or "", *(text for message in messages for text in _texts(message))]
    returned = frozenset(part.tool_name for part in last.parts if isinstance(part, ToolReturnPart))
    state = ((last.metadata or {}).get(OURS) or {}).get("state")
    return Shown("\n".join(texts), "\n".join(_texts(last)), returned, state)


def _texts(message: ModelMessage) -> Iterator[str]:
    for part in message.parts:
        match part:
            case SystemPromptPart() | TextPart():
                yield part.content
            case UserPromptPart() if isinstance(part.content, str):
                yield part.content
            case UserPromptPart():
                yield from (each for each in part.content if isinstance(each, str))
            case ToolReturnPart():
                yield part.model_response_str()
            case ToolCallPart():
                yield f"{part.tool_name} {part.args_as_json_str()}"


def _parts(rule: Rule, messages: Sequence[ModelMessage], info: AgentInfo) -> Iterator[ModelResponsePart]:
    if rule.has_values:
        yield _values(rule, info, _next_id(messages, 0))
    elif rule.calls:
        for index, (name, arguments) in enumerate(rule.calls):
            yield ToolCallPart(name, dict(arguments), _next_id(messages, index))
    else:
        yield TextPart(rule.text)


def _values(rule: Rule, info: AgentInfo, call_id: str) -> ModelResponsePart:
    """Through the tool that takes them, or as text."""
    if not info.output_tools:
        return TextPart(json.dumps(rule.values, ensure_ascii=False))
    giving = info.output_tools[0]
    key = giving.outer_typed_dict_key
    values = {key: rule.values} if key else rule.values
    return ToolCallPart(giving.name, values if isinstance(values, dict) else json.dumps(values), call_id)


def _next_id(messages: Sequence[ModelMessage], index: int) -> str:
    """An id that counts the calls there were, so that it is the same after a restart."""
    made = sum(isinstance(part, ToolCallPart) for message in messages for part in message.parts)
    return f"call_{made + index + 1}"
