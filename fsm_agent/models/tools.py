"""Functions as tools: what a model is told of them, and how its arguments become theirs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from fsm_agent.errors import ActionError
from fsm_agent.models.words import Tool


@dataclass(frozen=True, slots=True)
class Function:
    """One function as a tool; its docstring and its type hints say what it is and takes."""

    tool: Tool
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
        return inspect.iscoroutinefunction(self._schema.function)

    def bound(self, arguments: Mapping[str, Any]) -> Callable[[], Any]:
        """The call, with arguments that are right."""
        args, kwargs = self._schema._call_args(self._schema.validator.validate_python(dict(arguments)), None)
        return partial(self._schema.function, *args, **kwargs)


def function_of(function: Callable[..., Any]) -> Function:
    """Raises ``ActionError`` for a function whose parameters no JSON can fill."""
    from pydantic_ai.exceptions import UserError
    from pydantic_ai.tools import Tool as Described

    name = getattr(function, "__name__", type(function).__name__)
    try:
        described: Any = Described(function, takes_ctx=False)
    except (UserError, TypeError, ValueError) as error:
        raise ActionError(f"function {name!r} cannot be a tool: {error}") from None
    except ImportError:
        raise ActionError("tools need an extra: pip install 'fsm-agent[llm]'") from None
    schema = described.function_schema
    return Function(Tool(described.name, described.description or "", schema.json_schema), schema)
