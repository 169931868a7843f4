"""What goes to a Redis server and comes from it, byte by byte."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio.connection import Connection
from redis.exceptions import InvalidResponse, MovedError, NoScriptError, RedisError, ResponseError

from fsm_agent.stores.redis.resp import Incomplete, pack, read_answer
from fsm_agent.stores.redis.stream import AnswerStream
from tests.support.servers.redis import RedisServer

ANSWERS = st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=4), max_leaves=12)
LINES = b"+OK\r\n:7\r\n$-1\r\n*-1\r\n*0\r\n$0\r\n\r\n-ERR no\r\n-MOVED 7 host:6\r\n-NOSCRIPT who?\r\n"


def told(answer: Any) -> bytes:
    """An answer as a server writes it."""
    match answer:
        case None:
            return b"$-1\r\n"
        case int():
            return b":%d\r\n" % answer
        case str():
            text = answer.encode()
            return b"$%d\r\n%b\r\n" % (len(text), text)
        case _:
            return b"*%d\r\n" % len(answer) + b"".join(map(told, answer))


@given(st.lists(st.text() | st.integers(), min_size=1, max_size=6))
def test_a_command_tells_how_many_bytes_each_of_its_words_has(command: list[str | int]) -> None:
    assert pack(command) == told([str(word) for word in command])


def test_half_a_surrogate_pair_goes_and_comes() -> None:
    packed = pack(("SET", "half \ud83d"))
    assert read_answer(bytearray(packed), 0) == (["SET", "half \ud83d"], len(packed))


@given(ANSWERS)
def test_an_answer_is_read_from_its_first_byte_to_its_last_and_not_before_all_is_there(answer: Any) -> None:
    whole = told(answer)
    assert read_answer(bytearray(b"??" + whole + b"+more"), 2) == (answer, 2 + len(whole))
    for length in range(len(whole)):
        with pytest.raises(Incomplete) as more:
            read_answer(bytearray(whole[:length]), 0)
        assert length < more.value.needed <= len(whole)


def test_every_kind_of_answer_is_known() -> None:
    found, at = [], 0
    while at < len(LINES):
        answer, at = read_answer(bytearray(LINES), at)
        found.append(answer)
    assert found[:6] == ["OK", 7, None, None, [], ""]
    assert [(type(error), str(error)) for error in found[6:8]] == [
        (ResponseError, "ERR no"),
        (MovedError, "7 host:6"),
    ]
    assert isinstance(found[8], NoScriptError)
    assert (found[7].host, found[7].port) == ("host", 6)


@pytest.mark.parametrize("said", [b"?what\r\n", b"$x\r\n", b"*x\r\n", b":x\r\n", b"\r\n"])
def test_what_is_no_answer_is_refused(said: bytes) -> None:
    with pytest.raises((InvalidResponse, ValueError)):
        read_answer(bytearray(said), 0)


def connection_to(port: int) -> Any:
    return Connection(port=port, protocol=2, driver_info=None)


class Talk:
    """A stream to a server that says what it is told to, in pieces."""

    async def __aenter__(self) -> Talk:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self._accepted: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()
        port = self._server.sockets[0].getsockname()[1]
        self.connection = connection_to(port)
        await self.connection.connect()
        self.stream = AnswerStream(self.connection)
        self.server = await self._accepted
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.connection.disconnect()
        self.server.close()
        self._server.close()

    async def _accept(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._accepted.set_result(writer)

    async def ask(self, expected: int, pieces: Sequence[bytes], *, patience_s: float = 10.0) -> list[Any]:
        answers: list[Any] = []
        asking = asyncio.ensure_future(self.stream.exchange(b"PING\r\n", expected, answers, patience_s=patience_s))
        for piece in pieces:
            self.server.write(piece)
            await self.server.drain()
            await turns()
        await asking
        return answers


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_answers_that_come_in_pieces_are_put_together() -> None:
    async def work() -> None:
        async with Talk() as talk:
            text = told(["ä" * 9, None, 7])
            assert await talk.ask(2, [text[:3], text[3:9], text[9:] + b"+O", b"K\r\n"]) == [["ä" * 9, None, 7], "OK"]
            assert await talk.ask(1, [b"+OK\r\n"]) == ["OK"]
            assert talk.stream.is_open

    asyncio.run(work())


@pytest.mark.parametrize("too_much", [b"+OK\r\n+OK\r\n", b"+OK\r\n+"])
def test_a_stream_that_says_more_than_it_was_asked_is_not_asked_again(too_much: bytes) -> None:
    async def work() -> None:
        async with Talk() as talk:
            assert await talk.ask(1, [too_much]) == ["OK"]
            assert not talk.stream.is_open

    asyncio.run(work())


def test_a_stream_that_speaks_unasked_is_not_asked() -> None:
    async def work() -> None:
        async with Talk() as talk:
            talk.server.write(b"+OK\r\n")
            async with asyncio.timeout(10):
                while talk.stream.is_open:
                    await turns()

    asyncio.run(work())


def test_what_was_answered_before_a_stream_breaks_is_kept() -> None:
    async def work() -> None:
        async with Talk() as talk:
            answers: list[Any] = []
            asking = asyncio.ensure_future(talk.stream.exchange(b"PING\r\n", 3, answers, patience_s=10))
            talk.server.write(b"+1\r\n$9\r\n")
            await talk.server.drain()
            talk.server.write_eof()
            with pytest.raises(OSError, match="hung up"):
                await asking
            assert (answers, talk.stream.is_open) == (["1"], False)

    asyncio.run(work())


@pytest.mark.parametrize(("said", "error"), [(b"?\r\n", RedisError), (b"$1\r\n\xff\r\n", UnicodeDecodeError)])
def test_what_cannot_be_read_fails_who_asked_and_closes_the_stream(said: bytes, error: type[Exception]) -> None:
    async def work() -> None:
        async with Talk() as talk:
            with pytest.raises(error):
                await talk.ask(1, [said])
            assert not talk.stream.is_open

    asyncio.run(work())


def test_patience_counts_from_the_last_answer_and_ends() -> None:
    async def work() -> None:
        async with Talk() as talk:
            assert await talk.ask(1, [b"+OK\r\n"], patience_s=0.2) == ["OK"]
            with pytest.raises(TimeoutError):
                await talk.ask(2, [b"+OK\r\n"], patience_s=0.2)
            assert not talk.stream.is_open

    asyncio.run(work())


def test_a_connection_whose_transport_was_taken_over_ends_as_the_driver_expects(redis_server: RedisServer) -> None:
    async def work() -> None:
        connection = connection_to(redis_server.port)
        for _ in range(2):
            await connection.connect()
            stream, answers = AnswerStream(connection), list[Any]()
            await stream.exchange(pack(("PING",)), 1, answers, patience_s=10)
            assert answers == ["PONG"]
            async with asyncio.timeout(10):
                await connection.disconnect()
            assert not stream.is_open

    asyncio.run(work())
