"""MCP servers, by the official client: which tools they offer, and how these are called."""

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

#: time limit for the start of a server
_PATIENCE_S: Final = 30.0
#: between the name of a server and the name of its tool, since two servers may have tools of the same name
_BETWEEN: Final = "__"
#: characters that providers of models do not accept in a name
_ODD: Final = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST: Final = 64


class Server:
    """One server that the operator has configured under a name. Use it as ``async with``. Raises ``ActionError``."""

    def __init__(
        self, name: str, configured: Mapping[str, Mapping[str, Json]], *, patience_s: float = _PATIENCE_S
    ) -> None:
        if name not in configured:
            there = f"there are {listed(configured)}" if configured else "none is"
            raise ActionError(f"MCP server {name!r} is not configured under [tool.fsm-agent.mcp]; {there}")
        self.name: Final = name
        #: tools by the names that the server uses
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
        """Close the connection. An error of closing becomes ``McpUnavailable``, but it never hides an earlier error. A
        client whose connection breaks cancels the task that uses it, so only the client can explain a cancellation."""
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
        """The result of a tool as text, and whether it is an error. A refusal by the server is such an error. Raises
        ``McpUnavailable`` if there is no answer."""
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
    """The parts of a result that are text; for any other part, its type."""
    for part in result.content:
        held = getattr(part, "resource", part)
        yield text if isinstance(text := getattr(held, "text", None), str) else f"[{part.type}]"
    if not result.content and result.structured_content is not None:
        yield json.dumps(result.structured_content, ensure_ascii=False)


def _client(name: str, reached: Mapping[str, Json]) -> Any:
    """The client of a server. The server gets only the environment that is configured for it and the basic variables,
    so it sees no keys of others."""
    try:
        from mcp import Client, StdioServerParameters
    except ImportError:
        raise ActionError(f"MCP server {name!r} needs an extra: pip install 'fsm-agent[mcp]'") from None
    if "url" in reached:
        return Client(str(reached["url"]))
    command, *rest = reached["command"]
    return Client(StdioServerParameters(command=command, args=rest, env=dict(reached.get("env", {}))))


def _said(error: BaseException) -> str:
    """A description of the first error. It quotes no address, which may hold a password."""
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
