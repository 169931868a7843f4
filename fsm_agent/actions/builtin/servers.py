"""MCP servers, by the official client: what they offer, and how it is called."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Final, Self

from fsm_agent.errors import ActionError
from fsm_agent.jsontypes import Json
from fsm_agent.models.words import Tool
from fsm_agent.wording import listed

#: between the name of a server and that of its tool: two servers may have tools of one name
_BETWEEN: Final = "__"


class Server:
    """One server that the operator has configured under a name. Use it as ``async with``; raises ``ActionError``."""

    def __init__(self, name: str, configured: Mapping[str, Mapping[str, Json]]) -> None:
        if name not in configured:
            there = f"there are {listed(configured)}" if configured else "none is"
            raise ActionError(f"MCP server {name!r} is not configured under [tool.fsm-agent.mcp]; {there}")
        self._name, self._reached = name, configured[name]
        self._open = AsyncExitStack()
        self.tools: tuple[Tool, ...] = ()

    async def __aenter__(self) -> Self:
        client = _client(self._name, self._reached)
        try:
            self._client = await self._open.enter_async_context(client)
            self.tools = tuple([tool async for tool in self._offered()])
        except (OSError, RuntimeError, ExceptionGroup) as error:
            raise ActionError(f"MCP server {self._name!r} cannot be reached: {_said(error)}") from None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    async def _offered(self) -> Any:
        cursor: str | None = None
        while True:
            page = await self._client.list_tools(cursor=cursor)
            for tool in page.tools:
                yield Tool(f"{self._name}{_BETWEEN}{tool.name}", tool.description or "", dict(tool.input_schema))
            cursor = page.next_cursor
            if cursor is None:
                return

    def plain(self, name: str) -> str:
        """What the server itself calls a tool."""
        return name.removeprefix(f"{self._name}{_BETWEEN}")

    async def call(self, name: str, arguments: Mapping[str, Any]) -> tuple[str, bool]:
        """What a tool returns, as text, and whether it says that it is an error."""
        result = await self._client.call_tool(self.plain(name), dict(arguments))
        texts = [getattr(part, "text", None) or f"[{part.type}]" for part in result.content]
        return "\n".join(texts), bool(result.is_error)


def _client(name: str, reached: Mapping[str, Json]) -> Any:
    try:
        from mcp import Client
        from mcp.client.stdio import StdioServerParameters
    except ImportError:
        raise ActionError(f"MCP server {name!r} needs an extra: pip install 'fsm-agent[mcp]'") from None
    if "url" in reached:
        return Client(str(reached["url"]))
    command, *rest = reached["command"]
    return Client(StdioServerParameters(command=command, args=rest, env={**os.environ, **reached.get("env", {})}))


def _said(error: BaseException) -> str:
    """The first thing that went wrong, of a group of them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
