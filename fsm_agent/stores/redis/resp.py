"""How commands and answers are written: version 2 of the Redis serialization protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from redis.exceptions import InvalidResponse, MovedError, NoScriptError, ResponseError

Command: TypeAlias = Sequence[str | int]

#: Text that has no bytes in UTF-8 comes back as it went.
_ODD: Final = "surrogatepass"


class Incomplete(Exception):
    """The answer goes on; there is no use in looking again before there are ``needed`` bytes."""

    def __init__(self, needed: int) -> None:
        self.needed = needed


def pack(command: Command) -> bytes:
    """A command as the server reads it."""
    words = [str(word) for word in command]
    packed = f"*{len(words)}\r\n" + "".join([f"${len(word)}\r\n{word}\r\n" for word in words])
    return packed.encode() if packed.isascii() else _pack_bytes(words)


def _pack_bytes(words: Sequence[str]) -> bytes:
    """The same for texts whose characters may take more than one byte: lengths are in bytes."""
    texts = [word.encode("utf-8", _ODD) for word in words]
    return b"*%d\r\n" % len(texts) + b"".join([b"$%d\r\n%b\r\n" % (len(text), text) for text in texts])


def read_answer(buffer: bytearray, at: int) -> tuple[Any, int]:
    """The answer that begins ``at`` a place in the buffer, and where the next one begins.

    An error of the server is an answer. Raises ``Incomplete``, ``InvalidResponse`` for what is no answer, and
    ``UnicodeDecodeError`` for text that we have not written.
    """
    end = buffer.find(b"\r\n", at)
    if end < 0:
        raise Incomplete(len(buffer) + 1)
    kind, line, after = buffer[at : at + 1], buffer[at + 1 : end], end + 2
    match bytes(kind):
        case b"$":
            return _read_text(buffer, after, int(line))
        case b"*":
            return _read_list(buffer, after, int(line))
        case b":":
            return int(line), after
        case b"+":
            return line.decode(), after
        case b"-":
            return _error_of(line.decode("utf-8", "replace")), after
        case _:
            raise InvalidResponse(f"an answer begins with {bytes(kind)!r}")


def _read_text(buffer: bytearray, at: int, length: int) -> tuple[str | None, int]:
    if length < 0:
        return None, at
    end = at + length
    if len(buffer) < end + 2:
        raise Incomplete(end + 2)
    return buffer[at:end].decode("utf-8", _ODD), end + 2


def _read_list(buffer: bytearray, at: int, length: int) -> tuple[list[Any] | None, int]:
    if length < 0:
        return None, at
    answers = []
    for _ in range(length):
        answer, at = read_answer(buffer, at)
        answers.append(answer)
    return answers, at


def _error_of(said: str) -> ResponseError:
    """The code stays in the sentence, except for those whose kind says it."""
    code, _, rest = said.partition(" ")
    match code:
        case "NOSCRIPT":
            return NoScriptError(rest)
        case "MOVED":
            return MovedError(rest)
        case _:
            return ResponseError(said)
