"""Functions as tools: what a model is told of them, and how its arguments become theirs."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from fsm_agent.errors import ActionError
from fsm_agent.llm.import_lock import READING
from fsm_agent.llm.types import Tool

#: the parameter that is ours to give
_KEY: Final = "idempotency_key"


@dataclass(frozen=True, slots=True)
class Function:
    """One function as a tool; its docstring and its type hints say what it is and takes. A function with a
    parameter ``idempotency_key`` is given the key of the call there; models are not told of that parameter."""

    tool: Tool
    _function: Callable[..., Any]
    _schema: Any

    def problem(self, arguments: Mapping[str, Any]) -> str | None:
        """What is wrong with arguments, in a sentence for the model; ``None`` if nothing is."""
        from pydantic import ValidationError

        try:
            self._schema.validator.validate_python(dict(arguments))
        except ValidationError as error:
            said = "; ".join(f"{'/'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
            return f"the arguments of {self.tool.name!r} are wrong: {said}"
        return None

    @property
    def is_async(self) -> bool:
        return inspect.iscoroutinefunction(self._function)

    def bound(self, arguments: Mapping[str, Any], key: str) -> Callable[[], Any]:
        """The call with these arguments, of which ``problem`` says nothing."""
        named = dict(self._schema.validator.validate_python(dict(arguments)))
        placed = [named.pop(name) for name in self._schema.positional_fields]
        if self._schema.var_positional_field is not None:
            placed += named.pop(self._schema.var_positional_field)
        if _KEY in inspect.signature(self._function).parameters:
            named[_KEY] = key
        return partial(self._function, *placed, **named)


def function_of(function: Callable[..., Any]) -> Function:
    """Raises ``ActionError`` for a function whose parameters no JSON can fill. The first call imports much: make it in
    a thread."""
    with READING:
        return _described(function)


def _described(function: Callable[..., Any]) -> Function:
    try:
        from pydantic.errors import PydanticUserError
        from pydantic_ai.exceptions import UserError
        from pydantic_ai.tools import Tool as Described
    except ImportError:
        raise ActionError("tools need an extra: pip install 'fsm-agent[llm]'") from None
    name = getattr(function, "__name__", type(function).__name__)
    try:
        with warnings.catch_warnings():  # what it returns is nobody's business: it is told as text
            warnings.simplefilter("ignore", UserWarning)
            described: Any = Described(_keyless(function), takes_ctx=False)
    except (PydanticUserError, UserError, NameError, TypeError, ValueError) as error:
        said = str(error).splitlines()[0].rstrip(".:")
        raise ActionError(f"function {name!r} cannot be a tool: {said}") from None
    schema = described.function_schema
    return Function(Tool(described.name, described.description or "", schema.json_schema), function, schema)


def _keyless(function: Callable[..., Any]) -> Callable[..., Any]:
    """What a model is told of a function: all but the parameter that is ours to give. Never called."""
    signature = inspect.signature(function)
    if _KEY not in signature.parameters:
        return function
    told = functools.wraps(function)(lambda: None)
    parameters = [each for each in signature.parameters.values() if each.name != _KEY]
    told.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return told


def as_text(returned: Any) -> str:
    """What a tool returns, as a model reads it: a text as it is, anything else as JSON."""
    from pydantic_core import to_json

    if isinstance(returned, str):
        return returned
    return to_json(returned, fallback=str, bytes_mode="base64").decode()
