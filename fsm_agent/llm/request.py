"""One request to a model and its reply, recorded as it is. What asks again, and when, is for others to decide."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal

from fsm_agent.data.validation import Shape
from fsm_agent.domain.json import Json, Schema
from fsm_agent.domain.text import shortened
from fsm_agent.domain.usage import Usage
from fsm_agent.errors import ModelRefused, ModelReplyInvalid
from fsm_agent.llm.settings import require_valid
from fsm_agent.llm.types import Ask, Call, Reply, arguments_of

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelResponse
    from pydantic_ai.models import Model, ModelRequestParameters

#: the name of the tool through which an output is given
OUTPUT: Final = "final_result"
#: what an output is wrapped in that is no object: arguments of a tool are one
WRAPPED: Final = "value"
#: how long a provider may be silent, where ``settings`` say nothing else
PATIENCE_S: Final = 120.0


class _ListenerFailed(Exception):
    """Carries what ``on_text`` raised through the library, which would else take it for an error of its own."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        super().__init__()


async def ask(model: Model, question: Ask, *, on_text: Callable[[str], None] | None = None) -> Reply:
    """Ask once; with ``on_text`` the words are handed over as they come, and the reply is the same.

    Raises a ``ModelError`` for all that can go wrong: one that says ``is_retryable`` may pass when it is asked again.
    A cancellation passes through, and what ``on_text`` raises.
    """
    from fsm_agent.llm.normalise import to_request
    from fsm_agent.llm.provider_errors import translated

    require_valid(question.settings)
    history = to_request(question.messages, question.system, state=question.state)
    wanted, settings = _parameters(question), _settings(model, question)
    began_s = time.monotonic()
    try:
        async with model:  # one that nobody has opened lets go of its connections again
            response = await _answered(model, history, settings, wanted, on_text)
    except _ListenerFailed as failed:
        raise failed.error from None
    except Exception as error:
        raise translated(error, question.model) from None
    return read_reply(response, question, latency_ms=round((time.monotonic() - began_s) * 1000))


async def _answered(
    model: Model, history: Any, settings: Any, wanted: ModelRequestParameters, on_text: Callable[[str], None] | None
) -> ModelResponse:
    from pydantic_ai.direct import model_request, model_request_stream
    from pydantic_ai.messages import PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta

    if on_text is None:
        return await model_request(model, history, model_settings=settings, model_request_parameters=wanted)
    opening = model_request_stream(model, history, model_settings=settings, model_request_parameters=wanted)
    async with opening as stream:
        async for event in stream:
            match event:
                case PartStartEvent(part=TextPart(content=str(words))) if words:
                    _tell(on_text, words)
                case PartDeltaEvent(delta=TextPartDelta(content_delta=str(words))) if words:
                    _tell(on_text, words)
    return stream.get()


def _tell(on_text: Callable[[str], None], words: str) -> None:
    try:
        on_text(words)
    except Exception as error:
        raise _ListenerFailed(error) from None


def _parameters(question: Ask) -> ModelRequestParameters:
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.tools import ToolDefinition

    tools = [
        ToolDefinition(name=tool.name, parameters_json_schema=dict(tool.schema), description=tool.description or None)
        for tool in question.tools
    ]
    if question.output is None:
        mode: Literal["text", "tool"] = "text" if question.allow_text else "tool"
        return ModelRequestParameters(function_tools=tools, output_mode=mode, allow_text_output=question.allow_text)
    giving = ToolDefinition(
        name=OUTPUT,
        parameters_json_schema=_wrapped(question.output),
        description="The answer, in the form that is asked for.",
        outer_typed_dict_key=None if _is_object(question.output) else WRAPPED,
        kind="output",
    )
    return ModelRequestParameters(
        function_tools=tools, output_mode="tool", output_tools=[giving], allow_text_output=False
    )


def _is_object(schema: Schema) -> bool:
    return schema.get("type") == "object"


def _wrapped(schema: Schema) -> dict[str, Json]:
    """A schema as that of the arguments of a tool; what it refers to stays at the root."""
    if _is_object(schema):
        return dict(schema)
    inner = {name: value for name, value in schema.items() if name != "$defs"}
    definitions = {name: value for name, value in schema.items() if name == "$defs"}
    return {"type": "object", "properties": {WRAPPED: inner}, "required": [WRAPPED], **definitions}


def _settings(model: Model, question: Ask) -> Any:
    """The engine repeats requests. A client that did so by itself would hide it from history and limits."""
    settings: dict[str, Json] = {"max_retries": 0, **question.settings}
    unknown: frozenset[str] = getattr(type(model), "unsupported_settings", frozenset())
    if not {"timeout", "request_timeout"} & settings.keys():
        settings["request_timeout" if "timeout" in unknown else "timeout"] = PATIENCE_S
    if "max_retries" in unknown:
        del settings["max_retries"]
    if not question.is_parallel and question.tools and "parallel_tool_calls" not in unknown:
        settings["parallel_tool_calls"] = False
    return settings


def read_reply(response: ModelResponse, question: Ask, *, latency_ms: int) -> Reply:
    """What a response says, held against what was asked. Raises ``ModelReplyInvalid`` or ``ModelRefused``."""
    from fsm_agent.llm.pydantic_messages import message_of

    usage = _usage(response, question, latency_ms)
    calls = tuple(Call(part.tool_call_id, part.tool_name, arguments_of(part.args)) for part in response.tool_calls)
    wanted = tuple(call for call in calls if question.output is None or call.name != OUTPUT)
    message = message_of(response)
    reply = Reply(message.content, wanted, None, usage, response.finish_reason, response.model_name, message.parts)
    if not calls and response.finish_reason == "content_filter":
        raise ModelRefused(question.model, "a content filter does not let the answer through")
    given = next((call for call in calls if question.output is not None and call.name == OUTPUT), None)
    if given is not None and question.output is not None:
        parts = tuple(part for part in reply.parts if part.get("id") != given.id)
        return reply._replace(output=_output(given, question.output, question.model, usage), parts=parts)
    if problem := _problem(reply, question):
        raise ModelReplyInvalid(question.model, f"{problem}{_cut(response)}", usage=usage)
    return reply


def _problem(reply: Reply, question: Ask) -> str | None:
    """Why a reply without an output can be no answer, whatever its calls ask for."""
    ids = [call.id for call in reply.calls]
    if not ids and not reply.text.strip():
        return "it is empty"
    if not ids and question.output is not None:
        return f"it says {shortened(reply.text)} where values are asked for"
    if ids and not question.tools:
        return f"it calls {shortened(reply.calls[0].name)} where nothing can be called"
    if question.is_parallel and len(set(ids)) < len(ids):
        return f"two of its calls have one id, {shortened(max(ids, key=ids.count))}"
    return None


def _output(given: Call, schema: Schema, model: str, usage: Usage) -> Json:
    if isinstance(given.arguments, str):
        raise ModelReplyInvalid(model, f"its values are not JSON: {shortened(given.arguments)}", usage=usage)
    value: Json = given.arguments
    if not _is_object(schema):
        if WRAPPED not in given.arguments:
            raise ModelReplyInvalid(model, f"its values lack `{WRAPPED}`: {shortened(value)}", usage=usage)
        value = given.arguments[WRAPPED]
    if problems := Shape(schema).problems(value, ""):
        told = "; ".join(each.removeprefix("the payload: ") for each in problems)
        raise ModelReplyInvalid(model, f"it breaks the schema: {told}", usage=usage)
    return value


def _cut(response: ModelResponse) -> str:
    return ", cut off at `max_tokens`" if response.finish_reason == "length" else ""


def _usage(response: ModelResponse, question: Ask, latency_ms: int) -> Usage:
    """What the request took. ``context_tokens`` is only what the provider counted: an estimate of the library would
    correct nothing. Tokens of reasoning are left out, since no later request contains them."""
    spent = response.usage
    context = spent.input_tokens + spent.output_tokens - spent.details.get("reasoning_tokens", 0)
    return Usage(
        requests=1,
        input_tokens=spent.input_tokens,
        output_tokens=spent.output_tokens,
        cost_micros=_cost_micros(response),
        latency_ms=latency_ms,
        context_tokens=0 if spent.unmeasured_requests else max(context, 0),
        estimated_tokens=question.estimated_tokens,
    )


def _cost_micros(response: ModelResponse) -> int:
    """The cost by the price list that the library brings; 0 for a model that is not on it."""
    if not response.model_name:
        return 0
    try:
        return round(response.cost().total_price * 1_000_000)
    except (LookupError, ValueError, AssertionError):
        return 0
