"""A client of the HTTP API that sees what comes over the wire: requests over a connection that is kept, and streams."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NamedTuple, Self


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    #: names in lower case
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class ServerEvent(NamedTuple):
    """A server-sent event."""

    name: str
    data: Any
    id: int | None = None


class Gone(Exception):
    """The server has closed the connection."""


class HttpConnection:
    """One connection, used as a context; each request waits for its reply."""

    def __init__(self, port: int, **headers: str) -> None:
        self._port = port
        self._headers = headers
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None

    async def get(self, path: str, **headers: str) -> Reply:
        return await self.request("GET", path, **headers)

    async def post(self, path: str, body: Any = None, **headers: str) -> Reply:
        return await self.request("POST", path, body, **headers)

    async def request(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """Raises ``Gone`` if there is no whole reply."""
        try:
            return await self._reply(await self._ask(method, path, body, headers))
        except (OSError, EOFError, ValueError) as error:
            self.close()
            raise Gone(f"{method} {path}") from error

    async def _ask(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> asyncio.StreamReader:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        content = b"" if body is None else json.dumps(body).encode()
        named = {"Host": f"127.0.0.1:{self._port}", "Content-Length": str(len(content)), **self._headers, **headers}
        if body is not None:
            named["Content-Type"] = "application/json"
        lines = [f"{method} {path} HTTP/1.1", *(f"{name.replace('_', '-')}: {text}" for name, text in named.items())]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
        return reader

    async def _reply(self, reader: asyncio.StreamReader) -> Reply:
        reply = await _head(reader)
        length = int(reply.headers.get("content-length", 0))
        body = await reader.readexactly(length)
        if reply.headers.get("connection") == "close":
            self.close()
        return Reply(reply.status, reply.headers, body)


class EventStream:
    """The stream of one agent, used as a context. ``last_id`` is where it goes on when it is opened again."""

    def __init__(
        self, port: int, agent_id: str, *, last_id: int | None = None, query: str = "", **headers: str
    ) -> None:
        self._port = port
        self._path = f"/v1/agents/{agent_id}/stream{query}"
        self._headers = headers
        self.last_id = last_id
        self.reply: Reply
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        named = {"Host": f"127.0.0.1:{self._port}", **self._headers}
        if self.last_id is not None:
            named["Last-Event-ID"] = str(self.last_id)
        lines = [f"GET {self._path} HTTP/1.1", *(f"{name}: {text}" for name, text in named.items())]
        self._writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
        self.reply = await _head(self._reader)

    def close(self) -> None:
        self._writer.transport.abort()

    async def __aiter__(self) -> AsyncIterator[ServerEvent]:
        """The events, and comments under the name ``:``, until the server ends the stream. Raises ``Gone`` if it breaks
        off before that."""
        block: list[str] = []
        async for line in self._lines():
            if line.startswith(":"):
                yield ServerEvent(":", line[1:])
            elif line:
                block.append(line)
            elif block:
                event = _event(block)
                block = []
                if event is not None:
                    self.last_id = self.last_id if event.id is None else event.id
                    yield event

    async def _lines(self) -> AsyncIterator[str]:
        rest = b""
        async for chunk in self._chunks():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line.decode()

    async def _chunks(self) -> AsyncIterator[bytes]:
        try:
            while size := int(await self._reader.readuntil(b"\r\n"), 16):
                chunk = await self._reader.readexactly(size + 2)
                yield chunk[:-2]
        except (OSError, EOFError) as error:
            raise Gone(self._path) from error


async def _head(reader: asyncio.StreamReader) -> Reply:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()[:-1]
    pairs = (line.partition(":") for line in lines)
    return Reply(int(first.split()[1]), {name.lower(): text.strip() for name, _, text in pairs})


def _event(block: list[str]) -> ServerEvent | None:
    fields = dict(line.split(": ", 1) for line in block)
    if "data" not in fields:
        return None
    number = fields.get("id")
    return ServerEvent(fields.get("event", "message"), json.loads(fields["data"]), int(number) if number else None)
