"""The tools of one attempt: functions of allowed modules, and what MCP servers offer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from fsm_agent.actions.builtin.servers import Server
from fsm_agent.actions.context import Context, EffectModeName
from fsm_agent.actions.threads import in_thread
from fsm_agent.errors import ActionError, ToolError
from fsm_agent.jsontypes import Json
from fsm_agent.models.tools import Function, function_of
from fsm_agent.models.words import Call, Tool
from fsm_agent.wording import did_you_mean, listed

_REQUIRED: Final = "required"


class _Kept(NamedTuple):
    """One tool, and how it is called."""

    tool: Tool
    function: Function | None
    server: Server | None
    needs_approval: bool
    mode: EffectModeName


class Toolbox:
    """Use it as ``async with``: servers are connected to meanwhile. Raises ``ActionError`` for a tool that is not
    there."""

    def __init__(self, ctx: Context, tools: Sequence[str | Mapping[str, str]], mcp: Sequence[str]) -> None:
        self._ctx = ctx
        self._wanted = [_spec(each) for each in tools]
        self._servers = mcp
        self._open = AsyncExitStack()
        self._kept: dict[str, _Kept] = {}

    async def __aenter__(self) -> Self:
        try:
            await self._fill()
        except BaseException:
            await self._open.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    async def _fill(self) -> None:
        for name in self._servers:
            server = await self._open.enter_async_context(Server(name, self._ctx.surroundings.mcp))
            for tool in server.tools:
                spec = self._spec_of(f"{name}:{server.plain(tool.name)}")
                self._keep(_Kept(tool, None, server, spec.get("approval") == _REQUIRED, _mode(spec)))
        for spec in self._wanted:
            if spec["tool"].partition(":")[0] in self._servers:
                continue
            find = self._ctx.surroundings.tool
            if find is None:
                raise ActionError(f"tool {spec['tool']!r} cannot be found: no module is allowed here")
            function = function_of(find(spec["tool"]))
            self._keep(_Kept(function.tool, function, None, spec.get("approval") == _REQUIRED, _mode(spec)))

    def _spec_of(self, reference: str) -> Mapping[str, str]:
        return next((spec for spec in self._wanted if spec["tool"] == reference), {})

    def _keep(self, kept: _Kept) -> None:
        if kept.tool.name in self._kept:
            raise ActionError(f"two tools are called {kept.tool.name!r}, and a model could not tell them apart")
        self._kept[kept.tool.name] = kept

    @property
    def offered(self) -> tuple[Tool, ...]:
        return tuple(kept.tool for kept in self._kept.values())

    def needs_approval(self, name: str) -> bool:
        return name in self._kept and self._kept[name].needs_approval

    def problem(self, call: Call) -> str | None:
        """Why a call cannot be made, for the model that wants it."""
        if call.name not in self._kept:
            return (
                f"there is no tool {call.name!r}{did_you_mean(call.name, self._kept)}; there are {listed(self._kept)}"
            )
        if not call.is_readable:
            return f"the arguments of {call.name!r} are no JSON object"
        function = self._kept[call.name].function
        return function.problem(call.arguments) if function and isinstance(call.arguments, dict) else None

    async def call(self, call: Call) -> tuple[str, bool]:
        """What the tool returns, as text, and whether that is an error. What it raises passes through, but for
        ``ToolError``: that is for the model."""
        kept = self._kept[call.name]
        work = partial(_called, kept, call)
        result: Mapping[str, Json] = await self._ctx.effect(
            f"tool {call.name}", work, call.arguments if isinstance(call.arguments, dict) else {}, mode=kept.mode
        )
        return result["text"], result["is_error"]


async def _called(kept: _Kept, call: Call, arguments: Mapping[str, Any]) -> Json:
    if kept.server is not None:
        text, is_error = await kept.server.call(call.name, arguments)
        return {"text": text, "is_error": is_error}
    assert kept.function is not None  # noqa: S101 - a tool is one or the other
    try:
        call_it = kept.function.bound(arguments)
        is_async = kept.function.is_async
        returned = await (call_it() if is_async else in_thread(call_it, f"tool {call.name!r}"))
    except ToolError as error:
        return {"text": str(error), "is_error": True}
    return {"text": returned if isinstance(returned, str) else json.dumps(returned, default=str), "is_error": False}


def _spec(written: str | Mapping[str, str]) -> Mapping[str, str]:
    return {"tool": written} if isinstance(written, str) else written


def _mode(spec: Mapping[str, str]) -> EffectModeName:
    return "at_most_once" if spec.get("mode") == "at_most_once" else "idempotent"
