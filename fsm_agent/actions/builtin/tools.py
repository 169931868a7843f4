"""The tools of one attempt: functions of allowed modules, and tools of MCP servers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from fsm_agent.actions.builtin.mcp_client import Server
from fsm_agent.actions.context import Context, EffectModeName
from fsm_agent.actions.worker_threads import in_thread
from fsm_agent.domain.json import Json
from fsm_agent.domain.text import did_you_mean, listed
from fsm_agent.errors import ActionError, ToolError
from fsm_agent.llm.request import OUTPUT
from fsm_agent.llm.tools import Function, as_text, function_of
from fsm_agent.llm.types import Call, Tool

_REQUIRED: Final = "required"


class _Kept(NamedTuple):
    """One tool, who calls it, and its entry under ``tools``."""

    tool: Tool
    called_by: Function | Server
    said: Mapping[str, str]

    @property
    def needs_approval(self) -> bool:
        return self.said.get("approval") == _REQUIRED

    @property
    def mode(self) -> EffectModeName:
        return "at_most_once" if self.said.get("mode") == "at_most_once" else "idempotent"


class Toolbox:
    """The tools that a model may call. Use it as ``async with``, which connects to the servers. Raises ``ActionError``
    if a tool does not exist, or needs approval where no person can be asked (not ``asks``)."""

    def __init__(
        self, ctx: Context, tools: Sequence[str | Mapping[str, str]], mcp: Sequence[str], *, asks: bool
    ) -> None:
        self._ctx = ctx
        self._wanted = [{"tool": each} if isinstance(each, str) else each for each in tools]
        self._servers = mcp
        self._asks = asks
        self._open = AsyncExitStack()
        self._kept: dict[str, _Kept] = {}

    async def __aenter__(self) -> Self:
        try:
            for name in self._servers:
                server = await self._open.enter_async_context(Server(name, self._ctx.surroundings.mcp))
                for kept in self._served(server):
                    self._keep(kept)
            for entry in self._wanted:
                if entry["tool"].partition(":")[0] not in self._servers:
                    function = await self._function(entry["tool"])
                    self._keep(_Kept(function.tool, function, entry))
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._open.__aexit__(kind, error, trace)

    def _served(self, server: Server) -> Iterator[_Kept]:
        """All tools that a server offers. An entry under ``tools`` for a tool that it does not offer is an error."""
        of_server = (entry for entry in self._wanted if entry["tool"].partition(":")[0] == server.name)
        entries = {entry["tool"].partition(":")[2]: entry for entry in of_server}
        for plain, tool in server.tools.items():
            yield _Kept(tool, server, entries.pop(plain, {}))
        for plain in entries:
            near = did_you_mean(plain, server.tools)
            raise ActionError(f"MCP server {server.name!r} has no tool {plain!r}{near}; it has {listed(server.tools)}")

    async def _function(self, reference: str) -> Function:
        find = self._ctx.surroundings.tool
        if find is None:
            raise ActionError(f"tool {reference!r} cannot be found: no module is allowed here")
        return await asyncio.to_thread(function_of, find(reference))

    def _keep(self, kept: _Kept) -> None:
        name = kept.tool.name
        if name in self._kept or name == OUTPUT:
            whose = "that of the answer" if name == OUTPUT else "another's"
            raise ActionError(f"the name of tool {name!r} is {whose} too, and a model could not tell them apart")
        if kept.needs_approval and not self._asks:
            raise ActionError(f"tool {name!r} needs approval, and `approval` does not say which events answer")
        self._kept[name] = kept

    @property
    def offered(self) -> tuple[Tool, ...]:
        return tuple(kept.tool for kept in self._kept.values())

    def needs_approval(self, name: str) -> bool:
        return name in self._kept and self._kept[name].needs_approval

    def problem(self, call: Call) -> str | None:
        """Why a call cannot be made, in words for the model. A server checks arguments itself."""
        if call.name not in self._kept:
            near = did_you_mean(call.name, self._kept)
            return f"there is no tool {call.name!r}{near}; there are {listed(self._kept)}"
        if isinstance(call.arguments, str):
            return f"the arguments of {call.name!r} cannot be read: they must be a JSON object"
        called_by = self._kept[call.name].called_by
        return called_by.problem(call.arguments) if isinstance(called_by, Function) else None

    async def call(self, call: Call) -> tuple[str, bool]:
        """The result of a tool as text, and whether it is an error; call this only if there is no ``problem``. A
        ``ToolError`` becomes text for the model; other exceptions of the tool pass through."""
        kept = self._kept[call.name]
        work = _through_server if isinstance(kept.called_by, Server) else _through_function
        effect = partial(work, kept.called_by, call.name)  # type: ignore[arg-type]
        result: Mapping[str, Json] = await self._ctx.effect(f"tool {call.name}", effect, call.arguments, mode=kept.mode)
        return result["text"], result["is_error"]


async def _through_server(server: Server, name: str, arguments: Mapping[str, Any]) -> Json:
    text, is_error = await server.call(name, arguments)
    return {"text": text, "is_error": is_error}


async def _through_function(
    function: Function, name: str, arguments: Mapping[str, Any], *, idempotency_key: str
) -> Json:
    call = function.bound(arguments, idempotency_key)
    try:
        returned = await (call() if function.is_async else in_thread(call, f"tool {name!r}"))
    except ToolError as error:
        return {"text": str(error), "is_error": True}
    return {"text": as_text(returned), "is_error": False}
