"""MCP servers, by the official client: what they offer, and how it is called."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Final, Self

from fsm_agent.domain.json import Json
from fsm_agent.domain.text import listed, shortened
from fsm_agent.errors import ActionError, McpUnavailable
from fsm_agent.llm.types import Tool

#: how long a server may take to begin
_PATIENCE_S: Final = 30.0
#: between the name of a server and that of its tool: two servers may have tools of one name
_BETWEEN: Final = "__"
#: what providers take for a name
_ODD: Final = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST: Final = 64


class Server:
    """One server that the operator has configured under a name. Use it as ``async with``; raises ``ActionError``."""

    def __init__(
        self, name: str, configured: Mapping[str, Mapping[str, Json]], *, patience_s: float = _PATIENCE_S
    ) -> None:
        if name not in configured:
            there = f"there are {listed(configured)}" if configured else "none is"
            raise ActionError(f"MCP server {name!r} is not configured under [tool.fsm-agent.mcp]; {there}")
        self.name: Final = name
        #: what it offers, by the names that it gives itself
        self.tools: dict[str, Tool] = {}
        self._reached = configured[name]
        self._patience_s = patience_s
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        client = _client(self.name, self._reached)
        try:
            async with asyncio.timeout(self._patience_s) as timer:
                self._client = await self._open.enter_async_context(client)
                await self._look()
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            if not isinstance(error, Exception):
                raise
            why = f"it does not begin within {self._patience_s:g} s" if timer.expired() else _said(error)
            raise McpUnavailable(self.name, why) from None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        """What breaks with the connection is told in a word, and does not hide what went wrong before. The client stops
        whoever works within it when it breaks, so a cancellation is for it to explain; all else is none of its
        business."""
        is_stopped = isinstance(error, asyncio.CancelledError)
        try:
            return await (self._open.__aexit__(kind, error, trace) if is_stopped else self._open.aclose())
        except Exception as broken:
            if error is None or is_stopped:
                raise McpUnavailable(self.name, _said(broken)) from None
        return None

    async def _look(self) -> None:
        cursor: str | None = None
        while True:
            page = await self._client.list_tools(cursor=cursor)
            for tool in page.tools:
                name = _ODD.sub("_", f"{self.name}{_BETWEEN}{tool.name}")[:_LONGEST]
                self.tools[tool.name] = Tool(name, tool.description or "", dict(tool.input_schema))
            cursor = page.next_cursor
            if cursor is None:
                return

    async def call(self, name: str, arguments: Mapping[str, Any]) -> tuple[str, bool]:
        """What a tool returns, as text, and whether that is an error: also what the server says who refuses the call.
        Raises ``McpUnavailable`` where it says nothing."""
        from mcp import MCPError
        from mcp.types import CONNECTION_CLOSED, REQUEST_TIMEOUT

        plain = next(plain for plain, tool in self.tools.items() if tool.name == name)
        try:
            result = await self._client.call_tool(plain, dict(arguments))
        except MCPError as error:
            if error.error.code in (CONNECTION_CLOSED, REQUEST_TIMEOUT):
                raise McpUnavailable(self.name, _said(error)) from None
            return error.error.message, True
        except Exception as error:
            raise McpUnavailable(self.name, _said(error)) from None
        return "\n".join(_texts(result)), bool(result.is_error)


def _texts(result: Any) -> Iterator[str]:
    """What a model can read of a result; of anything else, what it is."""
    for part in result.content:
        held = getattr(part, "resource", part)
        yield text if isinstance(text := getattr(held, "text", None), str) else f"[{part.type}]"
    if not result.content and result.structured_content is not None:
        yield json.dumps(result.structured_content, ensure_ascii=False)


def _client(name: str, reached: Mapping[str, Json]) -> Any:
    """A server gets of the environment what it is given, and what no program can do without: no keys of others."""
    try:
        from mcp import Client, StdioServerParameters
    except ImportError:
        raise ActionError(f"MCP server {name!r} needs an extra: pip install 'fsm-agent[mcp]'") from None
    if "url" in reached:
        return Client(str(reached["url"]))
    command, *rest = reached["command"]
    return Client(StdioServerParameters(command=command, args=rest, env=dict(reached.get("env", {}))))


def _said(error: BaseException) -> str:
    """The first thing that went wrong, in words that quote no address: it may hold a password."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, OSError) and error.strerror:
        return f"{type(error).__name__}: {error.strerror}"
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:
        return f"it answers with status {status}"
    protocol = getattr(error, "error", None)
    if protocol is not None:
        return f"it says {shortened(protocol.message, 200)}"
    return type(error).__name__
