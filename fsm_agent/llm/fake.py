"""The model ``test``: it calls what it may and makes values up, always the same, so that a workflow can be tried.

Its library makes the usage up, too: each request is marked as not measured.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart
from pydantic_ai.models import ModelRequestParameters, StreamedResponse
from pydantic_ai.models.test import TestModel
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from fsm_agent.domain.json import Json


class TrialModel(TestModel):
    """The test model of pydantic-ai, but for three things. Where only a call is an answer, it calls the first tool,
    whatever the conversation is. Where one call at a time is wanted, it makes one. A value that may be of several types
    is of the first."""

    async def request(self, *asked: Any, **named: Any) -> ModelResponse:
        response = await super().request(*asked, **named)
        response.usage.unmeasured_requests = 1
        return response

    @asynccontextmanager
    async def request_stream(self, *asked: Any, **named: Any) -> AsyncGenerator[StreamedResponse]:
        async with super().request_stream(*asked, **named) as stream:
            stream._usage_received = False
            yield stream

    def gen_tool_args(self, tool_def: ToolDefinition) -> Any:
        return super().gen_tool_args(
            replace(tool_def, parameters_json_schema=_of_one_type(tool_def.parameters_json_schema))
        )

    def _request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        wanted = model_request_parameters
        if wanted.function_tools and not wanted.allow_text_output and not wanted.output_tools:
            return self._tool_calls_response(self._get_tool_calls(wanted)[:1])
        response = super()._request(messages, model_settings, wanted)
        if (model_settings or {}).get("parallel_tool_calls") is False:
            response.parts = list(_up_to_the_first_call(response.parts))
        return response


def _up_to_the_first_call(parts: Any) -> Any:
    for part in parts:
        yield part
        if isinstance(part, ToolCallPart):
            return


def _of_one_type(schema: Json) -> Json:
    """A schema that asks for one type wherever several are allowed; null is the last choice."""
    if isinstance(schema, list):
        return [_of_one_type(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    simple = {key: _of_one_type(each) for key, each in schema.items()}
    if isinstance(kinds := simple.get("type"), list):
        simple["type"] = next((kind for kind in kinds if kind != "null"), "null")
    return simple
