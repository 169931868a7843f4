"""The model ``test``: it calls what it may and makes values up, always the same, so that a workflow can be tried."""

from __future__ import annotations

from typing import Any

from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.models.test import TestModel
from pydantic_ai.settings import ModelSettings


class TrialModel(TestModel):
    """pydantic-ai's, but for two things: where only a call is an answer it calls the first tool whatever was said
    before, and where one call at a time is wanted it makes one."""

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
