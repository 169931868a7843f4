"""A server that speaks the chat completions of OpenAI over real HTTP on the loopback, streams included.

What it answers is said by a list of answers, or by a function of the request; it can be told to fail in all the ways
in which providers do. Within a test::

    with OpenAIStub([calling("search", city="Rome"), "Here you are."]) as stub:
        ...  # OPENAI_BASE_URL=stub.url, OPENAI_API_KEY=whatever, model `openai-chat:any-name`
    assert len(stub.requests) == 2

As a process of its own, which writes each request to a file before it answers (the port is the first line it prints)::

    python -m tests.support.servers.openai_stub --journal requests.jsonl --script answers.json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

_CHUNK: Final = 8


class Request(NamedTuple):
    #: 0 for the first
    number: int
    path: str
    headers: Mapping[str, str]
    body: Any

    @property
    def turn(self) -> int:
        """How often the assistant has spoken in it: the same when a request is made again."""
        return sum(message["role"] == "assistant" for message in self.body["messages"])


@dataclass(frozen=True)
class Answer:
    """What is sent back; with a ``status`` other than 200, an error."""

    text: str = ""
    #: {id, name, arguments}; arguments that are a text are sent as they are
    calls: tuple[Mapping[str, Any], ...] = ()
    usage: tuple[int, int] = (11, 7)
    finish: str | None = None
    status: int = 200
    message: str = "it failed"
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    #: sent instead of a body that makes sense
    garbage: str | None = None
    #: nothing is sent until the client gives up
    hangs: bool = False
    #: the connection is cut half way: of a stream after some words, else within the body
    is_cut: bool = False


Script = Callable[[Request], "Answer | str"]


def calling(name: str, arguments: Any = None, *, id: str | None = None, **named: Any) -> Answer:  # noqa: A002
    """A call of one tool; ``arguments`` as a text are sent as they are."""
    return Answer(calls=({"id": id, "name": name, "arguments": named if arguments is None else arguments},))


def failing(status: int, message: str = "it failed", *, code: str | None = None, **headers: str) -> Answer:
    """An error; ``retry_after="2"`` is the header ``retry-after``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, message=message, code=code, headers=named)


def refusing_the_key(request: Request) -> Answer:
    """As OpenAI does it: the key stands in the message."""
    key = request.headers.get("authorization", "").removeprefix("Bearer ")
    return failing(401, f"Incorrect API key provided: {key}. Look at your settings.", code="invalid_api_key")


HANGS: Final = Answer(hangs=True)
CUTS: Final = Answer(text="Once upon a time there was a connection.", is_cut=True)
GARBAGE: Final = Answer(garbage="<html>down for maintenance")


def in_order(answers: Sequence[Answer | str | Script]) -> Script:
    """The first request gets the first answer; when they are used up, the last again."""

    def answer(request: Request) -> Answer | str:
        chosen = answers[min(request.number, len(answers) - 1)]
        return chosen(request) if callable(chosen) else chosen

    return answer


def by_turn(answers: Sequence[Answer | str | Script]) -> Script:
    """A request that is made again gets the same answer again: it depends on how often the assistant has spoken."""
    return lambda request: in_order(answers)(request._replace(number=request.turn))


class OpenAIStub:
    """Serves until it is closed, in a thread of its own; ``requests`` are those that have arrived."""

    def __init__(
        self, script: Script | Sequence[Answer | str | Script] = ("Hello.",), *, journal: Path | None = None
    ) -> None:
        self.script: Script = script if callable(script) else in_order(script)
        self.requests: list[Request] = []
        #: set when the first is there
        self.arrived = threading.Event()
        self.port = 0
        #: connections that were made: one, if they are kept alive
        self.connections = 0
        self._journal = journal
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="openai-stub", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs to talk to it."""
        return {"OPENAI_BASE_URL": self.url, "OPENAI_API_KEY": "sk-test-0123456789abcdef"}

    def start(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while (request := await self._received(reader)) is not None and await self._answered(request, writer):
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            writer.close()
            with suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _received(self, reader: asyncio.StreamReader) -> Request | None:
        with suppress(asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            content = await reader.readexactly(int(headers.get("content-length", "0")))
            request = Request(len(self.requests), first.split()[1], headers, json.loads(content or b"null"))
            if self._journal is not None:
                with self._journal.open("a") as file:
                    file.write(json.dumps({"number": request.number, "path": request.path, "body": request.body}))
                    file.write("\n")
            self.requests.append(request)
            self.arrived.set()
            return request
        return None

    async def _answered(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection is kept."""
        answer = self.script(request)
        answer = Answer(answer) if isinstance(answer, str) else answer
        if answer.hangs:
            await asyncio.Event().wait()
        if answer.status == 200 and answer.garbage is None and request.body.get("stream"):
            return await _stream(answer, request, writer)
        content = _content(answer, request)
        head = [f"HTTP/1.1 {answer.status} Whatever", "content-type: application/json"]
        head += [f"{name}: {value}" for name, value in answer.headers.items()]
        head += [f"content-length: {len(content)}", "", ""]
        if answer.is_cut:
            content = content[: len(content) // 2]
        writer.write("\r\n".join(head).encode() + content)
        return not answer.is_cut


async def _stream(answer: Answer, request: Request, writer: asyncio.StreamWriter) -> bool:
    head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    pending = head.encode()
    events = [event async for event in _events(answer, request)]
    for event in events[: len(events) // 2] if answer.is_cut else events:
        said = f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n".encode()
        writer.write(pending + f"{len(said):x}\r\n".encode() + said + b"\r\n")
        pending = b""
        await writer.drain()
    if not answer.is_cut:
        writer.write(b"0\r\n\r\n")
    return not answer.is_cut


async def _events(answer: Answer, request: Request) -> AsyncIterator[Any]:
    frame = {"id": f"chatcmpl-{request.number}", "object": "chat.completion.chunk", "created": 1_700_000_000,
             "model": request.body["model"]}  # fmt: skip
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": answer.text[at : at + _CHUNK]} for at in range(0, len(answer.text), _CHUNK)]
    for index, call in enumerate(_calls(answer, request)):
        said = call["function"]["arguments"]
        deltas.append({"tool_calls": [{"index": index, **call, "function": {**call["function"], "arguments": ""}}]})
        halves = (said[: len(said) // 2], said[len(said) // 2 :])
        deltas += [{"tool_calls": [{"index": index, "function": {"arguments": half}}]} for half in halves]
    for delta in deltas:
        yield {**frame, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {**frame, "choices": [{"index": 0, "delta": {}, "finish_reason": _finish(answer)}]}
    if (request.body.get("stream_options") or {}).get("include_usage"):
        yield {**frame, "choices": [], "usage": _usage(answer)}
    yield "[DONE]"


def _content(answer: Answer, request: Request) -> bytes:
    if answer.garbage is not None:
        return answer.garbage.encode()
    if answer.status != 200:
        error = {"message": answer.message, "type": "an_error", "param": None, "code": answer.code}
        return json.dumps({"error": error}).encode()
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None}
    if answer.calls:
        message["tool_calls"] = _calls(answer, request)
    choice = {"index": 0, "message": message, "finish_reason": _finish(answer), "logprobs": None}
    whole = {"id": f"chatcmpl-{request.number}", "object": "chat.completion", "created": 1_700_000_000,
             "model": request.body["model"], "choices": [choice], "usage": _usage(answer)}  # fmt: skip
    return json.dumps(whole).encode()


def _calls(answer: Answer, request: Request) -> list[dict[str, Any]]:
    """Without an id of their own they are counted, so that a request that is made again gets the same."""
    return [
        {
            "id": call.get("id") or f"call_{request.turn}_{index}",
            "type": "function",
            "function": {
                "name": call["name"],
                "arguments": said if isinstance(said := call.get("arguments", {}), str) else json.dumps(said),
            },
        }
        for index, call in enumerate(answer.calls)
    ]


def _usage(answer: Answer) -> dict[str, int]:
    into, out = answer.usage
    return {"prompt_tokens": into, "completion_tokens": out, "total_tokens": into + out}


def _finish(answer: Answer) -> str:
    return answer.finish or ("tool_calls" if answer.calls else "stop")


def answers_of(path: Path) -> list[Answer | str]:
    """A script from a file: a list of texts and of objects with the fields of ``Answer``."""
    return [each if isinstance(each, str) else Answer(**each) for each in json.loads(path.read_text())]


def write_script(path: Path, answers: Sequence[Answer | str]) -> Path:
    """What ``answers_of`` reads."""
    path.write_text(json.dumps([each if isinstance(each, str) else asdict(each) for each in answers]))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(prog="openai_stub")
    parser.add_argument("--script", type=Path, required=True)
    parser.add_argument("--journal", type=Path)
    parser.add_argument("--order", choices=["turn", "number"], default="turn")
    said = parser.parse_args()
    answers = answers_of(said.script)
    script = by_turn(answers) if said.order == "turn" else in_order(answers)
    with OpenAIStub(script, journal=said.journal) as stub:
        print(stub.port, flush=True)  # noqa: T201
        sys.stdin.read()  # until whoever started it is gone, or says so


if __name__ == "__main__":
    main()
