"""What may be set of a model: the settings that are the same for all providers.

Those that are not here are ours to decide: how often a request is repeated (``retry`` of a state), which tools a
model may call, and whether several at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from fsm_agent.data.validation import Shape
from fsm_agent.domain.json import Json, Schema
from fsm_agent.domain.text import did_you_mean, listed
from fsm_agent.errors import ModelSettingsInvalid

_SECONDS: Final[Schema] = {"type": "number", "exclusiveMinimum": 0}
_NUMBER: Final[Schema] = {"type": "number"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 1}

#: name -> JSON Schema
SETTINGS: Final[Mapping[str, Schema]] = {
    "cache": {"enum": [True, False, "5m", "30m", "1h", "12h"]},
    "citations": {"type": "boolean"},
    "extra_body": {"type": "object"},
    "extra_headers": {"type": "object", "additionalProperties": {"type": "string"}},
    "first_event_timeout": _SECONDS,
    "frequency_penalty": _NUMBER,
    "logit_bias": {"type": "object", "additionalProperties": {"type": "integer"}},
    "max_tokens": _COUNT,
    "presence_penalty": _NUMBER,
    "request_timeout": _SECONDS,
    "seed": {"type": "integer"},
    "service_tier": {"type": "string"},
    "stop_sequences": {"type": "array", "items": {"type": "string"}},
    "temperature": {"type": "number", "minimum": 0},
    "thinking": {"enum": [True, False, "minimal", "low", "medium", "high", "xhigh", "max"]},
    "timeout": _SECONDS,
    "top_k": _COUNT,
    "top_p": {"type": "number", "minimum": 0, "maximum": 1},
}

_OURS: Final[Mapping[str, str]] = {
    "max_retries": "the `retry` of the state says how often it is asked",
    "parallel_tool_calls": "the action says how many tools are called at once",
    "tool_choice": "the action says which tools may be called",
}


def setting_problems(settings: Mapping[str, Json]) -> Iterator[str]:
    """One sentence for each setting that no model has, or that has a value which it cannot have."""
    for name, value in settings.items():
        if name in SETTINGS:
            yield from Shape(SETTINGS[name]).problems(value, name)
        elif name in _OURS:
            yield f"`{name}` is not to be set: {_OURS[name]}"
        else:
            yield f"there is no `{name}`{did_you_mean(name, SETTINGS)}; there are {listed(SETTINGS)}"


def require_valid(settings: Mapping[str, Json]) -> None:
    """Raises ``ModelSettingsInvalid`` with all that is wrong."""
    if problems := list(setting_problems(settings)):
        raise ModelSettingsInvalid(problems)
